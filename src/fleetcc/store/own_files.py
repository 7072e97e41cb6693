"""The server's own files as a source of blobs: equal systems upload nothing.

A client's digest and size are compared with what this machine has at the same path, and only where everybody
may read it: below system directories, world-readable, every directory on the way open to the world. So a
client learns nothing that it could not ask of any process of this machine, and what it gets it has proved to
know by its digest.

Digests are remembered by stamp, in memory and in a log that all processes append to: records of fixed length
with a check sum, so that a torn one costs itself alone.
"""

import hashlib
import os
import stat
import struct
import threading
import time
import zlib
from collections.abc import Sequence
from typing import Final, TypeAlias

# Device, inode, mtime_ns, ctime_ns, size. A package manager sets mtime back; it cannot set ctime.
Stamp: TypeAlias = tuple[int, int, int, int, int]

PREFIXES: Final = (
    b"/usr", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/bin", b"/sbin", b"/opt",
)  # fmt: skip

# The coarsest clock tick of a Linux file system is 10 ms; a second write within it leaves the same stamp.
_SETTLE_NS: Final = 20_000_000
_RECORD: Final = struct.Struct("<QQqqQ32sI")
# 5 MB. A machine's compilers, headers and libraries are some ten thousand files; beyond this it starts again.
_MAX_RECORDS: Final = 65_536


class OwnFiles:
    """What this machine has itself. For use in several threads; one log may serve several processes."""

    def __init__(self, log: bytes, prefixes: Sequence[bytes] = PREFIXES) -> None:
        self._prefixes = tuple(prefix + b"/" for prefix in prefixes)
        self._digests: dict[Stamp, bytes] = {}
        self._lock = threading.Lock()
        self._log = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._read_to = 0

    def open(self, path: bytes, size: int) -> int | None:
        """A descriptor of the regular file there, if it has that size and anybody may read it."""
        if not path.startswith(self._prefixes):
            return None
        try:
            real = os.path.realpath(path)
            # It is walked without following anything, so no link that changes meanwhile leads elsewhere.
            return _open_public(real, size) if real.startswith(self._prefixes) else None
        except (OSError, ValueError):  # ValueError: a NUL
            return None

    def digest(self, file: int) -> bytes | None:
        """SHA-256 of an open file; None while it changes. Raises OSError."""
        status = os.fstat(file)
        stamp = _stamp(status)
        with self._lock:
            known = self._digests.get(stamp) or self._look_in_log(stamp)
        if known is not None:
            return known
        is_settled = time.time_ns() - status.st_ctime_ns >= _SETTLE_NS
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as reader:
            found = hashlib.file_digest(reader, "sha256").digest()
        if _stamp(os.fstat(file)) != stamp:
            return None
        if is_settled:
            with self._lock:
                self._remember(stamp, found)
        return found

    def close(self) -> None:
        """Close the log."""
        os.close(self._log)

    def _look_in_log(self, stamp: Stamp) -> bytes | None:
        """Take over what other processes have found since."""
        length = os.fstat(self._log).st_size
        if length < self._read_to:  # somebody started again
            self._read_to = 0
        if length > self._read_to:
            data = os.pread(self._log, length - self._read_to, self._read_to)
            self._read_to += self._parse(data)
        return self._digests.get(stamp)

    def _parse(self, data: bytes) -> int:
        """Take the records over; how many bytes were used up."""
        position = 0
        while position + _RECORD.size <= len(data):
            record = data[position : position + _RECORD.size]
            *stamp, digest, check = _RECORD.unpack(record)
            if zlib.crc32(record[:-4]) == check:
                device, inode, mtime_ns, ctime_ns, size = stamp
                self._digests[device, inode, mtime_ns, ctime_ns, size] = digest
                position += _RECORD.size
            else:
                position += 1  # a torn record: look for the next whole one
        return position

    def _remember(self, stamp: Stamp, digest: bytes) -> None:
        if len(self._digests) >= _MAX_RECORDS or self._read_to >= _MAX_RECORDS * _RECORD.size:
            self._digests.clear()
            os.ftruncate(self._log, 0)
        self._digests[stamp] = digest
        record = _RECORD.pack(*stamp, digest, 0)[:-4]
        try:
            os.write(self._log, record + struct.pack("<I", zlib.crc32(record)))
        except OSError:
            return  # a full disk: the next process reads the file once more


def _open_public(real: bytes, size: int) -> int | None:
    names = real[1:].split(b"/")
    directory = os.open(b"/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = inner
            if not os.fstat(directory).st_mode & stat.S_IXOTH:
                return None
        # Looked at before it is opened: opening a device can do something.
        if not _is_offered(os.stat(names[-1], dir_fd=directory, follow_symlinks=False), size):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(names[-1], flags, dir_fd=directory)
    finally:
        os.close(directory)
    if _is_offered(os.fstat(file), size):
        return file
    os.close(file)
    return None


def _is_offered(status: os.stat_result, size: int) -> bool:
    public = bool(status.st_mode & stat.S_IROTH)
    return stat.S_ISREG(status.st_mode) and public and status.st_size == size


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
