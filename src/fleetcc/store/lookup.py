"""Which blobs a replica needs, and whom they come from: the store, this machine's own files, or the client.

Each is looked for once, and asked for once until it comes, is gone, or the connection is another one. All
but `find` is called under the replica's lock.
"""

from collections.abc import Collection, Container
from typing import Final, TypeAlias

from fleetcc.store.blobs import BlobStore
from fleetcc.wire.files import File

# Digest to the paths that are to hold it, with the sizes that the client told.
Wanted: TypeAlias = dict[bytes, list[tuple[bytes, int]]]

# One content at many paths: the first ones tell whether this machine has it.
_PLACES: Final = 4


class Lookup:
    """The blobs that one replica looks for."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._wanted: Wanted = {}
        self._asked: Wanted = {}  # the client was asked
        self._answered: set[bytes] = set()  # arrived or gone since `take`

    @property
    def has_work(self) -> bool:
        """Whether something is to be looked for."""
        return bool(self._wanted)

    def want(self, path: bytes, entry: File) -> None:
        """A path needs its blob."""
        if entry.digest not in self._asked:
            places = self._wanted.setdefault(entry.digest, [])
            if len(places) < _PLACES:
                places.append((path, entry.size))

    def take(self) -> Wanted:
        """What to look for now."""
        wanted, self._wanted = self._wanted, {}
        self._answered = set()
        return wanted

    def find(self, wanted: Wanted) -> dict[bytes, int]:
        """Those that are here, with their sizes (disk)."""
        found: dict[bytes, int] = {}
        for digest, places in wanted.items():
            for path, size in places:
                if self._blobs.has(digest, size) or self._blobs.adopt(digest, size, path):
                    found[digest] = size
                    break
        return found

    def ask(self, wanted: Wanted, found: Container[bytes]) -> tuple[bytes, ...]:
        """Those that the client is to be asked for, after `find`."""
        missing = {
            digest: places
            for digest, places in wanted.items()
            if digest not in found and digest not in self._answered and digest not in self._asked
        }
        self._asked.update(missing)
        return tuple(missing)

    def ask_again(self) -> None:
        """Whoever was asked is not there any more."""
        self._wanted.update(self._asked)
        self._asked = {}

    def answered(self, digests: Collection[bytes]) -> None:
        """These have arrived, or will not come."""
        self._answered.update(digests)
        for digest in digests:
            self._asked.pop(digest, None)

    def clear(self) -> None:
        """Nothing is needed any more."""
        self._answered.update(self._wanted)
        self._wanted = {}
        self._asked = {}
