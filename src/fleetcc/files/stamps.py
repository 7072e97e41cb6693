"""Versions of files: what tells one version of a file from the next, and when nothing does.

Every change of a content sets the file's ctime, and nobody can set it back. But clocks of file systems tick
in milliseconds: a second write in the tick of the first leaves the same times. A file that changed a moment
ago is therefore *young*: its stamp equals no other stamp, not even its own of the next look.
"""

import os
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

# The coarsest tick of a local Linux file system is 10 ms (HZ=100). The age is counted from the begin of a
# moment, before the look, so it errs to the side of young.
FINE_TICK_NS: Final = 30_000_000
# Servers of network file systems have clocks of their own, and FAT keeps times in steps of two seconds.
COARSE_TICK_NS: Final = 2_000_000_000


class FileStamp(NamedTuple):
    """One version of a regular file; equal stamps, equal contents."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    mode: int


@dataclass(frozen=True, slots=True, eq=False)
class Young:
    """A file that changed a moment ago; equals nothing but itself."""

    status: FileStamp


RealStamp: TypeAlias = FileStamp | Young


def stamp_of(status: os.stat_result) -> FileStamp:
    """The stamp of an old enough file."""
    return FileStamp(
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
        status.st_mode,
    )


def is_young(status: os.stat_result, now_ns: int, tick_ns: int) -> bool:
    """Could another change leave the same stamp? `now_ns`: wall clock, not later than the look.

    The ctime alone tells: whatever writes sets it, to now, while a header's mtime may lie in the future for
    years. A file system whose server has another clock is given the coarse tick, and asked for both.
    """
    if tick_ns == FINE_TICK_NS:
        return now_ns - status.st_ctime_ns < tick_ns
    return now_ns - max(status.st_ctime_ns, status.st_mtime_ns) < tick_ns


def status_of(stamp: RealStamp) -> FileStamp:
    """The numbers of a stamp, young or not."""
    return stamp.status if isinstance(stamp, Young) else stamp
