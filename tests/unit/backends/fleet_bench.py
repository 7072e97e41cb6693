"""One fleet link for tests, with a transport that keeps what is written and a server that is the codec."""

import asyncio
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from fleetcc.backends.fleet import FleetLink
from fleetcc.backends.link import Order, OurSide
from fleetcc.backends.picture import Picture
from fleetcc.model import Form
from fleetcc.wire.fleet import (
    OPENING,
    FrameReader,
    Hello,
    Message,
    Output,
    Part,
    Result,
    Welcome,
    encode,
    encode_bulk,
)
from tests.support.link_events import LinkEvents

HELLO = Hello("a-1", "fleetcc 9")
IDENTITY = "0" * 64
WELCOME = Welcome(
    "fleetccd 9",
    "i-1",
    4,
    (IDENTITY,),
    capabilities=("preprocessed", "expanded", "directives", "zstd", "new"),
)
ARGV = (b"cc", b"-c", b"x.i", b"-o", b"x.o")


def order(body: bytes = b"int x;\n", **fields: Any) -> Order:
    told: dict[str, Any] = {"identity": IDENTITY, "encoding": "raw", "plain_bytes": len(body)} | fields
    return Order(argv=ARGV, form=Form.EXPANDED, body=body, **told)


class Transport(asyncio.Transport):
    """Takes bytes without limit, and says that it is full from `high` on until it is emptied."""

    def __init__(self, link: FleetLink) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False
        self._link = link
        self._held = 0
        self._high = 1 << 30

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        assert low is None
        self._high = high

    def write(self, data: Any) -> None:
        assert not self.aborted
        was_full = self._held > self._high
        self.written += data
        self._held += len(data)
        if self._held > self._high and not was_full:
            self._link.pause_writing()

    def empty(self) -> None:
        """The other side has taken everything."""
        was_full, self._held = self._held > self._high, 0
        if was_full:
            self._link.resume_writing()

    def abort(self) -> None:
        self.aborted = True


class HeldExecutor(Executor):
    """Runs what it was given when the test says so."""

    def __init__(self) -> None:
        self._held: list[tuple[Future[Any], Any]] = []

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._held.append((future, lambda: function(*arguments)))
        return future

    @property
    def held(self) -> int:
        return len(self._held)

    def run(self) -> None:
        for future, call in self._held:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - as a real executor does
                    future.set_exception(error)
        self._held.clear()


class Bench:
    """One link with everything around it."""

    def __init__(
        self,
        io_seconds: float = 60.0,
        executor: Executor | None = None,
        hello: Hello = HELLO,
        picture: Picture | None = None,
    ) -> None:
        self.events = LinkEvents()
        self.executor = executor or HeldExecutor()
        self.blobs: dict[bytes, bytes] = {}  # that this machine still has
        self.picture = picture or Picture()
        self._hello = hello
        ours = OurSide(hello, self.executor, self.blobs.get)
        self.link = FleetLink("red:1", "red", ours, self.picture, self.events, io_seconds)
        self.transport = Transport(self.link)
        self._reader = FrameReader()
        self._read = 0

    def connect(self) -> None:
        self.link.connection_made(self.transport)
        assert self.transport.written.startswith(OPENING)
        self._read = len(OPENING)
        assert self.said() == [(0, self._hello)]

    def say(self, *messages: Message, job: int = 0) -> None:
        """The server says this in one piece."""
        self.link.data_received(b"".join(encode(job, message) for message in messages))

    def result(self, job: int, status: int = 0, **parts: bytes) -> None:
        """The server brings a whole result."""
        told = tuple(Part(name, len(data), len(data)) for name, data in parts.items())
        self.link.data_received(b"".join(encode_bulk(Output, job, b"".join(parts.values()))))
        self.say(Result(status, told, run_seconds=0.5), job=job)

    def said(self) -> list[tuple[int, Message]]:
        """What the link has said since the last look."""
        data = self.transport.written[self._read :]
        self._read = len(self.transport.written)
        return [tuple(frame) for frame in self._reader.receive(data)]  # type: ignore[misc]


@pytest.fixture
async def fresh() -> Any:
    bench = Bench()
    bench.connect()
    yield bench
    bench.link.close()


@pytest.fixture
async def bench(fresh: Bench) -> Bench:
    """Connected, and welcomed; nothing else was told or said."""
    fresh.say(WELCOME)
    fresh.events.told.clear()
    return fresh
