"""`fleetcc web` as a process: what it prints, whom it answers, how it ends."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from fleetcc.monitor.events import Hello, Local, decode
from tests.support.event_agent import EventAgent
from tests.support.launcher import write_program

PROGRAM = "from fleetcc.cli.web import command; command.main(prog_name='fleetcc web')"
_END_SECONDS = 30.0


@contextlib.asynccontextmanager
async def page(tmp_path: Path, *arguments: str, **environment: str) -> AsyncIterator[str]:
    """The address that it prints; in the end it is interrupted, and says nothing about that."""
    own = {"FLEETCC_DIR": str(tmp_path / "agent"), "HOME": str(tmp_path), "PATH": os.defpath}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, env={**own, **environment},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_END_SECONDS):
            said = await process.communicate()
    assert (process.returncode, *said) == (0, b"", b"")


def hello(pid: int) -> Hello:
    return Hello(source="agent", program="0.6.0", pid=pid, time=1.0, local=Local(time=1.0))


async def next_of(answer: aiohttp.ClientResponse, wanted: bytes) -> bytes:
    """The next line that begins like this."""
    while not (line := await answer.content.readline()).startswith(wanted):
        assert line, "the stream has ended"
    return line


async def test_it_relays_the_agent_over_restarts_and_ends_quietly(tmp_path: Path) -> None:
    async with (
        page(tmp_path, "--no-browser") as url,
        aiohttp.ClientSession() as client,
        client.get(f"{url}events") as answer,
    ):
        await next_of(answer, b"event: away")
        for pid in (1, 2):
            async with EventAgent(tmp_path / "agent", hello(pid)):
                told = decode((await next_of(answer, b"data: "))[len(b"data: ") :])
                assert isinstance(told, Hello)
                assert told.pid == pid
            await next_of(answer, b"event: away")


async def test_it_ends_though_a_browser_watches(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as client:
        async with EventAgent(tmp_path / "agent", hello(1)), page(tmp_path, "--no-browser") as url:
            answer = await client.get(f"{url}events")
            await next_of(answer, b"data: ")
        answer.close()


async def test_a_browser_is_opened_where_there_is_a_display(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "opened")
    browser = write_program(tmp_path / "browser", f'#!/bin/sh\necho "$1" >"{tmp_path}/opened"\n')
    async with page(tmp_path, DISPLAY=":7", BROWSER=f"{browser} %s") as url:
        opened = await asyncio.to_thread((tmp_path / "opened").read_text)
    assert opened.strip() == url


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can connect as another user")
async def test_other_users_of_this_machine_see_nothing(tmp_path: Path) -> None:
    async with page(tmp_path, "--no-browser") as url, aiohttp.ClientSession() as client:
        async with client.get(url) as answer:
            assert answer.status == 200
        port = int(url.rstrip("/").rpartition(":")[2])
        os.seteuid(65534)
        try:
            stranger = socket.socket()  # whose it is, is settled here
        finally:
            os.seteuid(0)
        stranger.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=stranger)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
        assert said.startswith(b"HTTP/1.1 403 ")
        assert said.endswith(b"\r\n\r\nthis page is for the user who runs `fleetcc web`\n")
