"""The client's end of one fleet connection, sans I/O: what may be said, and what was said back.

Theory of operation. After OPENING and HELLO the server's WELCOME comes first. A standing demand lets the
server grant; each JOB uses up a grant and gets exactly one final answer, a RESULT or an ERROR with its id,
also when it was cancelled; until then the id stays known, so that an answer that crossed the CANCEL is no
fault while an answer to anything else is. Frames that the client did not cause (pings, news, unknown types)
are counted against a budget, and grants against what was demanded: a server that floods is left.

Job ids belong to the connection and are never used twice. `now` is in seconds of any steady clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, assert_never

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.budget import Budget
from fleetcc.wire.files import Contents, FileJob, Gone, Missing, ReplicaState, Update
from fleetcc.wire.files_client import ClientReplica, check_left
from fleetcc.wire.fleet import (
    MAX_COUNT,
    MAX_JOB_BYTES,
    OPENING,
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
from fleetcc.wire.fleet_answers import Began, Closing, Event, Failed, Finished, Forgotten, Reply

# Frames that nobody asked for: this many at once, and so many in each second.
_UNSOLICITED_BURST: Final = 1000.0
_UNSOLICITED_PER_SECOND: Final = 100.0
# Smaller pieces of a result are merged: single bytes shall not cost an object each.
_SMALL_PIECE: Final = 4096
_FIRST_ID: Final = 1
_LAST_ID: Final = 0xFFFF_FFFF


@dataclass(slots=True)
class _Outstanding:
    """A job that the server has not answered yet."""

    returns: tuple[bytes, ...] = ()  # where it may leave files
    existing: tuple[bytes, ...] = ()  # what it may remove
    is_cancelled: bool = False
    has_started: bool = False
    received: int = 0
    pieces: list[bytes] = field(default_factory=list)


class FleetClient:
    """One connection's state."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._reader = FrameReader()
        self._welcomed = False
        self._allowed = 0  # grants that the server may still give
        self._jobs: dict[int, _Outstanding] = {}
        self._next_id = _FIRST_ID
        self._pinged: tuple[int, tuple[int, ...]] | None = None  # token, jobs at that time
        self._token = 0
        self.clock = 0.0  # the server's at its last answer to a ping, seconds since 1970; 0: not told
        self._unsolicited = Budget(_UNSOLICITED_BURST, _UNSOLICITED_PER_SECOND)
        self._replica = ClientReplica(self._unsolicited, is_wanted=bool(hello.replica))

    # -- to the server

    def opening(self) -> bytes:
        """The connection's first bytes."""
        return OPENING + encode(0, self._hello)

    def demand(self, most: int, priority: str) -> bytes:
        """So many jobs are there for the server."""
        most = min(most, MAX_COUNT)
        # The server may have granted out of the old demand what has not arrived here yet.
        self._allowed += most
        return encode(0, Demand(most, priority))

    def decline(self, count: int) -> bytes:
        """So many grants are of no use."""
        return encode(0, Decline(count))

    def job(self, job: Job) -> tuple[int, bytes]:
        """Send a job: its id here, and the bytes that its blobs follow; raises where it does not fit."""
        return self._send(job, _Outstanding())

    def file_job(self, job: FileJob) -> tuple[int, bytes]:
        """Send a job made of files, which nothing follows; raises where it does not fit."""
        self._replica.check_job(job)
        return self._send(job, _Outstanding(job.returns, job.existing))

    def _send(self, job: Job | FileJob, outstanding: _Outstanding) -> tuple[int, bytes]:
        number = self._next_id
        if number > _LAST_ID:
            raise ProtocolError("this connection has used up its job ids")
        head = encode(number, job)
        self._next_id += 1
        self._jobs[number] = outstanding
        return number, head

    def blobs(self, number: int, data: bytes) -> Iterator[bytes]:
        """The job's source as frames; stops when the job is over or cancelled."""
        for frame in encode_bulk(Blob, number, data):
            known = self._jobs.get(number)
            if known is None or known.is_cancelled:
                return
            yield frame

    def cancel(self, number: int) -> bytes:
        """Nobody waits for this job; empty when it has been answered already."""
        known = self._jobs.get(number)
        if known is None or known.is_cancelled:
            return b""
        known.is_cancelled = True
        known.pieces.clear()
        return encode(number, Cancel())

    def update(self, update: Update) -> bytes:
        """The next change of the replica, cut to fit (`fleet_updates`); raises InternalError."""
        return self._replica.update(update)

    def contents(self, contents: Contents, raw: bytes | memoryview) -> Iterator[bytes]:
        """Blobs that were asked for, as frames; stops when `gone` names the only one of them.

        Frames about jobs may come between; no other contents may, before the last frame was taken.
        """
        if len(raw) != contents.raw_bytes:
            raise InternalError(f"Contents of {contents.raw_bytes} bytes with {len(raw)}")
        return self._replica.contents(contents, raw)

    def gone(self, digests: Iterable[bytes]) -> bytes:
        """These blobs, which were asked for, are not here any more; empty when none of them is waited for."""
        return self._replica.gone(digests)

    def ping(self, padding: bytes = b"") -> bytes:
        """Ask whether the server is there, and which jobs it has; `padding`: at most MAX_PADDING_BYTES."""
        self._token = self._token + 1 & _LAST_ID
        self._pinged = (self._token, tuple(self._jobs))
        return encode(0, Ping(self._token, padding=padding))

    @property
    def is_ping_answered(self) -> bool:
        """Whether the answer to the last ping is here."""
        return self._pinged is None

    @property
    def outstanding(self) -> int:
        """Jobs that the server owes an answer."""
        return len(self._jobs)

    # -- from the server

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What the server says; raises ProtocolError when that is not allowed."""
        events: list[Event] = []
        for frame in self._reader.receive(data):
            event = self._take(frame, now)
            if event is not None:
                events.append(event)
        return events

    def _take(self, frame: Frame, now: float) -> Event | None:
        number, message = frame
        if not self._welcomed and not isinstance(message, (Welcome, Error)):
            raise ProtocolError(f"{type(message).__name__} where Welcome was expected")
        event: Event | None = None
        match message:
            case Output():
                self._take_output(number, message.data, now)
            case Started():
                event = self._take_started(number)
            case Result():
                event = self._take_result(number, message)
            case Grant():
                event = self._take_grant(message)
            case Error():
                event = self._take_error(number, message, now)
            case Ping():
                event = self._take_ping(message, now)
            case Welcome() | Drain():
                event = self._take_news(message, now)
            case Missing() | ReplicaState():
                event = self._replica.take(message, now)
            case Unknown():
                event = self._take_unknown(number, message, now)
            case (
                Hello() | Demand() | Decline() | Job() | Blob() | Cancel()
                | Update() | FileJob() | Contents() | Gone()
            ):  # fmt: skip
                raise ProtocolError(f"{type(message).__name__}, which only clients send")
            case _:
                assert_never(message)
        return event

    def _take_news(self, message: Welcome | Drain, now: float) -> Welcome | Drain:
        self._unsolicited.spend(now)
        if isinstance(message, Welcome):
            self._welcomed = True
        else:
            self._allowed = 0
        return message

    def _take_unknown(self, number: int, message: Unknown, now: float) -> Reply:
        self._unsolicited.spend(now)
        text = f"a message of type {message.kind} is not known to this client"
        return Reply(encode(number, Error(ErrorCode.UNKNOWN_MESSAGE, text)))

    def _job(self, number: int, what: str) -> _Outstanding:
        known = self._jobs.get(number)
        if known is None:
            raise ProtocolError(f"{what} for job {number}, which it does not have or has answered already")
        return known

    def _take_output(self, number: int, data: bytes, now: float) -> None:
        known = self._job(number, "Output")
        if not data:
            self._unsolicited.spend(now)
        known.received += len(data)
        if known.received > MAX_JOB_BYTES:
            raise ProtocolError(f"more than {MAX_JOB_BYTES} bytes of output for one job")
        if known.is_cancelled:
            return
        if known.pieces and len(known.pieces[-1]) < _SMALL_PIECE and len(data) < _SMALL_PIECE:
            known.pieces[-1] += data
        else:
            known.pieces.append(data)

    def _take_started(self, number: int) -> Began | None:
        known = self._job(number, "Started")
        if known.has_started:
            raise ProtocolError(f"Started twice for job {number}")
        known.has_started = True
        return None if known.is_cancelled else Began(number)

    def _take_result(self, number: int, result: Result) -> Finished | None:
        known = self._job(number, "Result")
        total = sum(part.raw_bytes for part in result.parts)
        if total != known.received:
            raise ProtocolError(f"a Result of {total} bytes after {known.received} bytes of Output")
        check_left(result, known.returns, known.existing)
        del self._jobs[number]
        return None if known.is_cancelled else Finished(number, result, b"".join(known.pieces))

    def _take_grant(self, grant: Grant) -> Grant:
        self._allowed -= grant.count
        if self._allowed < 0:
            raise ProtocolError(f"{-self._allowed} grants more than were demanded")
        return grant

    def _take_error(self, number: int, error: Error, now: float) -> Failed | Closing | None:
        if error.code == ErrorCode.UNKNOWN_MESSAGE:
            self._unsolicited.spend(now)
            return None
        if not number:
            return Closing(error)
        known = self._job(number, "Error")
        del self._jobs[number]
        return None if known.is_cancelled else Failed(number, error)

    def _take_ping(self, ping: Ping, now: float) -> Event | None:
        self._unsolicited.spend(now)
        if not ping.answer:
            return Reply(encode(0, Ping(ping.token, answer=True, jobs=tuple(self._jobs))))
        if self._pinged is None or self._pinged[0] != ping.token:
            return None
        _, jobs = self._pinged
        self._pinged, self.clock = None, ping.clock
        has = frozenset(ping.jobs)
        lost = next((job for job in jobs if job in self._jobs and job not in has), None)
        if lost is None:
            return None
        # One at a time: a server that forgets jobs is asked again soon enough.
        known = self._jobs.pop(lost)
        return None if known.is_cancelled else Forgotten(lost)
