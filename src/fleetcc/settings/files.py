"""Small files that are read again only when they changed, and written whole or not at all.

Knowing that nothing changed costs one stat. A file that was changed a moment ago is not trusted to be
finished: clocks of file systems tick in milliseconds, so a second write in the same tick would leave the
same stamp. Its stamp is then one that never matches, and the next look reads it again.
"""

import errno
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import UsageError
from fleetcc.settings.values import printable

# None: there is no such file. One number: the errno that a look at it gave.
Stamp = tuple[int, ...] | None

UNSETTLED: Final = (-1,)
SETTLE_NS: Final = 100_000_000

# distcc's limit for a hosts file; config.toml has the same.
MAX_FILE_BYTES: Final = 1 << 20

_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file held when its stamp was taken; content None: there is no such file."""

    stamp: Stamp
    content: bytes | None


def stamp_of(path: str) -> Stamp:
    """Tell one version of a file from the next; never raises OSError."""
    try:
        return _stamp(os.stat(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return None if error.errno in _ABSENT else (error.errno or 0,)


def read_snapshot(path: str) -> Snapshot:
    """Read a file of at most 1 MiB; raises UsageError, naming the file and what is wrong with it."""
    try:
        # O_NONBLOCK: a fifo must not make a build wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _ABSENT:
            return Snapshot(None, None)
        raise _unreadable(path, error) from error
    try:
        return _read(path, descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def replace_file(path: str, content: bytes) -> None:
    """Write beside its place and rename; raises OSError, and then the old file is still there."""
    beside = f"{path}.{os.getpid()}"
    try:
        with open(beside, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _read(path: str, descriptor: int) -> Snapshot:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{printable(path)}: not a regular file; replace it by one or remove it")
    content = b""
    while len(content) <= MAX_FILE_BYTES:
        more = os.read(descriptor, MAX_FILE_BYTES + 1 - len(content))
        if not more:
            break
        content += more
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            f"{printable(path)}: larger than {MAX_FILE_BYTES} bytes, which is the most that is read"
        )
    settled = time.time_ns() - status.st_ctime_ns > SETTLE_NS
    return Snapshot(_stamp(status) if settled else UNSETTLED, content)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def _unreadable(path: str, error: OSError) -> UsageError:
    name = errno.errorcode.get(error.errno or 0, "?")
    return UsageError(
        f"{printable(path)}: cannot be read: {error.strerror} ({name}); make it readable or remove it"
    )
