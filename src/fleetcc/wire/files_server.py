"""The server's end of a replica: what the client may say of it, and what it owes.

Theory of operation. The server names the replica (REPLICA_STATE); what the client says of an older one had
crossed that and is passed over. Updates of the present one follow one another without gaps. Each blob that
was asked for with MISSING is *wanted* until a CONTENTS or a GONE names it; one with any other blob breaks
the protocol, so a client can upload nothing that nobody wants. A CONTENTS is handed on piece by
piece as its BLOBs come, because a blob may be bigger than memory. Updates have a budget of their own.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from fleetcc.errors import ProtocolError
from fleetcc.wire import zstd
from fleetcc.wire.budget import Budget
from fleetcc.wire.files import (
    MAX_DIGESTS,
    MAX_PACK_BYTES,
    Contents,
    Entry,
    FileJob,
    Gone,
    Link,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.files_paths import ROOT, entry_fault, job_fault, path_fault
from fleetcc.wire.fleet import ErrorCode, encode
from fleetcc.wire.fleet_jobs import SCRAP_BYTES, UPLOAD_TIMEOUTS
from fleetcc.wire.fleet_requests import ContentsBegin, ContentsEnd, ContentsPiece, Event, Updated

# Entries of updates: so many at once, enough to say the biggest replica twice, and so many in each second.
ENTRY_BURST: Final = 1_000_000.0
ENTRIES_PER_SECOND: Final = 10_000.0
# Long paths count for more.
_PATH_UNIT: Final = 256


class ServerReplica:
    """What one connection knows of its client's replica."""

    def __init__(self, budget: Budget) -> None:
        self._budget: Final = budget
        self.is_asked_for = False  # HELLO had a secret
        self._replica: bytes | None = None
        self._former: set[bytes] = set()
        self._number = 0
        self._wanted: set[bytes] = set()
        self._under_way: Contents | None = None
        self._left = 0  # bytes of it
        self._since = 0.0
        self._entries = Budget(ENTRY_BURST, ENTRIES_PER_SECOND, "entries of updates")

    # -- to the client

    def state(self, state: ReplicaState) -> bytes:
        """The client's replica is this one from now on."""
        if self._replica is not None:
            self._former.add(self._replica)
        self._replica, self._number = state.replica, state.number
        return encode(0, state)

    def missing(self, digests: Iterable[bytes]) -> bytes:
        """Ask for blobs; those that are on their way already are left out."""
        coming = {digest for digest, _ in self._under_way.blobs} if self._under_way is not None else set()
        known = self._wanted
        new = [digest for digest in dict.fromkeys(digests) if digest not in known and digest not in coming]
        self._wanted.update(new)
        cuts = range(0, len(new), MAX_DIGESTS)
        return b"".join(encode(0, Missing(tuple(new[start : start + MAX_DIGESTS]))) for start in cuts)

    # -- how it stands

    @property
    def owed(self) -> int:
        """Blobs that the client was asked for and has neither sent nor said to be gone."""
        return len(self._wanted) + (len(self._under_way.blobs) if self._under_way is not None else 0)

    def overdue(self, progress: float, now: float, limit_seconds: float) -> str | None:
        """Which blobs should have come long ago; `progress` is when something came last."""
        if self.owed and now - progress >= limit_seconds:
            return f"nothing of {self.owed} blobs came for {limit_seconds:g} s"
        if self._under_way is not None and now - self._since >= UPLOAD_TIMEOUTS * limit_seconds:
            return f"blobs did not come in {UPLOAD_TIMEOUTS * limit_seconds:g} s"
        return None

    def obstacle(self, job: FileJob) -> tuple[ErrorCode, str, str] | None:
        """Why this job cannot be taken, as an ERROR says it; raises ProtocolError for what cannot be."""
        if not self.is_asked_for:
            text = "a job made of files from a client that asked for no replica"
            return ErrorCode.UNSUPPORTED, text, "name a secret in HELLO"
        if self._replica is None:
            return ErrorCode.SANDBOX, "no jobs made of files are taken here", "send preprocessed text"
        if job.replica != self._replica:
            if job.replica not in self._former:
                raise ProtocolError(
                    f"a FileJob in replica {job.replica.hex()}, which this client does not have"
                )
            return ErrorCode.REPLICA_GONE, "the replica is not here any more", "say everything again"
        if job.update > self._number:
            raise ProtocolError(f"a FileJob that needs update {job.update} after update {self._number}")
        fault = job_fault(job)
        return None if fault is None else (ErrorCode.REFUSED, fault, "compile it locally")

    # -- from the client

    def take(self, message: Update | Contents | Gone, now: float) -> Sequence[Event]:
        """What the client says of its replica; raises ProtocolError."""
        if not self.is_asked_for:
            raise ProtocolError(f"{type(message).__name__} from a client that asked for no replica")
        if isinstance(message, Contents):
            return self._take_contents(message, now)
        return self._take_gone(message) if isinstance(message, Gone) else self._take_update(message, now)

    def _take_update(self, update: Update, now: float) -> Sequence[Event]:
        self._budget.spend(now)
        self._entries.spend(now, _cost(update))
        if update.replica != self._replica:
            if update.replica not in self._former:
                raise ProtocolError(f"an Update of replica {update.replica.hex()}, which it does not have")
            return ()
        if update.number != self._number + 1:
            raise ProtocolError(f"update {update.number} after update {self._number}")
        fault = _fault(update)
        if fault is not None:
            raise ProtocolError(f"an Update with {fault}")
        self._number = update.number
        return (Updated(update),)

    def _take_contents(self, contents: Contents, now: float) -> Sequence[Event]:
        if self._under_way is not None:
            raise ProtocolError(f"Contents where {self._left} bytes of others were expected")
        _check_sizes(contents)
        self._answer([digest for digest, _ in contents.blobs])
        if not contents.raw_bytes:
            return ContentsBegin(contents), ContentsEnd(is_whole=True)
        self._under_way, self._left, self._since = contents, contents.raw_bytes, now
        return (ContentsBegin(contents),)

    def take_piece(self, data: bytes, now: float) -> Sequence[Event]:
        """A BLOB of the connection."""
        if self._under_way is None:
            raise ProtocolError("a Blob of the connection where no Contents is on its way")
        if len(data) > self._left:
            raise ProtocolError("Contents have more bytes of Blob than were announced")
        self._left -= len(data)
        if self._left:
            if len(data) < SCRAP_BYTES:
                self._budget.spend(now)
            return (ContentsPiece(data),) if data else ()
        self._under_way = None
        return ContentsPiece(data), ContentsEnd(is_whole=True)

    def _take_gone(self, gone: Gone) -> Sequence[Event]:
        under_way = self._under_way
        if under_way is None or len(under_way.blobs) > 1 or under_way.blobs[0][0] not in gone.digests:
            self._answer(gone.digests)
            return (gone,)
        (given_up, _), self._under_way = under_way.blobs[0], None
        self._answer([digest for digest in gone.digests if digest != given_up])
        return ContentsEnd(is_whole=False), gone

    def _answer(self, digests: Iterable[bytes]) -> None:
        for digest in digests:
            if digest not in self._wanted:
                raise ProtocolError(f"blob {digest.hex()[:16]}, which was not asked for")
            self._wanted.remove(digest)


