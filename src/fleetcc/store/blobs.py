"""Blobs by SHA-256 on disk, shared by all processes of a server.

`ab/cdef….<size>` holds one blob, named by its digest and its size. It is written under a temporary name and
renamed, so there is never half of one. There is no fsync: after a power cut a blob may be short, which its
name tells, and costs one more upload. Content is compared with the digest whenever a small blob is read.

The access time of a blob says when it was last wanted, to the hour; `trim` removes the oldest. It leaves
blobs alone that trees have linked: removing those would free nothing. A process's temporary files are in a
directory that it owns (`owned`), so what a killed one left goes when the next one starts.
"""

import contextlib
import fcntl
import hashlib
import itertools
import os
import secrets
import time
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from fleetcc.store import own_files, owned
from fleetcc.store.blob_writer import BlobWriter
from fleetcc.store.copying import copy_between
from fleetcc.store.errors import StoreError, StoreFullError, WrongDigestError, store_error
from fleetcc.store.trimming import Trimmer
from fleetcc.wire.files import MAX_BLOB_BYTES

# A file up to this size is copied into every tree; a bigger one is linked.
COPIED_BYTES: Final = 1 << 20
# How old an access time becomes before it is written again.
TOUCH_SECONDS: Final = 3600.0
NO_BYTES: Final = hashlib.sha256(b"").digest()  # of the empty blob, which is always there


class Linking(Enum):
    """What came of an attempt to link a blob into a tree."""

    DONE = "done"
    MISSING = "missing"  # there is no such blob
    UNFIT = "unfit"  # it has another mtime elsewhere, or cannot be linked there: copy it


class Counts(NamedTuple):
    """What a store holds, and what has had to go since this process began."""

    bytes: int = 0  # on disk
    entries: int = 0
    evictions: int = 0
    evicted_bytes: int = 0


