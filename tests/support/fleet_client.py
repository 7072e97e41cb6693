"""A scripted client of the fleet protocol: says exactly what a test wants, and keeps what it is told."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from fleetcc.wire import zstd
from fleetcc.wire.files import Contents, FileJob, Gone, Missing, ReplicaState
from fleetcc.wire.fleet import (
    OPENING,
    Blob,
    Cancel,
    Decline,
    Demand,
    Drain,
    Error,
    Frame,
    FrameReader,
    Grant,
    Hello,
    Job,
    Message,
    Output,
    Ping,
    Result,
    Started,
    Welcome,
    encode,
    encode_bulk,
)

ARGV = (b"gcc-99", b"-c", b"x.i", b"-o", b"x.o")
SOURCE = b"int x;\n"
NO_COMPILER = "0" * 64
SECONDS = 30.0


class ClosedError(Exception):
    """The server has closed the connection."""


@dataclass
class Done:
    """How a job ended."""

    result: Result | None = None
    error: Error | None = None
    raw: bytes = b""

    def part(self, name: str) -> bytes:
        """One part of the result, plain; b"" when there is none."""
        assert self.result is not None, self.error
        at = 0
        for part in self.result.parts:
            if part.name == name:
                return zstd.unpack(part.encoding, self.raw[at : at + part.raw_bytes], part.plain_bytes)
            at += part.raw_bytes
        return b""

    @property
    def spoken(self) -> Result:
        """What a compiler has said; there must be one."""
        assert self.result is not None, self.error
        return self.result

    @property
    def status(self) -> int:
        """Of the compiler."""
        return self.spoken.status

    @property
    def refusal(self) -> Error:
        """Why no compiler has spoken; none must have."""
        assert self.error is not None, self.result
        return self.error

    @property
    def code(self) -> str:
        """Of the error."""
        return self.refusal.code


@dataclass
class FleetClient:
    """One connection. Answers pings unless it is told not to."""

    sock: socket.socket
    answers_pings: bool = True
    grants: int = 0  # not yet used
    granted: list[int] = field(default_factory=list)  # the counts of all GRANT frames
    started: list[int] = field(default_factory=list)
    done: dict[int, Done] = field(default_factory=dict)
    welcomes: list[Welcome] = field(default_factory=list)
    drained: list[Drain] = field(default_factory=list)
    errors: list[tuple[int, Error]] = field(default_factory=list)  # that are no job's end
    pings: list[Ping] = field(default_factory=list)
    replicas: list[ReplicaState] = field(default_factory=list)
    missing: dict[bytes, None] = field(default_factory=dict)  # asked for, and not answered yet
    last_id: int = 0
    reader: FrameReader = field(default_factory=FrameReader)
    outputs: dict[int, bytearray] = field(default_factory=dict)
    closed: bool = False

    # -- to the server

    def send(self, data: bytes) -> None:
        """Any bytes."""
        self.sock.sendall(data)

    def say(self, message: Message, job: int = 0) -> None:
        """One message."""
        self.send(encode(job, message))

    def demand(self, most: int, priority: str = "normal") -> None:
        """So many jobs are here."""
        self.say(Demand(most, priority))

    def decline(self, count: int) -> None:
        """Give grants back."""
        self.grants -= count
        self.say(Decline(count))

    def offer(
        self,
        compiler: str,
        argv: Sequence[bytes] = ARGV,
        source: bytes = SOURCE,
        form: str = "expanded",
        **fields: object,
    ) -> int:
        """Send a JOB without its source; its id. `fields` replace what is true."""
        encoding, body = zstd.pack(source)
        told = {
            "kind": "preprocessed", "compiler": compiler, "argv": tuple(argv), "form": form,
            "blob_bytes": len(body), "plain_bytes": len(source), "encoding": encoding, **fields,
        }  # fmt: skip
        self.last_id += 1
        self.grants -= 1
        self.say(Job(**told), self.last_id)  # type: ignore[arg-type]
        return self.last_id

    def upload(self, job: int, source: bytes = SOURCE) -> None:
        """The job's source."""
        self.blobs(job, zstd.pack(source)[1])

    def blobs(self, job: int, data: bytes) -> None:
        """These bytes as they are."""
        for frame in encode_bulk(Blob, job, data):
            self.send(frame)

    def run(self, compiler: str, argv: Sequence[bytes] = ARGV, source: bytes = SOURCE, **rest: object) -> int:
        """Send a whole job; its id."""
        job = self.offer(compiler, argv, source, **rest)  # type: ignore[arg-type]
        self.upload(job, source)
        return job

    def run_files(self, job: FileJob) -> int:
        """Send a job made of files; its id."""
        self.last_id += 1
        self.grants -= 1
        self.say(job, self.last_id)
        return self.last_id

    def contents(self, *blobs: bytes) -> None:
        """Send these blobs as they are, asked for or not."""
        named = tuple((sha256(blob).digest(), len(blob)) for blob in blobs)
        for digest, _ in named:
            self.missing.pop(digest, None)
        raw = b"".join(blobs)
        self.say(Contents(named, len(raw)))
        self.blobs(0, raw)

    def gone(self, *digests: bytes) -> None:
        """These blobs are not here any more."""
        for digest in digests:
            self.missing.pop(digest, None)
        self.say(Gone(digests))

    def cancel(self, job: int) -> None:
        """Nobody waits for it."""
        self.say(Cancel(), job)

    # -- from the server

    def receive(self, timeout: float = SECONDS) -> list[Frame]:
        """What comes next; raises ClosedError, TimeoutError."""
        self.sock.settimeout(timeout)
        try:
            data = self.sock.recv(1 << 20)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            self.closed = True
            raise ClosedError
        frames = self.reader.receive(data)
        for frame in frames:
            self._keep(frame)
        return frames

    def wait_until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        """Read until this is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"still not so: {self}"
            self.receive(left)

    def wait_for_grants(self, count: int = 1) -> None:
        """Until so many grants are unused."""
        self.wait_until(lambda: self.grants >= count)

    def wait_for(self, job: int) -> Done:
        """Until this job has ended."""
        self.wait_until(lambda: job in self.done)
        return self.done[job]

    def wait_closed(self, seconds: float = SECONDS) -> None:
        """Until the server closes."""
        deadline = time.monotonic() + seconds
        while not self.closed:
            try:
                self.receive(max(0.01, deadline - time.monotonic()))
            except ClosedError:
                return

    def barrier(self) -> None:
        """Everything sent so far has been read, and everything that the server said until then is here."""
        token = 1_000_000 + len(self.pings)
        self.say(Ping(token))
        self.wait_until(lambda: any(ping.answer and ping.token == token for ping in self.pings))

    @property
    def welcome(self) -> Welcome:
        """The latest."""
        return self.welcomes[-1]

    @property
    def fatal(self) -> Error:
        """Why the server ended the connection."""
        return next(error for job, error in self.errors if not job)

    def close(self) -> None:
        """Hang up."""
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, frame: Frame) -> None:
        job, message = frame
        match message:
            case Welcome():
                self.welcomes.append(message)
            case Grant():
                self.grants += message.count
                self.granted.append(message.count)
            case Started():
                self.started.append(job)
            case Output():
                self.outputs.setdefault(job, bytearray()).extend(message.data)
            case Result():
                assert job not in self.done, f"two answers to job {job}"
                self.done[job] = Done(result=message, raw=bytes(self.outputs.pop(job, b"")))
            case Error():
                self._keep_error(job, message)
            case Ping():
                self.pings.append(message)
                if not message.answer and self.answers_pings:
                    self.say(Ping(message.token, answer=True))
            case ReplicaState():
                self.replicas.append(message)
            case Missing():
                self.missing.update(dict.fromkeys(message.digests))
            case Drain():
                self.drained.append(message)
            case _:
                raise AssertionError(f"{message} from a server")

    def _keep_error(self, job: int, error: Error) -> None:
        if error.code == "unknown-message":
            self.errors.append((job or -1, error))
        elif job:
            assert job not in self.done, f"two answers to job {job}"
            self.done[job] = Done(error=error)
        else:
            self.errors.append((0, error))


def connect(
    sock: socket.socket,
    agent: str = "agent",
    *,
    capabilities: Sequence[str] = ("zstd",),
    answers_pings: bool = True,
    replica: bytes = b"",
) -> FleetClient:
    """Say HELLO and wait for the WELCOME that knows all compilers."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = FleetClient(sock, answers_pings)
    client.send(OPENING + encode(0, Hello(agent, "test 1", "ann@laptop", tuple(capabilities), replica)))
    client.wait_until(lambda: client.welcomes and not client.welcome.looking)
    return client
