"""Blobs, entries, and what is on a disk, for the tests of the store."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping

from fleetcc.store.blobs import COPIED_BYTES, BlobStore
from fleetcc.store.replica import Replica
from fleetcc.wire.files import Directory, Entry, File, Link, Update

MTIME = 1_700_000_000_123_456_789
BIG = b"big".ljust(COPIED_BYTES + 1, b"!")


def digest_of(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def file_of(data: bytes, mtime_ns: int = MTIME, *, executable: bool = False) -> File:
    """The entry of a file with this content."""
    return File(digest_of(data), len(data), mtime_ns, executable)


def disk_of(root: bytes) -> dict[bytes, tuple[object, ...]]:
    """Everything below a root by its path there: kind, content, and what compilers can see."""
    found: dict[bytes, tuple[object, ...]] = {}
    for folder, directories, names in os.walk(root):
        for name in directories + names:
            path = os.path.join(folder, name)
            found[path[len(root) :]] = _picture(path)
    return found


def expected(entries: Mapping[bytes, Entry], contents: Iterable[bytes]) -> dict[bytes, tuple[object, ...]]:
    """What `disk_of` finds when these entries are there, but for files without contents."""
    by_digest = {digest_of(data): data for data in contents}
    pictures: dict[bytes, tuple[object, ...]] = {}
    for path, entry in entries.items():
        match entry:
            case Directory():
                pictures[path] = ("directory",)
            case Link():
                pictures[path] = ("link", entry.target)
            case File() if entry.digest in by_digest:
                data = by_digest[entry.digest]
                # A big one may be a link to its blob, which is executable.
                is_program = "big" if len(data) > COPIED_BYTES else entry.executable
                pictures[path] = ("file", digest_of(data), entry.mtime_ns, is_program)
    return pictures


def update(
    replica: Replica,
    puts: Mapping[bytes, Entry] | None = None,
    removes: tuple[bytes, ...] = (),
    *,
    fork=False,
) -> None:
    """The next update."""
    replica.accept(Update(replica.id, replica.number + 1, dict(puts or {}), removes, fork))


def work(replica: Replica) -> set[bytes]:
    """Everything that a thread would do; the digests to ask for."""
    asked: set[bytes] = set()
    while replica.has_work:
        asked.update(replica.look_up())
        replica.write()
    return asked


def store(blobs: BlobStore, *contents: bytes) -> None:
    """Add blobs."""
    for data in contents:
        blobs.add(digest_of(data), data)


def _picture(path: bytes) -> tuple[object, ...]:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return ("directory",) if stat.S_IMODE(status.st_mode) == 0o755 else ("directory", status.st_mode)
    assert stat.S_ISREG(status.st_mode)
    with open(path, "rb") as file:
        data = file.read()
    mode = stat.S_IMODE(status.st_mode)
    if len(data) > COPIED_BYTES:
        return ("file", digest_of(data), status.st_mtime_ns, "big")
    return ("file", digest_of(data), status.st_mtime_ns, {0o644: False, 0o755: True}.get(mode, mode))
