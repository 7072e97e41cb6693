"""Keeps the blobs below their limit: the longest unwanted go first."""

import contextlib
import fcntl
import os
import re
import threading
from dataclasses import dataclass
from typing import Final

# After a trim there is room for a while.
_LOW_WATER: Final = 0.9
# A look is due when so much of the limit was added since the last one.
_DUE_SHARE: Final = 0.05
_FOLDER: Final = re.compile(rb"[0-9a-f]{2}")
_BLOB: Final = re.compile(rb"[0-9a-f]{62}\.([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class _Blob:
    wanted_ns: int
    path: bytes
    bytes: int
    is_linked: bool  # by a tree: its removal would free nothing


class Trimmer:
    """Looks through one store's blobs. For use in several threads."""

    def __init__(self, directory: bytes, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._added_bytes = max_bytes  # nobody has looked yet
        # What the last look found, and what this process did since; other processes may share the folder.
        self.bytes = 0
        self.entries = 0
        self.evicted_bytes = 0
        self.evictions = 0

    @property
    def is_due(self) -> bool:
        """Whether enough was added since the last look."""
        return self._added_bytes >= self._max_bytes * _DUE_SHARE

    def added(self, size: int) -> None:
        """A blob was added."""
        with self._lock:
            self._added_bytes += size
            self.bytes += size
            self.entries += 1

    def trim(self, max_bytes: int | None) -> int:
        """Remove what is over the limit; how many bytes that was."""
        limit = self._max_bytes if max_bytes is None else max_bytes
        lock = os.open(self._directory + b"/trimming", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        else:
            with self._lock:
                self._added_bytes = self.bytes = self.entries = 0
            return self._remove(limit)
        finally:
            os.close(lock)

    def _remove(self, limit: int) -> int:
        blobs = self._look()
        total = sum(blob.bytes for blob in blobs)
        # Blobs that come while it looks may be counted twice, until the next look.
        self._count(total, len(blobs))
        if total <= limit:
            return 0
        removed = 0
        for blob in sorted(blobs, key=lambda blob: blob.wanted_ns):
            if total - removed <= limit * _LOW_WATER:
                break
            if not blob.is_linked:
                with contextlib.suppress(OSError):
                    os.unlink(blob.path)
                    removed += blob.bytes
                    self._count(-blob.bytes, -1)
                    self.evicted_bytes += blob.bytes
                    self.evictions += 1
        return removed

    def _count(self, size: int, entries: int) -> None:
        with self._lock:
            self.bytes += size
            self.entries += entries

    def _look(self) -> list[_Blob]:
        """Every blob; a damaged one is removed now."""
        blobs: list[_Blob] = []
        for folder in os.listdir(self._directory):
            if _FOLDER.fullmatch(folder):
                with (
                    contextlib.suppress(OSError),
                    os.scandir(os.path.join(self._directory, folder)) as entries,
                ):
                    for entry in entries:
                        with contextlib.suppress(OSError):
                            _add(blobs, entry)
        return blobs


def _add(blobs: list[_Blob], entry: "os.DirEntry[bytes]") -> None:
    match = _BLOB.fullmatch(entry.name)
    if match is None:
        return
    status = entry.stat(follow_symlinks=False)
    if status.st_size != int(match[1]):
        os.unlink(entry.path)
        return
    # What it takes on disk: a small file takes a block.
    taken = max(status.st_blocks * 512, status.st_size)
    blobs.append(_Blob(status.st_atime_ns, entry.path, taken, status.st_nlink > 1))
