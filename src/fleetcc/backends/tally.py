"""What went to one host, by job: its order and updates, and those blobs that no job before it told of.

A header that twenty jobs read goes to the host once, and counts as the first job's. The blobs of a pack are
compressed together; each counts by its share of the pack.
"""

from collections.abc import Iterable

from fleetcc.wire.files import Contents, File, Update


class Tally:
    """Of one connection; jobs by their ids there."""

    def __init__(self) -> None:
        self._sent: dict[int, int] = {}
        self._owners: dict[bytes, int] = {}  # of the blobs that may still be asked for
        self._owned: dict[int, list[bytes]] = {}

    def begin(self, ident: int, count: int, updates: Iterable[Update] = ()) -> None:
        """The job's order was sent, with these updates before it; so many bytes."""
        self._sent[ident] = count
        for update in updates:
            for entry in update.puts.values():
                if isinstance(entry, File) and self._owners.setdefault(entry.digest, ident) == ident:
                    self._owned.setdefault(ident, []).append(entry.digest)

    def sent_blobs(self, contents: Contents, raw_bytes: int) -> None:
        """These blobs went out, in so many bytes."""
        whole = sum(size for _, size in contents.blobs)
        for digest, size in contents.blobs:
            owner = self._owners.get(digest)
            if owner is not None:
                self._sent[owner] += round(raw_bytes * size / whole) if whole else 0

    def end(self, ident: int) -> int:
        """The job is over; what it took, in bytes."""
        for digest in self._owned.pop(ident, ()):
            del self._owners[digest]
        return self._sent.pop(ident, 0)
