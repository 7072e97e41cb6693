"""The table of command lines through real launcher, agent and servers: nobody can tell the difference.

Streams, exit status, and every file that appears or changes are compared with the plain compiler's; the
reason that the agent gives is the one that the table expects.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcc.model import Reason
from tests.interop.command_line_cases import BEST, CASES, EXACT, SPOKE
from tests.interop.test_command_lines import folder
from tests.support.fleet import Client, installed
from tests.support.servers import start_fleetccd
from tests.support.stock_distccd import stock_distccd

__all__ = ["folder", "installed"]

SAID = {Reason.COMPILER_SPOKE.slug, Reason.PREPROCESSOR_SPOKE.slug, Reason.SOURCE_NEEDED.slug}
REMOTE = {Reason.REMOTE.slug}


@dataclass
class Seen:
    """What one run did, as its caller and the file system see it."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, tuple[bytes, int]]


@pytest.fixture(scope="module")
def user(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One client for the whole table, with a fleetccd."""
    top = tmp_path_factory.mktemp("u")
    server = start_fleetccd(top / "server")
    client = Client(installed, top, {"FLEETCC_HOSTS": f"127.0.0.1:{server.port}/4,lzo"})
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


def see(folder: Path, client: Client, argv: list[str], environment: dict[str, str]) -> Seen:
    """Run a command; what it leaves is noted and taken away."""
    before = contents(folder)
    done = subprocess.run(
        argv, cwd=folder, env=client.environment | environment, capture_output=True,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    after = contents(folder)
    new = {name: seen for name, seen in after.items() if before.get(name) != seen}
    for name in new:
        os.unlink(folder / name)
    return Seen(done.returncode, done.stdout, done.stderr, new)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and mode."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


def check(line: str, folder: Path, client: Client, hosts: dict[str, str]) -> tuple[Seen, Seen, str]:
    """Both ways; what was seen without and with fleetcc, and the agent's reason."""
    argv = shlex.split(line.replace("$PWD", str(folder)))
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    plain = see(folder, client, argv, {})
    touch_all(folder)  # an edited source is new to the agent, which remembers those that gave diagnostics
    through = see(folder, client, [str(client.launcher), *argv], hosts)
    reason = client.last_reason
    if through != plain:
        hide_chance(plain, through, see(folder, client, argv, {}))
    return plain, through, reason


def touch_all(folder: Path) -> None:
    """Make every file a new version."""
    for path in folder.rglob("*"):
        os.utime(path)


def hide_chance(plain: Seen, through: Seen, again: Seen) -> None:
    """Blank what differs between two runs of the compiler alone: stamps and names of temporary files."""
    for name in ("stdout", "stderr"):
        if getattr(plain, name) != getattr(again, name):
            for seen in (plain, through):
                setattr(seen, name, b"chance")
    for name in plain.files.keys() & through.files.keys():
        if plain.files[name] != again.files.get(name):
            for seen in (plain, through):
                seen.files[name] = b"chance", seen.files[name][1]


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
