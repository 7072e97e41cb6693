"""The server's end of one fleet connection, sans I/O: what the client may say, and what it is told.

Theory of operation. It begins after OPENING. HELLO comes first; then demands, and jobs for grants. A job
that cannot be taken is answered at once and its BLOBs are passed over; a taken one is *uploading* until
all of its bytes are here. Each gets one final answer, a RESULT or an ERROR with its id, also after
CANCEL. What breaks the protocol is a ProtocolError: the connection is to be ended. Frames that cost the
client nothing (demands, pings, scraps of blobs) count against a budget: a flood of them ends it too.

A replica's updates and contents are the business of `files_server`. `now` is in seconds of any steady clock.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, assert_never

from fleetcc.errors import ProtocolError
from fleetcc.model import Priority
from fleetcc.wire.budget import Budget
from fleetcc.wire.files import (
    MIN_SECRET_BYTES,
    Contents,
    FileJob,
    Gone,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.files_server import ServerReplica
from fleetcc.wire.fleet import (
    Blob,
    Cancel,
    Decline,
    Demand,
    Drain,
    Error,
    ErrorCode,
    Frame,
    FrameReader,
    Grant,
    Hello,
    Job,
    Output,
    Ping,
    Result,
    Started,
    Unknown,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_jobs import Jobs
from fleetcc.wire.fleet_requests import (
    Complaint,
    Declined,
    Demanded,
    Event,
    FilesOffered,
    Offered,
    Opened,
    Pinged,
    Reply,
    obstacle,
)

# An honest HELLO has some hundred bytes.
MAX_HELLO_BYTES: Final = 16 << 10
# Frames that are not jobs: this many at once, and so many in each second.
FRAME_BURST: Final = 10_000.0
FRAMES_PER_SECOND: Final = 2_000.0
_MAX_TEXT: Final = 4000  # fleet.Text allows 4096

_NOT_GRANTED: Final = (ErrorCode.NOT_GRANTED, "a job without a grant", "wait for a grant")
_LEAVING: Final = (ErrorCode.DRAINING, "this server is leaving", "compile it elsewhere")

_PRIORITIES: Final = {priority.slug: priority for priority in Priority}


class FleetServer:
    """One connection's state."""

    def __init__(self, max_source_bytes: int, now: float) -> None:
        self._max_source_bytes = max_source_bytes
        self._opened = now
        self._reader = FrameReader()
        self._early: int | None = 0  # bytes before HELLO; None: it is here
        self._grants: deque[float] = deque()  # when each was given
        self._is_draining = False
        self._progress = 0.0  # when something of an upload has come
        self._token = 0
        self._budget = Budget(FRAME_BURST, FRAMES_PER_SECOND)
        self._jobs = Jobs(self._budget)
        self._replica = ServerReplica(self._budget)

    # -- to the client

    def welcome(self, welcome: Welcome) -> bytes:
        """What this server is."""
        return encode(0, welcome)

    def grant(self, count: int, now: float) -> bytes:
        """It may send so many jobs."""
        self._grants.extend([now] * count)
        return encode(0, Grant(count))

    def started(self, number: int) -> bytes:
        """The job's compiler runs; empty when that interests nobody any more."""
        return encode(number, Started()) if self._jobs.is_wanted(number) else b""

    def result(self, number: int, result: Result, parts: Sequence[bytes]) -> Iterator[bytes]:
        """A compiler has spoken: the frames that say so, each to be sent when there is room.

        Raises InternalError when the result does not fit into a message; the job has no answer then.
        """
        return self._result(number, encode(number, result), parts)

    def _result(self, number: int, end: bytes, parts: Sequence[bytes]) -> Iterator[bytes]:
        for data in parts:
            for frame in encode_bulk(Output, number, data):
                if not self._jobs.is_wanted(number):
                    yield self.failed(number, ErrorCode.CANCELLED, "cancelled")
                    return
                yield frame
        self._jobs.answer(number)
        yield end

    def failed(self, number: int, code: ErrorCode, text: str, remedy: str = "") -> bytes:
        """The job is over and no compiler has spoken; empty when it has been answered."""
        return error_frame(number, code, text, remedy) if self._jobs.answer(number) else b""

    def replica_state(self, state: ReplicaState) -> bytes:
        """The client's replica is this one from now on; for a client whose HELLO named a secret."""
        return self._replica.state(state)

    def missing(self, digests: Iterable[bytes], now: float) -> bytes:
        """Ask for these blobs; empty when all of them have been asked for already."""
        if not self._replica.owed:
            self._progress = now
        return self._replica.missing(digests)

    def ping(self) -> bytes:
        """Is the client there?"""
        self._token = self._token + 1 & 0xFFFF_FFFF
        return encode(0, Ping(self._token, jobs=self._jobs.numbers))

    def pong(self, token: int, clock: float) -> bytes:
        """The answer to a client's ping; `clock`: this machine's, seconds since 1970."""
        return encode(0, Ping(token, answer=True, jobs=self._jobs.numbers, clock=clock))

    def drain(self, why: str) -> bytes:
        """This server is leaving: jobs without a grant are told so."""
        self._is_draining = True
        return encode(0, Drain(why))

    def revoke(self) -> None:
        """Grants that have not been used are void."""
        self._grants.clear()

    # -- how it stands

    @property
    def is_open(self) -> bool:
        """Whether the client has said who it is."""
        return self._early is None

    @property
    def jobs(self) -> int:
        """Jobs without a final answer."""
        return len(self._jobs)

    def overdue(self, now: float, limit_seconds: float) -> str | None:
        """What should have come long ago; None when nothing should."""
        if not self.is_open and now - self._opened >= limit_seconds:
            return f"no Hello came for {limit_seconds:g} s"
        if self._grants and now - self._grants[0] >= limit_seconds:
            return f"a grant was neither used nor declined for {limit_seconds:g} s"
        for what in (self._jobs, self._replica):
            late = what.overdue(self._progress, now, limit_seconds)
            if late is not None:
                return late
        return None

    # -- from the client

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What the client says; raises ProtocolError when that is not allowed."""
        frames = self._reader.receive(data)
        if self._early is not None:
            self._early += len(data)
            if self._early > MAX_HELLO_BYTES and not frames:
                raise ProtocolError(f"no Hello in {self._early} bytes")
        if not frames:
            self._progress = now  # a piece of a frame, which on a slow line is all there is
        events: list[Event] = []
        for frame in frames:
            events += self._take(frame, now)
        return events

    def _take(self, frame: Frame, now: float) -> Sequence[Event]:
        number, message = frame
        if self._early is not None and not isinstance(message, Hello):
            raise ProtocolError(f"{type(message).__name__} where Hello was expected")
        events: Sequence[Event] = ()
        match message:
            case Blob():
                events = self._take_blob(number, message.data, now)
            case Job() | FileJob():
                events = self._take_job(number, message, now)
            case Demand():
                self._budget.spend(now)
                priority = _PRIORITIES.get(message.priority, Priority.NORMAL)
                events = (Demanded(message.most, priority),)
            case Decline():
                events = self._take_decline(message.count, now)
            case Cancel():
                events = self._jobs.cancel(number, now)
            case Ping():
                events = self._take_ping(message, now)
            case Hello():
                events = self._take_hello(message)
            case Error() | Unknown():
                events = self._take_complaint(number, message, now)
            case Update() | Contents() | Gone():
                self._progress = now
                events = self._replica.take(message, now)
            case (
                Welcome() | Grant() | Missing() | ReplicaState() | Started() | Output() | Result() | Drain()
            ):  # fmt: skip
                raise ProtocolError(f"{type(message).__name__}, which only servers send")
            case _:
                assert_never(message)
        return events

    def _take_hello(self, hello: Hello) -> Sequence[Event]:
        if self._early is None:
            raise ProtocolError("a second Hello")
        self._early = None
        if 0 < len(hello.replica) < MIN_SECRET_BYTES:
            raise ProtocolError(f"a replica secret of {len(hello.replica)} bytes, where 16 can be guessed")
        self._replica.is_asked_for = bool(hello.replica)
        return (Opened(hello),)

    def _take_decline(self, count: int, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        if self._is_draining:
            count = min(count, len(self._grants))  # the others were revoked meanwhile
        if count > len(self._grants):
            raise ProtocolError(f"{count} grants declined where {len(self._grants)} are open")
        for _ in range(count):
            self._grants.popleft()
        return (Declined(count),)

    def _take_job(self, number: int, job: Job | FileJob, now: float) -> Sequence[Event]:
        self._jobs.use_id(number)
        self._progress = now
        if not self._grants:
            self._budget.spend(now)
            return (Reply(error_frame(number, *(_LEAVING if self._is_draining else _NOT_GRANTED))),)
        self._grants.popleft()
        if isinstance(job, FileJob):
            refused = self._replica.obstacle(job)
        else:
            refused = obstacle(job, self._max_source_bytes)
        if refused is not None:
            return Declined(1), Reply(error_frame(number, *refused))
        if isinstance(job, FileJob):
            self._jobs.take_files(number, now)
            return (FilesOffered(number, job),)
        return Offered(number, job), *self._jobs.take(number, job.blob_bytes, now)

    def _take_blob(self, number: int, data: bytes, now: float) -> Sequence[Event]:
        if not number or self._jobs.is_wanted(number):
            self._progress = now
        return self._jobs.blob(number, data, now) if number else self._replica.take_piece(data, now)

    def _take_complaint(self, number: int, message: Error | Unknown, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        if isinstance(message, Error):
            return (Complaint(message),)
        text = f"a message of type {message.kind} is not known to this server"
        return (Reply(error_frame(number, ErrorCode.UNKNOWN_MESSAGE, text, "it was passed over")),)

    def _take_ping(self, ping: Ping, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        return () if ping.answer else (Pinged(ping.token),)


def error_frame(number: int, code: ErrorCode, text: str, remedy: str = "") -> bytes:
    """An ERROR; what it quotes of the client may be long, and is cut."""
    return encode(number, Error(code, text[:_MAX_TEXT], remedy[:_MAX_TEXT]))
