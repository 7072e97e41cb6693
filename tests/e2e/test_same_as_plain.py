"""The table of command lines, preprocessed here and compiled by real servers: nobody can tell the difference.

Streams, exit status, and every file that appears or changes are compared with the plain compiler's; the
reason that the agent gives is the one that the table expects.
"""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.model import Reason
from tests.interop.command_line_cases import BEST, CASES, EXACT, SPOKE
from tests.interop.test_command_lines import folder
from tests.support.fleet import Client, installed
from tests.support.seeing import Seen, hide_chance, see
from tests.support.servers import start_fleetccd
from tests.support.stock_distccd import stock_distccd

__all__ = ["folder", "installed"]

SAID = {Reason.COMPILER_SPOKE.slug, Reason.PREPROCESSOR_SPOKE.slug, Reason.SOURCE_NEEDED.slug}
REMOTE = {Reason.REMOTE.slug}


@pytest.fixture(scope="module")
def user(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One client for the whole table, with a fleetccd."""
    top = tmp_path_factory.mktemp("u")
    server = start_fleetccd(top / "server")
    hosts = f"127.0.0.1:{server.port}/4,lzo"
    client = Client(installed, top, {"FLEETCC_HOSTS": hosts, "FLEETCC_MODE": "preprocessed"})
    try:
        yield client
        client.stop()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def stock_hosts() -> Iterator[str]:
    """Debian's distccd, as a host list."""
    with stock_distccd(4) as host:
        yield f"{host}/4"


def check(line: str, folder: Path, client: Client, hosts: dict[str, str]) -> tuple[Seen, Seen, str]:
    """Both ways; what was seen without and with fleetcc, and the agent's reason."""
    argv = shlex.split(line.replace("$PWD", str(folder)))
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    plain = see(client, folder, argv, cwd=folder)
    touch_all(folder)  # an edited source is new to the agent, which remembers those that gave diagnostics
    through = see(client, folder, [str(client.launcher), *argv], cwd=folder, env=hosts)
    reason = client.last_reason
    if through != plain:
        hide_chance(plain, through, see(client, folder, argv, cwd=folder))
    return plain, through, reason


def touch_all(folder: Path) -> None:
    """Make every file a new version."""
    for path in folder.rglob("*"):
        os.utime(path)


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_through_fleetccd_nothing_differs(line, expected, folder, user):
    plain, through, reason = check(line, folder, user, {})

    assert through == plain
    if isinstance(expected, Reason):
        assert reason == expected.slug
    else:
        assert reason in {EXACT: REMOTE, SPOKE: SAID, BEST: REMOTE | SAID}[expected]


@pytest.mark.parametrize(("line", "expected"), CASES[::4], ids=[line for line, _ in CASES[::4]])
def test_through_a_stock_distccd_nothing_differs(line, expected, folder, user, stock_hosts):
    plain, through, reason = check(line, folder, user, {"FLEETCC_HOSTS": stock_hosts})

    if expected == BEST:  # docs/architecture.md, "What is known to stay inexact"
        plain.stderr = through.stderr
    assert through == plain
    if isinstance(expected, Reason):
        assert reason == expected.slug
