"""What an agent or a server tells whoever watches it, and what an agent keeps of each job. docs/events.md is
the reference.

The stream is JSON, one object a line: `hello` with the whole picture first, then what changes. A viewer
ignores events and fields that it does not know; `STREAM_VERSION` changes when it must not.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

STREAM_VERSION: Final = 1

State: TypeAlias = Literal[
    "planning", "scanning", "waiting", "preprocessing", "uploading", "compiling", "verifying", "returning",
    "done", "failed", "cancelled",
]  # fmt: skip
ENDED: Final = frozenset(("done", "failed", "cancelled"))
HostState: TypeAlias = Literal["connecting", "up", "draining", "down", "gone"]

# Bounds: what is beyond them no agent has written, and every reader can reckon with what is within.
Moment = Annotated[float, Meta(ge=0, le=1e11)]  # Unix time
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Slot = Annotated[int, Meta(ge=-1, le=(1 << 31) - 1)]
Status = Annotated[int, Meta(ge=-1, le=0xFFFF_FFFF)]  # as a stock server may say it


class Job(Struct, tag="job", tag_field="event", omit_defaults=True, kw_only=True):
    """A job has come to this state; of the other fields only those that are new. Times are Unix times."""

    job: Count  # the agent's, or the server's, own number
    time: Moment
    state: State
    label: str = ""  # what a person calls it: its source
    directory: str = ""
    build: str = ""  # which build it belongs to
    client: str = ""  # of a server: whose it is
    host: str = ""  # `localhost`: here
    slot: Slot = -1  # of that host, from 0
    mode: Literal["", "files", "text", "pump"] = ""
    reason: str = ""  # model.Reason's name
    detail: str = ""
    predicted: Seconds = 0.0
    files: Count = 0  # that it can read
    sent: Count = 0  # bytes to hosts
    received: Count = 0  # bytes from hosts
    status: Status = -1  # as wait() gives it
    seconds: Seconds = 0.0  # from its arrival to its end
    run_seconds: Seconds = 0.0  # of the compiler, elapsed
    cpu_seconds: Seconds = 0.0  # of the compiler
    peak_bytes: Count = 0  # of its memory


class Host(Struct, tag="host", tag_field="event", omit_defaults=True, kw_only=True):
    """A host is like this now. A server tells of itself alone."""

    host: str
    time: Moment
    state: HostState
    server: str = ""  # the program and version that serves there
    slots: Count = 0
    speed: float = 0.0  # beside others, 1 is ordinary; 0: not known yet
    takes_files: bool = False
    why: str = ""  # it is not up
    pause: Seconds = 0.0  # so long it is left alone


class Local(Struct, tag="local", tag_field="event", omit_defaults=True, kw_only=True):
    """What this machine may run and does. Of a server: its slots, and what limits them."""

    time: Moment
    processors: Count = 0
    slots: Count = 0  # that may run now
    running: Count = 0
    waiting: Count = 0
    load: float = 0.0
    memory_available: Count = 0  # bytes
    limited_by: Literal["", "load", "memory"] = ""
    store_bytes: Count = 0


class Lost(Struct, tag="lost", tag_field="event", kw_only=True):
    """The viewer was too slow: so many events before the next one are missing."""

    count: Count


class Hello(Struct, tag="hello", tag_field="event", omit_defaults=True, kw_only=True):
    """The first line: who tells, and how things are."""

    version: int = STREAM_VERSION
    source: Literal["agent", "server"]
    program: str
    pid: int
    time: Moment
    local: Local
    hosts: tuple[Host, ...] = ()
    jobs: tuple[Job, ...] = ()  # that have not ended, with all that is known of them
    total: Count = 0  # jobs so far
    by_reason: dict[str, int] = {}


Event: TypeAlias = Hello | Job | Host | Local | Lost


# gc=False: nothing in them leads back to them, and readers hold a hundred thousand.
class Phase(Struct, array_like=True, gc=False):
    """A part of a job's life."""

    state: State
    after: Seconds  # from its arrival
    host: str = ""


class Record(Struct, omit_defaults=True, kw_only=True, gc=False):
    """One job that has ended: a line of the journal."""

    agent: str  # which agent, of all that ever wrote this journal
    job: Count
    build: str
    started: Moment
    label: str
    directory: str
    state: State
    phases: tuple[Phase, ...] = ()
    host: str = ""
    slot: Slot = -1
    slots: Count = 0  # that the host had at the job's end; 0: not told
    mode: Literal["", "files", "text", "pump"] = ""
    reason: str = ""
    detail: str = ""
    hosts: tuple[str, ...] = ()  # all that it was given to, in order
    raced: bool = False
    predicted: Seconds = 0.0
    files: Count = 0
    sent: Count = 0
    received: Count = 0
    status: Status = -1
    seconds: Seconds = 0.0
    run_seconds: Seconds = 0.0
    cpu_seconds: Seconds = 0.0
    peak_bytes: Count = 0


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Event)
_RECORDS: Final = msgspec.json.Decoder(Record)


def encode(event: Event | Record) -> bytes:
    """One line, its end included."""
    return _ENCODER.encode(event) + b"\n"


def decode(line: bytes) -> Event:
    """The event of a line; raises msgspec.DecodeError (ValidationError for one that is not known)."""
    try:
        event: Event = _DECODER.decode(line)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
    return event


def decode_record(line: bytes) -> Record:
    """The record of a line of the journal; raises msgspec.DecodeError."""
    try:
        return _RECORDS.decode(line)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