def _cost(update: Update) -> float:
    cost = 1.0
    for path, entry in update.puts.items():
        cost += 1 + (len(path) + (len(entry.target) if type(entry) is Link else 0)) // _PATH_UNIT
    return cost + sum(1 + len(path) // _PATH_UNIT for path in update.removes)


def _fault(update: Update) -> str | None:
    puts: Iterable[tuple[bytes, Entry]] = update.puts.items()
    for path, entry in puts:
        fault = entry_fault(path, entry)
        if fault is not None:
            return fault
    # A removal of the root empties the replica.
    return next((fault for path in update.removes if path != ROOT and (fault := path_fault(path))), None)


def _check_sizes(contents: Contents) -> None:
    """Before anything is kept: packed bytes are never more than the plain ones, and packs are small."""
    plain = sum(size for _, size in contents.blobs)
    if contents.encoding not in zstd.ENCODINGS:
        raise ProtocolError(
            f"Contents in encoding {contents.encoding!r}; {' and '.join(zstd.ENCODINGS)} are known"
        )
    if len(contents.blobs) > 1 and plain > MAX_PACK_BYTES:
        raise ProtocolError(f"{len(contents.blobs)} blobs of {plain} bytes in one pack of {MAX_PACK_BYTES}")
    raw = contents.raw_bytes
    if raw > plain or (contents.encoding == zstd.RAW and raw != plain) or (plain and not raw):
        raise ProtocolError(f"Contents of {raw} bytes ({contents.encoding}) for {plain} plain ones")
