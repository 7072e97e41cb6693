"""A server of the fleet protocol whose every message a test decides, built on the codec alone."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from fleetcc.errors import ProtocolError
from fleetcc.toolchain.identity_cache import IdentityCache
from fleetcc.wire import zstd
from fleetcc.wire.distcc import RequestHead, Response, ResponseReader
from fleetcc.wire.files import Contents, FileJob, Gone, Left, Missing
from fleetcc.wire.fleet import (
    OPENING,
    Blob,
    Cancel,
    Decline,
    Demand,
    Frame,
    FrameReader,
    Grant,
    Hello,
    Job,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Started,
    Welcome,
    encode,
    encode_bulk,
)
from tests.support.listener import LeftError, Listener
from tests.support.scripted_server import honest_answer


@cache
def gcc_identity() -> str:
    """The identity of this machine's gcc, which the real client will ask for."""
    found = IdentityCache(None).find(b"/usr/bin/gcc", {b"PATH": b"/usr/bin:/bin"})
    assert found is not None
    return found.digest


class Session:
    """One client's connection, after its HELLO."""

    def __init__(self, connection: socket.socket, server: "ScriptedFleet") -> None:
        self.connection = connection
        self.server = server
        self.frames: list[Frame] = []
        self._reader = FrameReader()
        self._opened = b""
        while len(self._opened) < len(OPENING):
            self._opened += self._receive(len(OPENING) - len(self._opened))
        if self._opened != OPENING:
            raise LeftError
        hello = self.next(Hello).message
        assert isinstance(hello, Hello)
        self.hello = hello

    def _receive(self, most: int) -> bytes:
        data = self.connection.recv(most)
        if not data:
            raise LeftError
        return data

    def send(self, *messages: Message, job: int = 0) -> None:
        """Messages about one job, or about the connection."""
        self.send_bytes(b"".join(encode(job, message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        """Bytes to the client, who may have gone."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def welcome(self, *, slots: int = 4, compilers: tuple[str, ...] | None = None, **more: Any) -> None:
        """Say what we are; with this machine's gcc unless told otherwise."""
        self.send(
            Welcome(
                program="fleetccd scripted",
                instance=self.server.instance,
                slots=slots,
                compilers=(gcc_identity(),) if compilers is None else compilers,
                capabilities=("preprocessed", "zstd", "expanded", "directives"),
                **more,
            )
        )

    def next(self, *wanted: type[Any]) -> Frame:
        """The next frame of these types; answers pings and passes over the rest. Raises LeftError."""
        while True:
            while self.frames:
                frame = self.frames.pop(0)
                self.server.heard.append(frame)
                if isinstance(frame.message, wanted):
                    return frame
                if isinstance(frame.message, Ping) and not frame.message.answer:
                    self.send(Ping(frame.message.token, answer=True, jobs=tuple(self.server.jobs)))
            self.frames += self._reader.receive(self._receive(1 << 16))

    def grant_one(self) -> tuple[int, Job, bytes]:
        """Wait for a demand, grant one job, and take it: its id, its head and its plain source."""
        while True:
            frame = self.next(Demand)
            assert isinstance(frame.message, Demand)
            if frame.message.most:
                break
        self.send(Grant(1))
        return self.take_job()

    def take_job(self) -> tuple[int, Job, bytes]:
        """A job that was granted: its id, its head and its plain source."""
        number, job = self.next(Job)
        assert isinstance(job, Job)
        self.server.jobs.append(number)
        data = b""
        while len(data) < job.blob_bytes:
            blob = self.next(Blob, Cancel)
            if isinstance(blob.message, Cancel):
                raise LeftError
            assert blob.job == number
            assert isinstance(blob.message, Blob)
            data += blob.message.data
        return number, job, zstd.unpack(job.encoding, data, job.plain_bytes)

    def take_file_job(self) -> tuple[int, FileJob]:
        """A job made of files that was granted: its id and what it says. Updates before it are heard."""
        number, job = self.next(FileJob)
        assert isinstance(job, FileJob)
        self.server.jobs.append(number)
        return number, job

    def blobs(self, *digests: bytes) -> dict[bytes, bytes]:
        """Ask for these blobs and take them, plain; what the client says to be gone is left out."""
        self.send(Missing(digests))
        found: dict[bytes, bytes] = {}
        gone: set[bytes] = set()
        while len(found) + len(gone) < len(digests):
            message = self.next(Contents, Gone).message
            if isinstance(message, Gone):
                gone.update(message.digests)
                continue
            assert isinstance(message, Contents)
            raw = b""
            while len(raw) < message.raw_bytes:
                blob = self.next(Blob).message
                assert isinstance(blob, Blob)
                raw += blob.data
            plain = zstd.unpack(message.encoding, raw, sum(size for _, size in message.blobs))
            for digest, size in message.blobs:
                found[digest], plain = plain[:size], plain[size:]
        return found

    def files_result(self, number: int, status: int, stderr: bytes, files: Mapping[bytes, bytes]) -> None:
        """A whole result of a job made of files, with what it left by path."""
        parts = tuple(Part("file", len(data), len(data)) for data in files.values())
        if stderr:
            parts = (Part("stderr", len(stderr), len(stderr)), *parts)
        left = tuple(Left(path, 0o644) for path in files)
        self.send_bytes(b"".join(encode_bulk(Output, number, b"".join((stderr, *files.values())))))
        self.send(Result(status, parts, run_seconds=0.01, files=left), job=number)
        if number in self.server.jobs:
            self.server.jobs.remove(number)

    def answer(self, number: int, job: Job, source: bytes) -> None:
        """What a true server would answer."""
        head = RequestHead(1, job.argv, len(source))
        (response,) = ResponseReader(1).receive(honest_answer(head, source))[-1:]
        assert isinstance(response, Response)
        self.result(number, response.status, response.stderr_raw, response.output_raw)

    def result(self, number: int, status: int, stderr: bytes, output: bytes) -> None:
        """A whole result."""
        parts = tuple(
            Part(name, len(data), len(data))
            for name, data in (("stderr", stderr), ("object", output))
            if data
        )
        self.send_bytes(b"".join(encode_bulk(Output, number, stderr + output)))
        self.send(Result(status, parts, run_seconds=0.01), job=number)
        if number in self.server.jobs:
            self.server.jobs.remove(number)

    def wait_until_left(self) -> None:
        """Return when the client has closed."""
        with contextlib.suppress(OSError, LeftError, ProtocolError):
            while True:
                self.next(Hello)


Script = Callable[[Session], Any]


def serve_honestly(session: Session) -> None:
    """What a server does, one job at a time."""
    session.welcome()
    while True:
        number, job, source = session.grant_one()
        session.send(Started(), job=number)
        session.answer(number, job, source)


class ScriptedFleet(Listener):
    """Listens on loopback; each connection gets the script. Its errors fail the test."""

    def __init__(self, script: Script, address: str = "127.0.0.1") -> None:
        super().__init__(address)
        self.script = script
        self.instance = f"scripted-{time.monotonic_ns()}"
        self.heard: list[Frame] = []  # everything that clients said
        self.jobs: list[int] = []  # that it has

    def serve(self, connection: socket.socket) -> None:
        """One client of the fleet protocol."""
        self.script(Session(connection, self))

    def said(self, kind: type[Any]) -> list[Any]:
        """Every message of this type that clients have sent."""
        return [frame.message for frame in self.heard if isinstance(frame.message, kind)]

    @property
    def declined(self) -> int:
        """Grants that clients have given back."""
        return sum(message.count for message in self.said(Decline))
