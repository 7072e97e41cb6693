"""The jobs of a fleet connection on the server: which have no answer yet, and what of their sources is here.

Ids of jobs grow, so one number remembers which are used up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.errors import ProtocolError
from fleetcc.wire.budget import Budget
from fleetcc.wire.fleet_requests import Cancelled, Event, Uploaded

# A smaller BLOB that does not end what it is a piece of is a scrap, and counts as a frame that is no job.
SCRAP_BYTES: Final = 4096
# How long an upload may take in all, in units of the time in which something must come.
UPLOAD_TIMEOUTS: Final = 20


@dataclass(slots=True)
class _Job:
    """A job that has no final answer yet."""

    missing: int  # bytes of its source
    since: float
    is_cancelled: bool = False
    pieces: list[bytes] = field(default_factory=list)


class Jobs:
    """All that are owed an answer."""

    def __init__(self, budget: Budget) -> None:
        self._budget: Final = budget
        self._jobs: dict[int, _Job] = {}
        self.last_id = 0

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Their ids."""
        return tuple(self._jobs)

    def is_wanted(self, number: int) -> bool:
        """Whether somebody waits for its answer."""
        known = self._jobs.get(number)
        return known is not None and not known.is_cancelled

    def use_id(self, number: int) -> None:
        """A job of this id has come, taken or not."""
        if number <= self.last_id:
            raise ProtocolError(f"job {number} after job {self.last_id}; ids must grow")
        self.last_id = number

    def take(self, number: int, blob_bytes: int, now: float) -> Sequence[Event]:
        """It is owed an answer, and so many bytes of its source are on their way."""
        self._jobs[number] = _Job(blob_bytes, now)
        return () if blob_bytes else (Uploaded(number, b""),)

    def take_files(self, number: int, now: float) -> None:
        """It is owed an answer, and nothing follows it."""
        self._jobs[number] = _Job(0, now)

    def answer(self, number: int) -> bool:
        """It gets its final answer; false when it has one, or there is no such job."""
        return self._jobs.pop(number, None) is not None

    def blob(self, number: int, data: bytes, now: float) -> Sequence[Event]:
        """A piece of a source."""
        known = self._jobs.get(number)
        if known is None or known.is_cancelled:
            if number > self.last_id:
                raise ProtocolError(f"Blob for job {number}, which there is not")
            self._count_scrap(data, now)
            return ()
        if len(data) > known.missing:
            raise ProtocolError(f"job {number} has more bytes of Blob than were announced")
        known.missing -= len(data)
        known.pieces.append(data)
        if known.missing:
            self._count_scrap(data, now)
            return ()
        pieces, known.pieces = known.pieces, []
        return (Uploaded(number, pieces[0] if len(pieces) == 1 else b"".join(pieces)),)

    def cancel(self, number: int, now: float) -> Sequence[Event]:
        """Nobody waits for it any more."""
        self._budget.spend(now)
        if number > self.last_id or not number:
            raise ProtocolError(f"Cancel for job {number}, which there is not")
        known = self._jobs.get(number)
        if known is None or known.is_cancelled:
            return ()  # it crossed the answer
        known.is_cancelled = True
        known.pieces.clear()
        return (Cancelled(number),)

    def overdue(self, progress: float, now: float, limit_seconds: float) -> str | None:
        """Which source should have come long ago; `progress` is when something came last."""
        uploads = [job.since for job in self._jobs.values() if job.missing and not job.is_cancelled]
        if uploads and now - progress >= limit_seconds:
            return f"no byte of {len(uploads)} unfinished jobs came for {limit_seconds:g} s"
        if uploads and now - min(uploads) >= UPLOAD_TIMEOUTS * limit_seconds:
            return f"a job's source did not come in {UPLOAD_TIMEOUTS * limit_seconds:g} s"
        return None

    def _count_scrap(self, data: bytes, now: float) -> None:
        if len(data) < SCRAP_BYTES:
            self._budget.spend(now)
