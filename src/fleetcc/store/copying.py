"""Copies between open files: shared blocks where the file system can, in the kernel where it cannot."""

import errno
import os
from typing import Final

_CHUNK_BYTES: Final = 1 << 20
# What copy_file_range says where it cannot work at all: other file systems, old kernels, odd files.
_UNABLE: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


def copy_between(source: int, target: int, size: int) -> int:
    """Copy up to `size` bytes from the start of one to the end of the other; how many. Raises OSError."""
    copied = 0
    while copied < size:
        try:
            count = os.copy_file_range(source, target, min(size - copied, 1 << 30), offset_src=copied)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            return copied + _copy_by_hand(source, target, copied, size)
        if count == 0:
            break
        copied += count
    return copied


def write_all(target: int, data: bytes | memoryview) -> None:
    """Write every byte; a full disk is an OSError, never a short file."""
    written = os.write(target, data)
    if written < len(data):  # so the next one says why
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(target, rest) :]


def _copy_by_hand(source: int, target: int, start: int, size: int) -> int:
    position = start
    while position < size:
        data = os.pread(source, min(_CHUNK_BYTES, size - position), position)
        if not data:
            break
        write_all(target, data)
        position += len(data)
    return position - start
