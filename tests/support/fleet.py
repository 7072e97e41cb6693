"""A user with a launcher, an agent and hosts of their own: the client's half of an end-to-end test."""

import contextlib
import fcntl
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from fleetcc.agent.client import ask_agent
from tests.interop.sandbox_support import as_user
from tests.support.launcher import ROOT, compile_launcher, is_alive, mode_of, write_program

T = TypeVar("T")

SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
PATIENCE_SECONDS: Final = 20.0
# What an agent may leave in its folder.
FOLDER_FILES: Final = frozenset(
    {"socket", "agent.lock", "lock", "agent.log", "history", "identities", "digests", "jobs.jsonl", "names"}
)
NATIVE_SPECS: Final = re.compile(r"native-[0-9a-f]{16}\.specs")
# What no test provokes without saying so.
_TROUBLE: Final = re.compile(r"^.* (?:ERROR|CRITICAL) .*$|^Traceback.*$", re.MULTILINE)

CLI: Final = """#!{python}
import sys
sys.path.insert(0, {source!r})
from fleetcc.cli.main import main
main()
"""


def eventually(ask: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """The first true answer; fails when none comes. The only place where these tests look again."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.005)
    return answer


@dataclass(frozen=True)
class Result:
    """What one command did."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def spoken(self) -> tuple[int, bytes, bytes]:
        """What its caller sees of it."""
        return self.status, self.stdout, self.stderr


@dataclass
class Client:
    """One user. `run` goes through the launcher, `plain` does not."""

    bin: Path
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    expects_trouble: bool = False  # the agent's log may hold errors
    expects_leftovers: bool = False  # something was killed that could not clear up
    user: int = field(default_factory=os.geteuid)  # who runs the commands

    def __post_init__(self) -> None:
        self.folder = self.root / "agent"
        self.work = self.root / "work"
        self.home = self.root / "home"
        self.temp = self.root / "tmp"
        for folder in (self.work, self.home, self.temp):
            folder.mkdir()
            os.chown(folder, self.user, -1)
        self.environment = {
            "PATH": f"{self.bin}:{SYSTEM_PATH}",
            "HOME": str(self.home),
            "TMPDIR": str(self.temp),
            "FLEETCC_DIR": str(self.folder),
            "LC_ALL": "C",
            "FLEETCC_HOSTS": "",  # so that no hosts file of this machine is read
            **self.environment,
        }

    # -- commands

    @property
    def launcher(self) -> Path:
        """The program `fleetcc`."""
        return self.bin / "fleetcc"

    def popen(
        self, *argv: Any, env: Mapping[str, str] | None = None, **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start a command in the work folder; its streams are pipes."""
        settings: dict[str, Any] = {
            "cwd": self.work,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | options
        if self.user != os.geteuid():
            settings |= {"user": self.user, "group": self.user, "extra_groups": ()}
        variables = self.environment | dict(env or {})
        return subprocess.Popen(argv, env=variables, stdin=subprocess.DEVNULL, **settings)

    @contextlib.contextmanager
    def building(self, *argv: Any, **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
        """A build in a process group of its own, which does not outlive the block."""
        process = self.popen(*argv, process_group=0, **options)
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def plain(self, *argv: Any, **options: Any) -> Result:
        """Run a command to its end."""
        started = time.monotonic()
        with self.popen(*argv, **options) as process:
            out, err = process.communicate(timeout=60)
        return Result(process.returncode, out, err, time.monotonic() - started)

    def run(self, *argv: Any, **options: Any) -> Result:
        """Run `fleetcc ARGV` to its end."""
        return self.plain(self.launcher, *argv, **options)

    def write(self, name: str | bytes, text: str) -> Path:
        """A file in the work folder."""
        path = self.work / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if self.user != os.geteuid():
            for each in (path, *path.parents[: len(path.relative_to(self.work).parts) - 1]):
                os.chown(each, self.user, self.user)
        return path

    def same_as_plain(self, *argv: Any, outputs: Sequence[str | bytes] = (), **options: Any) -> Result:
        """Run through the launcher; assert that all is as after the compiler alone. The launcher's result."""
        before = self.files()
        plain = self.plain(*argv, **options)
        wanted = self._take(outputs)
        assert self.files() == before, "the compiler wrote more than the test knows"
        result = self.run(*argv, **options)
        assert result.spoken == plain.spoken
        assert self._take(outputs) == wanted
        assert self.files() == before
        return result

    def _take(self, outputs: Sequence[str | bytes]) -> dict[str, tuple[bytes, int] | None]:
        """Content and mode of each output, which is removed."""
        taken: dict[str, tuple[bytes, int] | None] = {}
        for name in map(os.fsdecode, outputs):
            path = self.work / name
            taken[name] = (path.read_bytes(), mode_of(path)) if path.exists() else None
            path.unlink(missing_ok=True)
        return taken

    def files(self) -> list[str]:
        """Everything below the work folder."""
        return sorted(str(path.relative_to(self.work)) for path in self.work.rglob("*"))

    # -- the agent

    def status(self) -> dict[str, Any]:
        """The agent's answer to `status`."""
        answer = self._ask("status")
        assert answer is not None, f"no agent; its log:\n{self.log}"
        return answer

    def _ask(self, verb: str) -> dict[str, Any] | None:
        """An agent's folder is its user's alone."""
        ask = partial(ask_agent, str(self.folder), verb)
        return ask() if self.user == os.geteuid() else as_user(self.user, ask)

    def idle_status(self) -> dict[str, Any]:
        """The same once no job is left."""
        return eventually(lambda: None if (status := self.status())["jobs"] else status)

    def last_job(self) -> dict[str, Any]:
        """The job that ended last."""
        job: dict[str, Any] = self.idle_status()["recent"][-1]
        return job

    @property
    def last_reason(self) -> str:
        """Why the last job ran where it ran."""
        return str(self.last_job()["reason"])

    @property
    def agent_pid(self) -> int | None:
        """The process that serves the folder."""
        answer = self._ask("status")
        return int(str(answer["pid"])) if answer is not None else None

    @property
    def log(self) -> str:
        """The agent's log so far."""
        path = self.folder / "agent.log"
        return path.read_text(errors="surrogateescape") if path.exists() else ""

    def stop(self) -> None:
        """Let the agent leave and wait for its end; then nothing may be left of it."""
        pid = self.agent_pid
        if pid is not None:
            self._assert_at_rest(pid)
            self._ask("stop")
            assert wait_for_end(pid), f"the agent did not leave; its log:\n{self.log}"
            assert not (self.folder / "socket").exists()
        self._assert_clean()

    def _assert_at_rest(self, pid: int) -> None:
        status = self.idle_status()
        assert (status["local"]["compiling"], status["local"]["preprocessing"]) == (0, 0)
        assert [host["running"] for host in status["hosts"]] == [0] * len(status["hosts"])
        links = [_link(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
        assert [link for link in links if "memfd:" in link] == []

    def _assert_clean(self) -> None:
        if not self.expects_trouble:
            assert _TROUBLE.findall(self.log) == []
        if self.expects_leftovers:
            return
        assert [name for name in self.files() if ".fleetcc" in name] == []
        assert os.listdir(self.temp) == []
        if self.folder.is_dir():
            found = {name for name in os.listdir(self.folder) if not NATIVE_SPECS.fullmatch(name)}
            assert found <= FOLDER_FILES


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def wait_for_end(pid: int, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        return bool(end.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def agents_of(folder: Path) -> list[int]:
    """Every living agent that was started for this folder."""
    variable = b"FLEETCC_DIR=" + os.fsencode(folder)
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            if b"agent" in command and b"run" in command and is_alive(int(name)):
                environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
                found += [int(name)] if variable in environment else []
    return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this tree's launcher and CLI, made once for all xdist workers."""
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    folder = (shared or tmp_path_factory.getbasetemp()) / "installed"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "fleetcc").exists():
            write_program(folder / "fleetcc-cli", CLI.format(python=sys.executable, source=str(ROOT / "src")))
            compile_launcher("gcc", folder / "launcher")
            os.rename(folder / "launcher", folder / "fleetcc")
    return folder


@pytest.fixture
def client(installed: Path, tmp_path: Path) -> Iterator[Client]:
    """A user whose agent ends with the test."""
    user = Client(installed, tmp_path)
    try:
        yield user
        user.stop()
    finally:
        for pid in agents_of(user.folder):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 64 KB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def write_project(client: Client, count: int, command: str = "gcc -O1") -> list[str]:
    """A Makefile and that many small sources; the names of the objects."""
    objects = [f"unit{number}.o" for number in range(count)]
    for number in range(count):
        client.write(f"unit{number}.c", f"int f{number}(int x) {{ return x * {number + 3}; }}\n")
    client.write(
        "Makefile",
        f"CC = {command}\nall: {' '.join(objects)}\n%.o: %.c\n\t$(CC) -c $< -o $@\n",
    )
    return objects


def objects_made_by(client: Client, *command: str, objects: Sequence[str]) -> dict[str, bytes]:
    """Run a build that must succeed and take its objects away."""
    done = client.plain(*command)
    assert done.status == 0, (shlex.join(command), done)
    made = {name: (client.work / name).read_bytes() for name in objects}
    for name in objects:
        (client.work / name).unlink()
    return made
