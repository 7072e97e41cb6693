"""A build by a real host, watched in a real browser: through `fleetcc web`, and on the server's own page."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.browser import ROWS, headless_chromium, missing, rows
from tests.support.fleet import Client, client, installed, objects_made_by, write_project
from tests.support.servers import free_port, start_fleetccd, stopping

__all__ = ["client", "installed"]  # fixtures

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "a browser is there")

JOBS = 8


@contextlib.asynccontextmanager
async def fleetcc_web(client: Client) -> AsyncIterator[str]:
    """The address that it prints; in the end it is interrupted and says nothing about that."""
    with client.popen(client.launcher, "web", "--no-browser") as process:
        assert process.stdout is not None
        try:
            yield (await asyncio.to_thread(process.stdout.readline)).decode().strip()
        finally:
            process.send_signal(signal.SIGINT)
            said = await asyncio.to_thread(process.communicate)
    assert (process.returncode, *said) == (0, b"", b"")


async def test_a_build_is_watched_from_before_its_agent_until_after_it(
    client: Client, tmp_path: Path
) -> None:
    port = free_port()
    server = start_fleetccd(tmp_path / "server", "--jobs", "3", "--http", f"127.0.0.1:{port}")
    objects = write_project(client, JOBS)
    host = f"127.0.0.1:{server.port}"
    client.environment["FLEETCC_HOSTS"] = f"{host}/3"
    build = partial(objects_made_by, client, "make", "-j4", "CC=fleetcc gcc", objects=objects)
    with stopping(server):
        async with headless_chromium() as browser, headless_chromium() as other, fleetcc_web(client) as url:
            await other.go(f"http://127.0.0.1:{port}/")
            await other.until("document.body.dataset.state === 'live'")
            await browser.go(url)
            await browser.until("document.getElementById('banner').innerText.startsWith('No agent runs')")
            await asyncio.to_thread(build)

            await browser.until(ROWS.format("ended-table") + f".length === {JOBS}")
            jobs = await rows(browser, "ended-table")
            assert {row[0].rpartition("/")[2] for row in jobs} == {
                f"unit{number}.c" for number in range(JOBS)
            }
            assert {row[1] for row in jobs} == {"done"}
            ran_there = sum(row[2].startswith(f"{host}, slot ") for row in jobs)
            assert {row[3] for row in jobs if row[2].startswith(host)} == {"remote"}
            is_so = f"row[0] === {host!r} && row[3] === '{ran_there}' && row[2] === '0 jobs on 3'"
            found = f"find((row) => {is_so})"
            assert (await browser.until(f"{ROWS.format('host-table')}.{found}"))[1] == "up"
            assert ran_there > 0

            await other.until(ROWS.format("ended-table") + f".length === {ran_there}")
            found = f"find((row) => row[0].startsWith('127.0.0.1') && row[3] === '{ran_there}')"
            assert (await other.until(f"{ROWS.format('host-table')}.{found}"))[1:3] == ["0", "0"]

            await asyncio.to_thread(client.stop)
            await browser.until("document.getElementById('banner').innerText.startsWith('No agent runs')")
            for page in (browser, other):
                assert await page.log("browser") == []
