"""Fleet protocol 1: frames and messages, the same for both ends (docs/protocol.md). Knows no sockets.

A client opens with OPENING, which no distccd takes for a request, and then both ends send frames:

    u32 length of the body, u8 type, u32 job id (0: the connection), body; numbers in network order

Bodies are MessagePack maps of the structs below; fields that a reader does not know are passed over, and
those that it misses have defaults, so either end may be newer. BLOB and OUTPUT carry bulk bytes as they are.
A length is compared with its limit when its header is read. What a peer may say when is the business of
`fleet_client` and `fleet_server`.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.files import (
    MAX_JOB_PATHS,
    Contents,
    FileJob,
    Gone,
    Left,
    Missing,
    Path,
    ReplicaState,
    Update,
)
from fleetcc.wire.fleet_errors import ErrorCode as ErrorCode  # noqa: PLC0414 - a name of this module

# Twelve bytes and more, so that a stock distccd closes at once (distcc-compat.md 1.7).
OPENING: Final = b"FLEETCC/1 FRAMES\r\n"

HEADER: Final = struct.Struct(">IBI")

# No message is longer; bulk travels in pieces, so that a small message never waits long behind a big one.
MAX_BODY_BYTES: Final = 1 << 20
BULK_BYTES: Final = 128 << 10
# Of one ping; who measures with more sends several of them.
MAX_PADDING_BYTES: Final = 256 << 10
# What one job may bring or leave, packed or plain; the largest preprocessed sources have some 100 MB.
MAX_JOB_BYTES: Final = 1 << 30
# Grants and demands beyond this are no machine's.
MAX_COUNT: Final = 10_000

Count: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_JOB_BYTES)]
Text: TypeAlias = Annotated[str, Meta(max_length=4096)]
Word: TypeAlias = Annotated[str, Meta(max_length=128)]
Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
# Whoever learns from a duration must not get NaN, an infinity or less than nothing; 30 years are enough.
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
# Seconds since 1970.
Clock: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]


class Hello(Struct, frozen=True):
    """The client's first message."""

    agent: Word  # random, the same for all connections of one agent
    program: Word  # "fleetcc 0.1.0"
    user: Word = ""  # for people: "ann@laptop"
    capabilities: tuple[Word, ...] = ()
    replica: Annotated[bytes, Meta(max_length=64)] = b""  # the agent's secret, 16 bytes and more; b"": none


class Welcome(Struct, frozen=True):
    """The server's first message; sent again when what it says has changed."""

    program: Word  # "fleetccd 0.1.0"
    instance: Word  # random, one for each state directory's server process
    slots: Count
    compilers: tuple[Digest, ...] = ()  # identities that it can run
    looking: bool = False  # it is still finding out which compilers it has; another WELCOME follows
    capabilities: tuple[Word, ...] = ()
    ping_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10.0  # a peer that is silent for longer is gone
    name: Word = ""  # for people: the host's own name
    sandbox: Text = ""  # why it takes no jobs made of files; empty when it does
    machine: Word = ""  # whose programs it runs: "x86_64"; a client sends programs of its own with its files


class Demand(Struct, frozen=True):
    """I have so many jobs that you could do; replaces the previous demand. 0 withdraws it."""

    most: Count
    priority: Word = "normal"  # a name of model.Priority; unknown names count as normal


class Grant(Struct, frozen=True):
    """Send me so many jobs now."""

    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)]


class Decline(Struct, frozen=True):
    """I will not use so many of your grants."""

    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)]


class Job(Struct, frozen=True):
    """One compile of a text; uses up one grant. Its source follows in BLOB frames.

    `kind` leaves room for other texts; jobs made of files are a message of their own.
    """

    kind: Word  # "preprocessed"
    compiler: Digest
    argv: tuple[bytes, ...]  # as in a distcc request, without a form mark; argv[0] is a bare name
    form: Word  # model.Form's value
    blob_bytes: Size  # what follows in BLOB frames
    plain_bytes: Size  # and what that is unpacked
    encoding: Word = "raw"  # or "zstd"


class Started(Struct, frozen=True):
    """The job's compiler has a slot and runs."""


class Part(Struct, frozen=True):
    """One piece of a result, in the order in which OUTPUT brought them."""

    name: Word  # "stdout", "stderr", "object"; "file" for each of a result's `files`
    raw_bytes: Size  # as it came
    plain_bytes: Size
    encoding: Word = "raw"


class Result(Struct, frozen=True):
    """A compiler has spoken; the job is over. OUTPUT frames before it brought the parts."""

    status: Annotated[int, Meta(ge=0, le=0xFFFF)]  # as wait() gives it
    parts: Annotated[tuple[Part, ...], Meta(max_length=1000)] = ()
    run_seconds: Seconds = 0.0
    cpu_seconds: Seconds = 0.0
    peak_bytes: Annotated[int, Meta(ge=0)] = 0
    # What a job made of files has left; the parts named "file" are the contents, in this order.
    files: Annotated[tuple[Left, ...], Meta(max_length=1000)] = ()
    removed: Annotated[tuple[Path, ...], Meta(max_length=MAX_JOB_PATHS)] = ()  # of the job's `existing`


