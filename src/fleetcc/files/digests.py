"""SHA-256 of files, computed once for each version of a file and kept from one agent to the next.

For use in several threads: one entry is written in one step, and two threads that hash the same file come to
the same digest.
"""

import hashlib
import os
import threading
from collections.abc import Iterable
from typing import Final

from fleetcc.files.digest_table import MAX_ENTRIES, Table, read_table, write_table
from fleetcc.files.stamps import FileStamp, RealStamp, Young, stamp_of, status_of

_CHUNK: Final = 1 << 20


class ChangedError(Exception):
    """A file is not any more what it was when this moment's look at it was taken."""

    def __init__(self, path: bytes) -> None:
        super().__init__(f"{os.fsdecode(path)} changes while it is read")
        self.path = path


class Digests:
    """What is known of contents, by path and version."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[RealStamp, bytes]] = {}
        self._table = Table()
        self._paths: dict[bytes, bytes] = {}  # the last path that was seen to hold a digest
        self._changed = False
        self._saving = threading.Lock()

    def lookup(self, path: bytes, stamp: RealStamp) -> bytes | None:
        """The digest of this version of the file, if it has been computed."""
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        if isinstance(stamp, Young):
            return None
        digest = self._table.lookup(path, stamp)
        if digest is not None:
            self._learn(path, stamp, digest)
        return digest

    def digest(self, path: bytes, stamp: RealStamp) -> bytes:
        """The same, computed where it is not known (blocking); raises ChangedError and OSError."""
        digest = self.lookup(path, stamp)
        if digest is None:
            digest = _hash(path, status_of(stamp))
            self._learn(path, stamp, digest)
            self._changed = True
        return digest

    def compute(self, files: Iterable[tuple[bytes, RealStamp]]) -> None:
        """Compute what is missing (blocking, for a thread); raises ChangedError and OSError."""
        for path, stamp in files:
            self.digest(path, stamp)

    def content(self, digest: bytes) -> bytes | None:
        """The content with this digest, read from a file that had it; None when none has it any more.

        Blocking; the answer is verified.
        """
        for path, size in self._places(digest):
            try:
                with open(path, "rb") as file:
                    content = file.read(size)
            except OSError:
                continue
            if hashlib.sha256(content).digest() == digest:
                return content
        return None

    def load(self, path: str) -> None:
        """Remember what an earlier process knew; a file that cannot be used is an empty one."""
        self._table = read_table(path)

    def save(self, path: str) -> None:
        """Keep for a later process what is not young; nothing when nothing is new. Raises OSError."""
        with self._saving:
            if not self._changed:
                return
            self._changed = False
            known = [(p, s, d) for p, (s, d) in list(self._known.items()) if isinstance(s, FileStamp)]
            known.reverse()  # the newest first: the table's end is cut off
            mine = {p for p, _, _ in known}
            older = ((p, s, d) for p, s, d in self._table.entries() if p not in mine)
            try:
                write_table(path, known, older)
            except OSError:
                self._changed = True
                raise

    def _learn(self, path: bytes, stamp: RealStamp, digest: bytes) -> None:
        if len(self._known) >= 2 * MAX_ENTRIES:
            self._known = dict(list(self._known.items())[MAX_ENTRIES:])
        self._known.pop(path, None)  # so that it comes last
        self._known[path] = (stamp, digest)
        self._paths[digest] = path

    def _places(self, digest: bytes) -> Iterable[tuple[bytes, int]]:
        """Files that were seen to have this content, and its size."""
        last = self._paths.get(digest)
        if last is not None:
            stamp, known = self._known.get(last, (None, b""))
            if stamp is not None and known == digest:
                yield last, status_of(stamp).size
        # It has changed: any other will do. Rare, so it may take a look at all.
        for path, (stamp, known) in list(self._known.items()):
            if known == digest and path != last:
                yield path, status_of(stamp).size


def _hash(path: bytes, expected: FileStamp) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if stamp_of(os.fstat(descriptor)) != expected:
            raise ChangedError(path)
        sha = hashlib.sha256()
        left = expected.size
        while chunk := os.read(descriptor, min(left + 1, _CHUNK)):
            sha.update(chunk)
            left -= len(chunk)
            if left < 0:  # it grows, perhaps without end
                raise ChangedError(path)
        if stamp_of(os.fstat(descriptor)) != expected:
            raise ChangedError(path)
        return sha.digest()
    finally:
        os.close(descriptor)
