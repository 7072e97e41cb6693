"""Launchers in folders of their own, and a user who calls them: fixtures for the tests of both launchers."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from fleetcc import __version__
from fleetcc.wire.launcher import REQUEST_HEADER
from tests.support.fake_agent import FakeAgent, Session, execute

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted((ROOT / "native" / "launcher").glob("*.c"))
STRICT: Final = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")

# Stands in for the CLI: an agent when it is started as one, else it says how it was called.
FAKE_CLI: Final = """#!{python} -SE
import os, socket, sys
def serve():
    folder = os.environ["FLEETCC_DIR"]
    with open(folder + "/starts", "a") as starts:
        descriptors = sorted(os.listdir("/proc/self/fd"))
        starts.write(f"{{os.getpid()}} {{os.getsid(0)}} {{os.getcwd()}} {{descriptors}}\\n")
    if os.path.exists(folder + "/hang"):
        os.open(folder + "/hang", os.O_RDONLY)
    if os.path.exists(folder + "/fail"):
        sys.exit(1)
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(folder)
    if os.path.lexists("socket"):
        os.unlink("socket")
    listener.bind("socket")
    listener.listen(1000)
    listener.settimeout(30)
    os.write(int(sys.argv[4]), b"1")
    os.close(int(sys.argv[4]))
    while True:
        connection, _ = listener.accept()
        header = connection.recv(48, socket.MSG_WAITALL)
        if header[8:9] != b"J":
            sys.exit(0)
        connection.recv(int.from_bytes(header[4:8], sys.byteorder), socket.MSG_WAITALL)
        connection.send(b"X" + bytes(7))
        connection.close()
if sys.argv[1:3] == ["agent", "run"]:
    serve()
print(os.environ.get("FLEETCC_LAUNCHER"), sys.argv[1:])
"""

PYTHON_LAUNCHER: Final = """#!{python}
import sys
sys.path.insert(0, {source!r})
from fleetcc.launcher.main import main
main()
"""


@dataclass(frozen=True)
class Launcher:
    """An installed launcher: `bin/fleetcc` beside `bin/fleetcc-cli`."""

    kind: str
    bin: Path

    @property
    def path(self) -> Path:
        """The program."""
        return self.bin / "fleetcc"


def write_program(path: Path, text: str) -> Path:
    """An executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def install(kind: str, folder: Path, options: Sequence[str] = ()) -> Launcher:
    """Put a launcher of one kind into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(kind, folder)
    write_program(folder / "fleetcc-cli", FAKE_CLI.format(python=sys.executable))
    if kind == "python":
        write_program(launcher.path, PYTHON_LAUNCHER.format(python=sys.executable, source=str(ROOT / "src")))
    else:
        compile_launcher("gcc", launcher.path, options)
    return launcher


def compile_launcher(compiler: str, target: Path, options: Sequence[str] = ()) -> None:
    """Compile without a single warning."""
    version = f'-DFLEETCC_VERSION="{__version__}"'
    command = [compiler, *STRICT, "-O1", version, *options, *map(str, SOURCES), "-o", str(target)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="session")
def launcher_binary(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """The C launcher, compiled once for all xdist workers."""
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    folder = (shared or tmp_path_factory.getbasetemp()) / "launcher-c"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Launcher("c", folder) if (folder / "fleetcc").exists() else install("c", folder)


def is_alive(pid: int) -> bool:
    """Is the process there and not a zombie?"""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def mode_of(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def stop_agents(tmp_path: Path) -> Iterator[None]:
    """Ends agents that launchers started in `tmp_path/agent`."""
    yield
    path = tmp_path / "agent" / "socket"
    if path.exists():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.send(REQUEST_HEADER.pack(b"FLC1", 0, ord("C"), 0, 0, 0, 0, 0, 0, 0, 0, 0))


# Says what it was given, and ends with 7.
PROBE = """#!/bin/sh
printf '%s\\n' "$0" "$@" "level $_DISTCC_SAFEGUARD"
exit 7
"""


@dataclass
class World:
    """A user: a home for the agent, a directory to work in, and a PATH."""

    launcher: Launcher
    root: Path

    def __post_init__(self) -> None:
        self.folder = self.root / "agent"
        self.work = self.root / "work"
        self.tools = self.root / "tools"
        self.work.mkdir()
        self.tools.mkdir()
        self.environment = {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "HOME": str(self.root),
            "FLEETCC_DIR": str(self.folder),
            "LC_ALL": "C",
        }
        self.probe = write_program(self.tools / "probe", PROBE)

    def agent(self, script: Callable[[Session], Any] = execute) -> FakeAgent:
        return FakeAgent(self.folder, script)

    def popen(self, *argv: Any, **options: Any) -> subprocess.Popen[bytes]:
        settings: dict[str, Any] = {
            "cwd": self.work,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | options
        environment = self.environment | settings.pop("env", {})
        return subprocess.Popen([self.launcher.path, *argv], env=environment, **settings)

    def run(self, *argv: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        with self.popen(*argv, **options) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def leftovers(self) -> list[str]:
        return sorted(name for name in os.listdir(self.work) if name.startswith(".fleetcc"))


@pytest.fixture(scope="session")
def python_launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    return install("python", tmp_path_factory.mktemp("launcher-python"))


@pytest.fixture(params=["c", "python"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    name = "launcher_binary" if request.param == "c" else "python_launcher"
    return World(request.getfixturevalue(name), tmp_path)