class BlobStore:
    """The blobs of one server. Every method may be called in any thread; all of them block on the disk."""

    def __init__(self, directory: str, max_bytes: int, own: Sequence[bytes] = own_files.PREFIXES) -> None:
        """Take part in the store of this directory; raises StoreError. `own`: where `adopt` may look."""
        self._directory = os.fsencode(os.path.abspath(directory))
        self._counter = itertools.count(1)
        try:
            owned.make_private(self._directory)
            self._temporary, self._owner = self._make_temporary()
            self._own = own_files.OwnFiles(self._directory + b"/own-files", own)
        except OSError as error:
            raise store_error(error, f"blobs in {directory}") from error
        self.max_bytes = max_bytes
        self._trimmer = Trimmer(self._directory, max_bytes)

    def has(self, digest: bytes, size: int) -> bool:
        """Whether the blob is here; it will be wanted soon."""
        if size == 0:
            return digest == NO_BYTES
        path = self._path(digest, size)
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            return False
        if status.st_size != size:
            self._discard(path)
            return False
        if time.time() - status.st_atime > TOUCH_SECONDS:
            self._touch(path)
        return True

    def add(self, digest: bytes, data: bytes | memoryview) -> None:
        """Store a blob; raises WrongDigestError, StoreFullError, StoreError, and then nothing is stored."""
        if hashlib.sha256(data).digest() != digest:
            raise WrongDigestError(f"a blob of {len(data)} bytes does not have the digest {digest.hex()}")
        if not self.has(digest, len(data)):
            with self._writer(digest, len(data)) as writer:
                writer.write_verified(data)

    def begin(self, digest: bytes, size: int) -> BlobWriter:
        """Store a blob piece by piece; see BlobWriter. Raises StoreFullError and StoreError."""
        return self._writer(digest, size)

    def read(self, digest: bytes, size: int) -> bytes | None:
        """The content, compared with its digest; None: there is no such blob. Raises StoreError."""
        if size == 0:
            return b"" if digest == NO_BYTES else None
        path = self._path(digest, size)
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(error, "reading a blob") from error
        try:
            data = _read(file, size)
        finally:
            os.close(file)
        if hashlib.sha256(data).digest() == digest:
            return data
        self._discard(path)
        return None

    def open(self, digest: bytes, size: int) -> int | None:
        """A descriptor of a blob of the right size; its content is not looked at. None: it is not here."""
        path = self._path(digest, size)
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(error, "opening a blob") from error
        if os.fstat(file).st_size == size:
            return file
        os.close(file)
        self._discard(path)
        return None

    def link(self, digest: bytes, size: int, mtime_ns: int, target: bytes, directory: int | None) -> Linking:
        """Give the blob's file one more name, with that mtime: mostly all clients of one system agree on it.

        Raises FileExistsError where the target exists.
        """
        file = self.open(digest, size)
        if file is None:
            return Linking.MISSING
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # the mtime belongs to whoever has linked it first
            status = os.fstat(file)
            if status.st_mtime_ns != mtime_ns:
                if status.st_nlink > 1:
                    return Linking.UNFIT
                os.utime(file, ns=(status.st_atime_ns, mtime_ns))
            return self._link(file, self._path(digest, size), target, directory)
        finally:
            os.close(file)

    def adopt(self, digest: bytes, size: int, path: bytes) -> bool:
        """Take the blob from this machine's own file at that path, if it is the same; whether it did."""
        file = self._own.open(path, size)
        if file is None:
            return False
        try:
            return self._own.digest(file) == digest and self._copy_in(file, digest, size)
        except (OSError, StoreError, WrongDigestError):
            return False  # then the client sends it, and hears why that cannot be stored
        finally:
            os.close(file)

    @property
    def is_trim_due(self) -> bool:
        """Whether so much was added here since the last look that another one is worth its time."""
        return self._trimmer.is_due

    @property
    def counts(self) -> Counts:
        """How much is here, as the last look found it and this process changed it since, and what went."""
        trimmer = self._trimmer
        return Counts(trimmer.bytes, trimmer.entries, trimmer.evictions, trimmer.evicted_bytes)

    def trim(self, max_bytes: int | None = None) -> int:
        """Go below the limit, or below this one: the longest unwanted first; how many bytes went.

        Looks at every blob, some 5 µs each; returns at once while another process or thread is at it.
        """
        return self._trimmer.trim(max_bytes)

    def close(self) -> None:
        """Leave the store: the blobs stay."""
        self._own.close()
        with contextlib.suppress(OSError):
            owned.give_up(self._temporary, self._owner)

    def _make_temporary(self) -> tuple[bytes, int]:
        all_of_them = self._directory + b"/tmp"
        owned.make_private(all_of_them)
        owned.remove_leftovers(all_of_them)
        path = b"%s/%d-%s" % (all_of_them, os.getpid(), secrets.token_hex(6).encode())
        owner = owned.claim(path)
        if owner is None:
            raise StoreError(f"{os.fsdecode(path)}: another process has it; its name was to be unique")
        return path, owner

    def _path(self, digest: bytes, size: int) -> bytes:
        name = digest.hex()
        return b"%s/%s/%s.%d" % (self._directory, name[:2].encode(), name[2:].encode(), size)

    def _writer(self, digest: bytes, size: int) -> BlobWriter:
        if size > MAX_BLOB_BYTES:
            raise StoreFullError(f"a blob of {size} bytes; the most is {MAX_BLOB_BYTES}")
        # A linked blob is in trees as it is: executable, because programs are, and others do not mind.
        mode = 0o444 if size <= COPIED_BYTES else 0o555
        temporary = b"%s/%d" % (self._temporary, next(self._counter))
        return BlobWriter(digest, size, temporary, self._path(digest, size), mode, self._trimmer.added)

    def _copy_in(self, file: int, digest: bytes, size: int) -> bool:
        if self.has(digest, size):
            return True
        with self._writer(digest, size) as writer:
            copy_between(file, writer.file, size)
            writer.verify_all()
        return True

    @staticmethod
    def _link(file: int, path: bytes, target: bytes, directory: int | None) -> Linking:
        try:
            os.link(path, target, dst_dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return Linking.MISSING  # trimmed just now
        except FileExistsError:
            raise
        except OSError:
            return Linking.UNFIT  # the most links that a file may have, or another file system
        if os.path.samestat(os.stat(target, dir_fd=directory, follow_symlinks=False), os.fstat(file)):
            return Linking.DONE
        os.unlink(target, dir_fd=directory)  # trimmed and stored again just now: not the one that is locked
        return Linking.UNFIT

    @staticmethod
    def _touch(path: bytes) -> None:
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # `link` may be setting the mtime, which is set again here
                os.utime(file, ns=(time.time_ns(), os.fstat(file).st_mtime_ns))
            finally:
                os.close(file)

    @staticmethod
    def _discard(path: bytes) -> None:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _read(file: int, size: int) -> bytes:
    """All of a small file; one byte more than `size` shows that it is longer."""
    data = os.read(file, size + 1)
    if len(data) >= size:
        return data
    pieces = [data]  # a signal, or a file beyond what one call reads
    while piece := os.read(file, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)
