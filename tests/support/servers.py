"""Real fleetccd processes on loopback, and compilers whose behaviour a test decides."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleetcc.toolchain.identity import compute_identity
from fleetcc.wire.distcc import Response, ResponseReader, encode_request, pack_body
from fleetcc.wire.greeting import GREETING, Welcome, parse_welcome

FLEETCCD = (sys.executable, "-m", "fleetcc.cli.server")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
START_SECONDS = 20.0
BIND_FAILED = 102


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Fleetccd:
    """One running server."""

    process: "subprocess.Popen[bytes]"
    port: int
    state_dir: Path
    temp_dir: Path
    log_file: Path

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.log_file.read_text()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from this loopback address."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))

    def welcome(self) -> Welcome:
        """What it says of itself."""
        return self.welcome_from("127.0.0.1")

    def welcome_from(self, source: str) -> Welcome:
        """What it says of itself to this address."""
        with self.connect(source) as sock:
            sock.sendall(GREETING)
            return parse_welcome(read_to_end(sock))

    def wait_until(self, condition: Callable[[Welcome], bool]) -> Welcome:
        """Ask it again and again until what it says is so."""
        deadline = time.monotonic() + START_SECONDS
        while not condition(welcome := self.welcome()):
            assert time.monotonic() < deadline, f"still {welcome}\n{self.log}"
        return welcome

    def wait_until_idle(self) -> None:
        """Wait until it runs nothing and nothing waits."""
        self.wait_until(lambda welcome: welcome.running == welcome.waiting == 0)

    def wait_for_log(self, text: str) -> None:
        """Wait until it has logged this."""
        self.wait_for_log_count(text, 1)

    def wait_for_log_count(self, text: str, count: int) -> None:
        """Wait until it has logged this so many times."""
        deadline = time.monotonic() + START_SECONDS
        while self.log.count(text) < count:
            assert time.monotonic() < deadline, f"{text!r} is not in\n{self.log}"
            os.sched_yield()

    def running_compilers(self) -> list[int]:
        """The processes that it has started and that still live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in children.split()]

    def files(self) -> list[str]:
        """The files in its temporary directory, beside its own lock."""
        return [
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.temp_dir)
            for name in names
            if name != "owner"
        ]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


def start_fleetccd(
    directory: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    state_dir: Path | None = None,
    user: int = 0,
) -> Fleetccd:
    """Start a daemon on a free loopback port and wait until it is ready. Root's becomes `user`."""
    for _ in range(5):
        server = _launch(directory, options, environment or {}, state_dir, user)
        if server is not None:
            return server
    raise AssertionError("no free port for fleetccd")