class Cancel(Struct, frozen=True):
    """Nobody waits for this job any more. Answered by ERROR cancelled, or by a RESULT that crossed it."""


class Ping(Struct, frozen=True, omit_defaults=True):
    """Are you there? The answer has `answer` set, the same token, and the jobs that the sender has.

    A doctor's pings are padded, so that what a line carries can be measured; nobody looks at the padding.
    """

    token: Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)] = 0
    answer: bool = False
    jobs: tuple[int, ...] = ()
    padding: Annotated[bytes, Meta(max_length=MAX_PADDING_BYTES)] = b""
    clock: Clock = 0.0  # of who answers; 0: not told


class Drain(Struct, frozen=True):
    """I am leaving: no more grants; jobs that I have will be answered."""

    why: Text = ""


class Error(Struct, frozen=True):
    """With a job id: that job is over and no compiler has spoken. Without: the connection is."""

    code: Word
    text: Text
    remedy: Text = ""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


class Blob(Struct, frozen=True):
    """A piece of a job's source, or of the connection's CONTENTS."""

    data: bytes


class Output(Struct, frozen=True):
    """A piece of a job's result."""

    data: bytes


class Unknown(Struct, frozen=True):
    """A message of a type that is not known here; to be answered with ERROR unknown-message."""

    kind: int


Message: TypeAlias = (
    Hello | Welcome | Demand | Grant | Decline | Job | Missing | Blob | Started | Output | Result | Cancel
    | Ping | Drain | Error | Update | ReplicaState | FileJob | Contents | Gone | Unknown
)  # fmt: skip

_TYPES: Final[Mapping[int, type[Any]]] = {
    1: Hello, 2: Welcome, 3: Demand, 4: Grant, 5: Decline, 6: Job, 7: Missing, 8: Blob, 9: Started,
    10: Output, 11: Result, 12: Cancel, 13: Ping, 14: Drain, 15: Error, 16: Update,
    17: ReplicaState, 18: FileJob, 19: Contents, 20: Gone,
}  # fmt: skip
_NUMBERS: Final = {cls: number for number, cls in _TYPES.items()}
_BULK: Final = (_NUMBERS[Blob], _NUMBERS[Output])
_DECODERS: Final = {
    number: msgspec.msgpack.Decoder(cls) for number, cls in _TYPES.items() if number not in _BULK
}
_ENCODER: Final = msgspec.msgpack.Encoder()


class Frame(NamedTuple):
    """One message and what it is about."""

    job: int  # 0: the connection
    message: Message


def encode(job: int, message: Message) -> bytes:
    """One small message as a frame."""
    body = _ENCODER.encode(message)
    if len(body) > MAX_BODY_BYTES:
        raise InternalError(f"a {type(message).__name__} of {len(body)} bytes; the limit is {MAX_BODY_BYTES}")
    return HEADER.pack(len(body), _NUMBERS[type(message)], job) + body


def encode_bulk(cls: type[Blob] | type[Output], job: int, data: bytes | memoryview) -> Iterator[bytes]:
    """Bulk bytes as frames, each at most BULK_BYTES long; nothing for no bytes."""
    number, view = _NUMBERS[cls], memoryview(data)
    for start in range(0, len(view), BULK_BYTES):
        piece = view[start : start + BULK_BYTES]
        yield HEADER.pack(len(piece), number, job) + piece


class FrameReader:
    """Bytes in, frames out, however the bytes are cut. After an error it stays failed."""

    __slots__ = ("_error", "_held", "_wanted")

    def __init__(self) -> None:
        self._held = bytearray()  # the beginning of a frame
        self._wanted = HEADER.size  # how long that must be before it is worth looking at
        self._error: str | None = None

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete; raises ProtocolError."""
        if self._error is not None:
            raise ProtocolError(self._error)
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
        frames: list[Frame] = []
        try:
            self._held = bytearray(data[self._parse(data, frames) :])
        except ProtocolError as error:
            self._error, self._held = str(error), bytearray()
            raise
        return frames

    def _parse(self, data: bytes, frames: list[Frame]) -> int:
        """Appends the whole frames; answers where the rest begins."""
        at, end = 0, len(data)
        while True:
            self._wanted = HEADER.size
            if end - at < HEADER.size:
                return at
            length, kind, job = HEADER.unpack_from(data, at)
            _check_length(length, kind)
            self._wanted += length
            if end - at < self._wanted:
                return at
            start, at = at + HEADER.size, at + self._wanted
            frames.append(Frame(job, _decode(kind, data[start:at])))


def _check_length(length: int, kind: int) -> None:
    limit = BULK_BYTES if kind in _BULK else MAX_BODY_BYTES
    if length > limit:
        raise ProtocolError(f"a frame of type {kind} with {length} bytes; the limit is {limit}")


def _decode(kind: int, body: bytes) -> Message:
    if kind in _BULK:
        return Blob(body) if kind == _NUMBERS[Blob] else Output(body)
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return Unknown(kind)
    try:
        message: Message = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a {_TYPES[kind].__name__} message that cannot be read: {error}") from None
    return message
