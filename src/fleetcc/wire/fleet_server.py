"""The server's end of one fleet connection, sans I/O: what the client may say, and what it is told.

Theory of operation. It begins after OPENING. HELLO comes first; then demands, and jobs for grants. A job
that cannot be taken is answered at once and its BLOBs are passed over; a taken one is *uploading* until
all of its bytes are here. Each gets one final answer, a RESULT or an ERROR with its id, also after
CANCEL. What breaks the protocol is a ProtocolError: the connection is to be ended. Frames that cost the
client nothing (demands, pings, scraps of blobs) count against a budget: a flood of them ends it too.

Ids of jobs grow, so one number remembers which are used up. `now` is in seconds of any steady clock.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from fleetcc.errors import ProtocolError
from fleetcc.model import Priority
from fleetcc.wire.budget import Budget
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
    Missing,
    Output,
    Ping,
    Result,
    Started,
    Unknown,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_requests import (
    Cancelled,
    Complaint,
    Declined,
    Demanded,
    Event,
    Offered,
    Opened,
    Reply,
    Uploaded,
    obstacle,
)

# An honest HELLO has some hundred bytes.
MAX_HELLO_BYTES: Final = 16 << 10
# Frames that are not jobs: this many at once, and so many in each second.
FRAME_BURST: Final = 10_000.0
FRAMES_PER_SECOND: Final = 2_000.0
# A smaller BLOB that does not end its job is a scrap, and counts as such a frame.
SCRAP_BYTES: Final = 4096
# How long an upload may take in all, in units of the time in which something must come.
UPLOAD_TIMEOUTS: Final = 20
_MAX_TEXT: Final = 4000  # fleet.Text allows 4096

_NOT_GRANTED: Final = (ErrorCode.NOT_GRANTED, "a job without a grant", "wait for a grant")
_LEAVING: Final = (ErrorCode.DRAINING, "this server is leaving", "compile it elsewhere")

_PRIORITIES: Final = {priority.slug: priority for priority in Priority}


@dataclass(slots=True)
class _Job:
    """A job that has no final answer yet."""

    missing: int  # bytes of its source
    since: float
    is_cancelled: bool = False
    pieces: list[bytes] = field(default_factory=list)


class FleetServer:
    """One connection's state."""

    def __init__(self, max_source_bytes: int, now: float) -> None:
        self._max_source_bytes = max_source_bytes
        self._opened = now
        self._reader = FrameReader()
        self._early: int | None = 0  # bytes before HELLO; None: it is here
        self._grants: deque[float] = deque()  # when each was given
        self._jobs: dict[int, _Job] = {}
        self._last_id = 0
        self._is_draining = False
        self._progress = 0.0  # when something of an upload has come
        self._token = 0
        self._budget = Budget(FRAME_BURST, FRAMES_PER_SECOND)

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
        known = self._jobs.get(number)
        return encode(number, Started()) if known is not None and not known.is_cancelled else b""

    def result(self, number: int, result: Result, parts: Sequence[bytes]) -> Iterator[bytes]:
        """A compiler has spoken: the frames that say so, each to be sent when there is room."""
        for data in parts:
            for frame in encode_bulk(Output, number, data):
                if self._jobs[number].is_cancelled:
                    yield self.failed(number, ErrorCode.CANCELLED, "cancelled")
                    return
                yield frame
        del self._jobs[number]
        yield encode(number, result)

    def failed(self, number: int, code: ErrorCode, text: str, remedy: str = "") -> bytes:
        """The job is over and no compiler has spoken; empty when it has been answered."""
        if self._jobs.pop(number, None) is None:
            return b""
        return error_frame(number, code, text, remedy)

    def ping(self) -> bytes:
        """Is the client there?"""
        self._token = self._token + 1 & 0xFFFF_FFFF
        return encode(0, Ping(self._token, jobs=tuple(self._jobs)))

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
        uploads = [job.since for job in self._jobs.values() if job.missing and not job.is_cancelled]
        if uploads and now - self._progress >= limit_seconds:
            return f"no byte of {len(uploads)} unfinished jobs came for {limit_seconds:g} s"
        if uploads and now - min(uploads) >= UPLOAD_TIMEOUTS * limit_seconds:
            return f"a job's source did not come in {UPLOAD_TIMEOUTS * limit_seconds:g} s"
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
            case Job():
                events = self._take_job(number, message, now)
            case Demand():
                self._budget.spend(now)
                priority = _PRIORITIES.get(message.priority, Priority.NORMAL)
                events = (Demanded(message.most, priority),)
            case Decline():
                events = self._take_decline(message.count, now)
            case Cancel():
                events = self._take_cancel(number, now)
            case Ping():
                events = self._take_ping(message, now)
            case Hello():
                events = self._take_hello(message)
            case Error():
                self._budget.spend(now)
                events = (Complaint(message),)
            case Unknown():
                self._budget.spend(now)
                text = f"a message of type {message.kind} is not known to this server"
                events = (Reply(error_frame(number, ErrorCode.UNKNOWN_MESSAGE, text, "it was passed over")),)
            case Welcome() | Grant() | Missing() | Started() | Output() | Result() | Drain():
                raise ProtocolError(f"{type(message).__name__}, which only servers send")
            case _:
                assert_never(message)
        return events

    def _take_hello(self, hello: Hello) -> Sequence[Event]:
        if self._early is None:
            raise ProtocolError("a second Hello")
        self._early = None
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

    def _take_job(self, number: int, job: Job, now: float) -> Sequence[Event]:
        if number <= self._last_id:
            raise ProtocolError(f"job {number} after job {self._last_id}; ids must grow")
        self._last_id = number
        self._progress = now
        if not self._grants:
            self._budget.spend(now)
            return (Reply(error_frame(number, *(_LEAVING if self._is_draining else _NOT_GRANTED))),)
        self._grants.popleft()
        refused = obstacle(job, self._max_source_bytes)
        if refused is not None:
            return Declined(1), Reply(error_frame(number, *refused))
        self._jobs[number] = _Job(job.blob_bytes, now)
        if not job.blob_bytes:
            return Offered(number, job), Uploaded(number, b"")
        return (Offered(number, job),)

    def _take_blob(self, number: int, data: bytes, now: float) -> Sequence[Event]:
        known = self._jobs.get(number)
        if known is None or known.is_cancelled:
            if number > self._last_id:
                raise ProtocolError(f"Blob for job {number}, which there is not")
            if len(data) < SCRAP_BYTES:
                self._budget.spend(now)
            return ()
        if len(data) > known.missing:
            raise ProtocolError(f"job {number} has more bytes of Blob than were announced")
        self._progress = now
        known.missing -= len(data)
        known.pieces.append(data)
        if known.missing:
            if len(data) < SCRAP_BYTES:
                self._budget.spend(now)
            return ()
        pieces, known.pieces = known.pieces, []
        return (Uploaded(number, pieces[0] if len(pieces) == 1 else b"".join(pieces)),)

    def _take_cancel(self, number: int, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        if number > self._last_id or not number:
            raise ProtocolError(f"Cancel for job {number}, which there is not")
        known = self._jobs.get(number)
        if known is None or known.is_cancelled:
            return ()  # it crossed the answer
        known.is_cancelled = True
        known.pieces.clear()
        return (Cancelled(number),)

    def _take_ping(self, ping: Ping, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        if ping.answer:
            return ()
        return (Reply(encode(0, Ping(ping.token, answer=True, jobs=tuple(self._jobs)))),)


def error_frame(number: int, code: ErrorCode, text: str, remedy: str = "") -> bytes:
    """An ERROR; what it quotes of the client may be long, and is cut."""
    return encode(number, Error(code, text[:_MAX_TEXT], remedy[:_MAX_TEXT]))
