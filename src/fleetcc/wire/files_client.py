"""The client's end of a replica: what may be said of it, and what the server may ask for.

Theory of operation. The server names the replica (REPLICA_STATE) before anything can be said of it, and
again when it had to give the old one up. Updates follow one another without gaps. What the server asks for
(MISSING) it may ask for once for each file that it was told of; more, and the same again, comes out of the
budget of unasked frames: honest servers do it after a blob was lost, others to have it sent for ever.
Each that it asks for gets one answer, in a CONTENTS or a GONE. One CONTENTS is on its way at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.budget import Budget
from fleetcc.wire.files import (
    FILE_PART,
    MAX_DIGESTS,
    MAX_JOB_PATHS,
    MAX_REPLICA_ENTRIES,
    Contents,
    File,
    FileJob,
    Gone,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.files_paths import is_below, path_fault
from fleetcc.wire.fleet import HEADER, Blob, Result, encode, encode_bulk

# A new replica costs the client everything that it has said: twenty at once, and two in each second.
_STATE_COST: Final = 50.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The server lacks these blobs: each is to be sent, or said to be gone."""

    digests: tuple[bytes, ...]


class ClientReplica:
    """What one connection knows of its replica."""

    def __init__(self, budget: Budget, *, is_wanted: bool) -> None:
        self._budget: Final = budget
        self._is_wanted: Final = is_wanted
        self._replica: bytes | None = None
        self._number = 0
        self._files = 0  # that the server was told of
        self._asked: set[bytes] = set()
        self._owed: set[bytes] = set()  # asked for, and not answered yet
        self._single: dict[bytes, Contents] = {}  # of one blob each, that have frames to come
        self._under_way: Contents | None = None

    # -- to the server

    def update(self, update: Update) -> bytes:
        """The next change."""
        if update.replica != self._replica or update.number != self._number + 1:
            told, known = update.replica.hex(), self._replica.hex() if self._replica is not None else "none"
            raise InternalError(f"update {update.number} of {told} after {self._number} of replica {known}")
        data = encode(0, update)
        self._number = update.number
        self._files += sum(type(entry) is File for entry in update.puts.values())
        return data

    def check_job(self, job: FileJob) -> None:
        """Raises where the job needs an update that was never sent, or names more paths than fit."""
        if self._replica is None or (job.replica == self._replica and job.update > self._number):
            raise InternalError(f"a job that needs update {job.update} where {self._number} were sent")
        for what, paths in (("directories", job.returns), ("outputs", job.existing)):
            if len(paths) > MAX_JOB_PATHS:
                raise InternalError(f"a job with {len(paths)} {what}; the limit is {MAX_JOB_PATHS}")

    def contents(self, contents: Contents, raw: bytes | memoryview) -> Iterator[bytes]:
        """Blobs as frames; none, or no more, when the only one of them is said to be gone meanwhile."""
        digests = [digest for digest, _ in contents.blobs]
        if not self._owed.issuperset(digests):
            raise InternalError("Contents of what was not asked for")
        self._owed.difference_update(digests)
        if len(digests) == 1:
            self._single[digests[0]] = contents
        return self._frames(contents, raw)

    def _frames(self, contents: Contents, raw: bytes | memoryview) -> Iterator[bytes]:
        if self._under_way is not None:
            raise InternalError("one Contents in the middle of another")
        if not self._is_open(contents):
            return
        self._under_way = contents
        left = len(raw)
        if not left:
            self._end(contents)
        yield encode(0, contents)
        for frame in encode_bulk(Blob, 0, raw):
            if self._under_way is not contents:
                return
            left -= len(frame) - HEADER.size
            if not left:
                self._end(contents)
            yield frame

    def _is_open(self, contents: Contents) -> bool:
        return len(contents.blobs) > 1 or self._single.get(contents.blobs[0][0]) is contents

    def _end(self, contents: Contents) -> None:
        self._under_way = None
        if len(contents.blobs) == 1:
            del self._single[contents.blobs[0][0]]

    def gone(self, digests: Iterable[bytes]) -> bytes:
        """These blobs are not here any more; those that the server does not wait for are left out."""
        found: list[bytes] = []
        for digest in dict.fromkeys(digests):
            single = self._single.pop(digest, None)
            if single is not None and single is self._under_way:
                self._under_way = None
            if single is not None or digest in self._owed:
                found.append(digest)
        self._owed.difference_update(found)
        cuts = range(0, len(found), MAX_DIGESTS)
        return b"".join(encode(0, Gone(tuple(found[start : start + MAX_DIGESTS]))) for start in cuts)

    # -- from the server

    def take(self, message: ReplicaState | Missing, now: float) -> ReplicaState | Wanted:
        """What the server says of the replica; raises ProtocolError."""
        if isinstance(message, Missing):
            return self._take_missing(message, now)
        return self._take_state(message, now)

    def _take_state(self, state: ReplicaState, now: float) -> ReplicaState:
        self._budget.spend(now, _STATE_COST)
        if not self._is_wanted:
            raise ProtocolError("ReplicaState where no replica was asked for")
        if self._replica is not None and (state.replica == self._replica or state.number):
            raise ProtocolError("ReplicaState of a replica that is neither the first nor a new one")
        self._replica, self._number = state.replica, state.number
        # What an earlier connection told may be asked for here; of a new replica nothing has been told.
        self._files = MAX_REPLICA_ENTRIES if state.number else 0
        self._asked.clear()
        return state

    def _take_missing(self, missing: Missing, now: float) -> Wanted:
        if self._replica is None:
            raise ProtocolError("Missing before a ReplicaState")
        asked = self._asked
        most = min(self._files, MAX_REPLICA_ENTRIES)
        for digest in missing.digests:
            if digest in asked or len(asked) >= most:
                self._budget.spend(now)
            else:
                asked.add(digest)
        self._owed.update(missing.digests)
        return Wanted(missing.digests)


def check_left(result: Result, returns: tuple[bytes, ...], existing: tuple[bytes, ...]) -> None:
    """Raises ProtocolError where a result would have files written or removed that nobody expects."""
    files = result.files
    count = sum(part.name == FILE_PART for part in result.parts)
    if len(files) != count:
        raise ProtocolError(f"a Result of {len(files)} files with {count} file parts")
    strange = next((path for path in result.removed if path not in existing), None)
    if strange is not None:
        raise ProtocolError(f"a Result with a removal of {strange!r}, which the job did not name")
    seen: set[bytes] = set()
    for left in files:
        fault = path_fault(left.path)
        if fault is not None:
            raise ProtocolError(f"a Result with {fault}")
        if left.path in seen or not is_below(left.path, returns):
            raise ProtocolError(f"a Result with a file {left.path!r} that was not asked for, or twice")
        seen.add(left.path)
    if not seen.isdisjoint(result.removed):
        raise ProtocolError("a Result with a file that it has removed as well")