def _launch(
    directory: Path,
    options: Sequence[str],
    environment: Mapping[str, str],
    state_dir: Path | None,
    user: int,
) -> Fleetccd | None:
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server_tmp, log_file = directory / "tmp", directory / "fleetccd.log"
    server_tmp.mkdir(exist_ok=True)
    if user and os.geteuid() == 0:
        os.chown(server_tmp, user, -1)
    states = state_dir or directory / "state"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as readiness:
        readiness.bind("")  # the kernel chooses an abstract name
        readiness.settimeout(START_SECONDS)
        name = readiness.getsockname().decode()
        with open(log_file, "ab") as log:
            process = subprocess.Popen(
                [*FLEETCCD, *base_options(states, user), *_listening(port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=server_environment(server_tmp, {"NOTIFY_SOCKET": "@" + name[1:], **environment}),
            )
        server = Fleetccd(process, port, states, server_tmp, log_file)
        if _is_ready(readiness, process):
            return server
    status = server.stop(signal.SIGKILL)
    if status == BIND_FAILED:
        return None
    raise AssertionError(f"fleetccd did not start: status {status}\n{server.log}")


def base_options(state_dir: Path, user: int = 0) -> list[str]:
    """What every server of a test is started with: alone with its own load, and as the test's user."""
    return [
        "--no-detach", "--log-stderr", "--log-level", "debug", "--user", str(user or "root"),
        "--load-limit", "0", "--memory-reserve", "0", "--state-dir", str(state_dir),
    ]  # fmt: skip


def _listening(port: int) -> list[str]:
    return ["--listen", "127.0.0.1", "--port", str(port)]


def server_environment(temp_dir: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a test's server."""
    return {
        "PATH": SYSTEM_PATH,
        "TMPDIR": str(temp_dir),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **extra,
    }


def _is_ready(readiness: socket.socket, process: "subprocess.Popen[bytes]") -> bool:
    # One that failed says so by ending; look in between.
    readiness.settimeout(0.1)
    for _ in range(int(START_SECONDS / 0.1)):
        with contextlib.suppress(TimeoutError):
            return readiness.recv(1000).startswith(b"READY=1")
        if process.poll() is not None:
            return False
    return False


@dataclass
class InetdClient:
    """A `fleetccd --inetd` process and the test's end of its socket."""

    process: "subprocess.Popen[bytes]"
    socket: socket.socket


def start_inetd(directory: Path, state_dir: Path, *options: str, **environment: str) -> InetdClient:
    """Start `fleetccd --inetd` with a Unix socket as its standard input and output."""
    temp_dir = directory / "tmp"
    temp_dir.mkdir(parents=True, exist_ok=True)
    mine, theirs = socket.socketpair()
    mine.settimeout(30)
    with open(directory / "inetd.log", "ab") as log, theirs:
        process = subprocess.Popen(
            [*FLEETCCD, "--inetd", *base_options(state_dir), *options],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=log,
            env=server_environment(temp_dir, environment),
        )
    return InetdClient(process, mine)


def read_to_end(sock: socket.socket) -> bytes:
    """Everything until the peer closes; a reset is an end too."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return bytes(received)


def request(argv: Sequence[bytes], source: bytes, protocol: int = 1) -> bytes:
    """The bytes of one request."""
    return b"".join(encode_request(protocol, argv, pack_body(protocol, source)))


def is_closed_without_answer(sock: socket.socket) -> bool:
    """Whether the server closes without a byte, which is all that the protocol has for a refusal."""
    return not read_to_end(sock)


def read_response(sock: socket.socket, protocol: int = 1) -> Response:
    """The response; the server must give one."""
    response = ResponseReader(protocol).receive(read_to_end(sock))[-1]
    assert isinstance(response, Response)
    return response


@dataclass
class FakeCompilers:
    """A folder of compilers that are shell scripts, to be put on a server's PATH."""

    directory: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "journal").touch()

    @property
    def path(self) -> str:
        """A PATH with these compilers first."""
        return f"{self.directory}:{SYSTEM_PATH}"

    @property
    def path_alone(self) -> str:
        """A PATH with these compilers and no others, so that servers need not examine those."""
        tools = self.directory / "tools"
        if not tools.exists():
            tools.mkdir()
            for name in ("sh", "sleep", "dd", "cat", "head"):
                (tools / name).symlink_to(f"/bin/{name}")
        return f"{self.directory}:{tools}"

    def identity(self, name: str) -> str:
        """The identity by which a fleet client names the compiler, on a server with `path_alone`."""
        environment = {b"PATH": self.path_alone.encode()}
        identity = compute_identity(os.fsencode(self.directory / name), environment)
        assert identity is not None
        return identity.digest

    @property
    def journal(self) -> list[str]:
        """What compilers wrote into it, one line each."""
        return (self.directory / "journal").read_text().splitlines()

    def wait_for(self, count: int, word: str = "start") -> None:
        """Wait until this many lines begin with the word."""
        deadline = time.monotonic() + START_SECONDS
        while sum(line.split()[0] == word for line in self.journal) < count:
            assert time.monotonic() < deadline, f"{count} of {word!r} expected in {self.journal}"
            os.sched_yield()

    @property
    def most_at_once(self) -> int:
        """How many ran at once at most, by their `start` and `end` lines."""
        most = now = 0
        for line in self.journal:
            now += {"start": 1, "end": -1}.get(line.split()[0], 0)
            most = max(most, now)
        return most

    def add(self, name: str, script: str) -> None:
        """A compiler; its script knows $out, $input and $journal, and `note WORD`."""
        journal = shlex.quote(str(self.directory / "journal"))
        head = (
            "#!/bin/sh\n"
            # What every server asks a compiler when it starts, to know its identity.
            'case "$*" in\n'
            "-v) printf 'Target: x86_64-linux-gnu\\ngcc version 99.0.0 (Fake)\\n' >&2; exit ;;\n"
            '-print-prog-name=*) echo "${1#*=}"; exit ;;\n'
            "*-dM*) echo '#define A 1'; exit ;;\n"
            "esac\n"
            f"journal={journal}\n"
            'note() { echo "$@" >>"$journal"; }\n'
            "out=; input=; previous=\n"
            'for word; do case "$previous" in -o) out="$word";; esac\n'
            'case "$word" in *.i|*.ii) input="$word";; esac; previous="$word"; done\n'
        )
        program = self.directory / name
        program.write_text(head + script)
        program.chmod(0o755)

    def add_blocking(self, name: str) -> "Lock":
        """A compiler that notes `start INPUT`, waits until it is let go, writes an object, notes `end`."""
        lock = Lock(self.directory / f"{name}.lock")
        quoted = shlex.quote(str(lock.path))
        self.add(
            name,
            f'note start "$input"\nread _ <{quoted}\necho object >"$out"\nnote end "$input"\n',
        )
        return lock


class Lock:
    """Holds blocking compilers back: a FIFO from which each reads one line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        # Open for reading and writing: no compiler sees the end, and lines wait for later ones.
        self._fifo = os.open(path, os.O_RDWR)

    def let_go(self, count: int = 1) -> None:
        """Let this many compilers end, running ones and later ones."""
        os.write(self._fifo, b"\n" * count)

    def close(self) -> None:
        """Close the FIFO."""
        os.close(self._fifo)


@contextlib.contextmanager
def stopping(*servers: Fleetccd) -> Iterator[None]:
    """Stop servers at the end, however it comes."""
    try:
        yield
    finally:
        for server in servers:
            server.stop(signal.SIGKILL)
