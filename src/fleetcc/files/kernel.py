"""What Python does not offer of the kernel: inotify, and the kind of a file system.

Every call says None or raises OSError where there is no such thing; callers then live by stats alone.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

# <sys/inotify.h>
IN_MODIFY: Final = 0x2
IN_ATTRIB: Final = 0x4
IN_CLOSE_WRITE: Final = 0x8
IN_MOVED_FROM: Final = 0x40
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_UNMOUNT: Final = 0x2000
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
IN_ONLYDIR: Final = 0x1000000
IN_DONT_FOLLOW: Final = 0x2000000
IN_MASK_ADD: Final = 0x20000000

# What brings a name, takes it away, or gives it to something else.
NAME_EVENTS: Final = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
_DIRECTORY_MASK: Final = NAME_EVENTS | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
# Shared mappings of a file write without a word, but hold it open: the last one's end is a CLOSE_WRITE.
# To an inode's watch (by another name it may have one) only ever something is added.
_FILE_MASK: Final = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_DONT_FOLLOW | IN_MASK_ADD

_HEADER: Final = struct.Struct("=iIII")
_READ_BYTES: Final = 1 << 18

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

# f_type of <linux/magic.h> and of the file systems outside the kernel's tree.
_FINE: Final = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0x01021994,  # tmpfs
    0xF2F52010,  # f2fs
    0x2FC12FC1,  # zfs
    0xCA451A4E,  # bcachefs
}
_OVERLAY: Final = 0x794C7630


class Event(NamedTuple):
    """Something happened to a name in a watched directory; without a name: to what is watched itself."""

    watch: int
    mask: int
    name: bytes


class FileSystem(NamedTuple):
    """What may be relied on for the files of one device."""

    watched: bool  # inotify tells of every change
    fine: bool  # its clock is this machine's, and ticks in milliseconds


UNKNOWN: Final = FileSystem(watched=False, fine=False)


def file_system_of(path: bytes) -> FileSystem:
    """The file system that a path lies on; the unknown one when it cannot be asked.

    An overlay's directories are another inode's than the ones that are written to, so it sends no events
    for some changes; but all its layers that change are local.
    """
    buffer = ctypes.create_string_buffer(512)  # struct statfs begins with f_type, a long
    if not sys.platform.startswith("linux") or _LIBC.statfs(path, buffer) != 0:
        return UNKNOWN
    kind = ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF
    return FileSystem(watched=kind in _FINE, fine=kind in _FINE or kind == _OVERLAY)


class Inotify:
    """One queue of events; raises OSError when there can be none."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._descriptor = _checked(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add_directory(self, path: bytes, device: int, inode: int) -> int | None:
        """Watch the names in a directory, if that is still the one; an inode's watch is always the same."""
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_dev != device or status.st_ino != inode:
                return None
            place = b"/proc/self/fd/%d" % descriptor  # by its name it might be another one already
            return _checked(_LIBC.inotify_add_watch(self._descriptor, place, _DIRECTORY_MASK))
        finally:
            os.close(descriptor)

    def add_file(self, path: bytes) -> int:
        """Watch the content of the file that is there now, by whatever name it is written to."""
        return _checked(_LIBC.inotify_add_watch(self._descriptor, path, _FILE_MASK))

    def remove(self, watch: int) -> None:
        """Watch no longer; a watch that has ended by itself is none."""
        _LIBC.inotify_rm_watch(self._descriptor, watch)

    def events(self) -> Iterator[Event]:
        """What has happened since the last call, in order."""
        while True:
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            at, end = 0, len(data)
            while at < end:
                watch, mask, _, size = _HEADER.unpack_from(data, at)
                at += _HEADER.size
                yield Event(watch, mask, data[at : at + size].rstrip(b"\0") if size else b"")
                at += size
            if end < _READ_BYTES // 2:  # there was room for more
                return

    def close(self) -> None:
        """Give the queue back."""
        os.close(self._descriptor)


@lru_cache(maxsize=1)
def most_watches() -> int:
    """How many watches one process may take here: half of what the kernel allows the user."""
    try:
        with open("/proc/sys/fs/inotify/max_user_watches", "rb") as file:
            return int(file.read()) // 2
    except (OSError, ValueError):
        return 4096


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
