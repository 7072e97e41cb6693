"""Name services for tests: a scripted one in virtual time, and a real dnsmasq on loopback."""

import asyncio
import contextlib
import selectors
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fleetcc.hosts.standing import Absent, Question, RecordKind, Reply

_Result = TypeVar("_Result")

DNSMASQ = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")


class _Impatient(selectors.DefaultSelector):
    """Never waits: whoever would have to, has the clock moved instead."""

    def __init__(self, moved: Callable[[float], None]) -> None:
        super().__init__()
        self._moved = moved

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for something that nobody will do"
            self._moved(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour of sleep takes no time."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_Impatient(self._move))

    def _move(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def time(self) -> float:
        return self._now


def run_virtually(main: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run to the end in virtual time."""

    async def awaited() -> _Result:
        return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(awaited())


class FakeLookup:
    """Answers what the test has put there, else that there is nothing; remembers what was asked and when."""

    def __init__(self) -> None:
        self.replies: dict[tuple[str, RecordKind], Reply | list[Reply] | None] = {}  # None: never answers
        self.delays: dict[tuple[str, RecordKind], float] = {}
        self.asked: list[tuple[str, RecordKind, float]] = []
        self.otherwise: Reply = Absent("no such name", 30.0)
        self.running = 0

    async def ask(self, question: Question) -> Reply:
        key = (question.name, question.kind)
        self.asked.append((*key, asyncio.get_running_loop().time()))
        self.running += 1
        try:
            await asyncio.sleep(self.delays.get(key, 0.01))
            reply = self.replies.get(key, self.otherwise)
            if reply is None:
                await asyncio.Event().wait()
            if isinstance(reply, list):
                reply = reply.pop(0) if len(reply) > 1 else reply[0]
            assert reply is not None
            return reply
        finally:
            self.running -= 1

    def count(self, name: str, kind: RecordKind) -> int:
        """How often this was asked."""
        return sum((one, of) == (name, kind) for one, of, _ in self.asked)


class Dnsmasq:
    """A name server whose addresses a test changes while it runs."""

    def __init__(self, directory: Path, *options: str) -> None:
        assert DNSMASQ is not None
        self.port = _free_udp_port()
        self.setting = (f"127.0.0.1:{self.port}",)
        self._hosts = directory / "hosts"
        self._hosts.write_text("")
        self._log = directory / "dnsmasq.log"
        self._command = [
            *(DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"),
            *(f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces"),
            *("--no-resolv", "--no-hosts", f"--addn-hosts={self._hosts}", "--local=/example.test/"),
            *("--local-ttl=1", "--log-facility=-"),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def set_hosts(self, **addresses: Sequence[str]) -> None:
        """Make these the names of example.test, and have them read."""
        lines = [
            f"{address} {name}.example.test\n" for name, several in addresses.items() for address in several
        ]
        self._hosts.write_text("".join(lines))
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(query)
                return bool(sock.recv(512))
            except OSError:
                return False


@contextlib.contextmanager
def dnsmasq(directory: Path, *options: str, **addresses: Sequence[str]) -> Iterator[Dnsmasq]:
    """A running name server."""
    server = Dnsmasq(directory, *options)
    server.set_hosts(**addresses)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_udp_port() -> int:
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagram.bind(("127.0.0.1", port))
                return port
