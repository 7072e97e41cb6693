"""One look at a directory, a file, a name: what is there now, and whether a watch keeps that true."""

import os
import stat

from fleetcc.files.folders import Folder, Step
from fleetcc.files.stamps import COARSE_TICK_NS, FINE_TICK_NS, FileStamp, RealStamp, Young, is_young, stamp_of
from fleetcc.files.watches import Watches
from fleetcc.wire.files import Directory, Link


class Looks:
    """Looks of one moment, of which `now_ns` is the begin."""

    def __init__(self, watches: Watches, now_ns: int) -> None:
        self.watches = watches
        self.now_ns = now_ns

    def at_folder(self, folder: Folder) -> None:
        """Is it the directory that it was? Its token says."""
        try:
            status = os.stat(folder.path)
        except (OSError, ValueError):  # a NUL in the path
            if folder.exists:
                self._replaced(folder)
            return
        if (
            status.st_ctime_ns != folder.ctime_ns
            or status.st_ino != folder.inode
            or status.st_dev != folder.device
            or not folder.settled
        ):
            self._changed(folder, status)

    def at_file(self, path: bytes, folder: Folder, name: bytes) -> tuple[RealStamp | None, bool]:
        """The stamp, and whether watches keep it true; each is begun before the look that it is for."""
        self._watch(folder)
        kept = False
        if folder.watch is not None:
            kind = _kind(path)
            if kind not in {stat.S_IFLNK, stat.S_IFREG}:
                return None, kind is not None
            kept = kind == stat.S_IFREG and self.watches.add_file(path, (folder, name))
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None, False
        if not stat.S_ISREG(status.st_mode):
            return None, False
        if self._is_young(status, path):
            return Young(stamp_of(status)), False
        return stamp_of(status), kept and status.st_dev == folder.device

    def is_still(self, path: bytes, stamp: FileStamp) -> bool:
        """Is the file still of this version? Whoever is old stays old."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return False
        return (
            status.st_ctime_ns == stamp.ctime_ns
            and status.st_ino == stamp.inode
            and stamp_of(status) == stamp
        )

    def at_step(self, path: bytes, folder: Folder) -> Step:
        """What a name stands for, links not followed."""
        self._watch(folder)
        return _step(path)

    def _watch(self, folder: Folder) -> None:
        if folder.watch is None and not folder.unwatchable:
            self.watches.add(folder)

    def _changed(self, folder: Folder, status: os.stat_result) -> None:
        is_directory = stat.S_ISDIR(status.st_mode)
        if not is_directory or (status.st_dev, status.st_ino) != (folder.device, folder.inode):
            if folder.exists:
                self._replaced(folder)
            if not is_directory:
                return
        folder.device, folder.inode, folder.ctime_ns = status.st_dev, status.st_ino, status.st_ctime_ns
        folder.settled = not self._is_young(status, folder.path)
        folder.up_to_date = False
        folder.token = object()
        if folder.watch is None:
            folder.forget_steps()

    def _replaced(self, folder: Folder) -> None:
        self.watches.remove(folder)
        folder.forget_names()
        folder.device = folder.inode = folder.ctime_ns = -1
        folder.up_to_date = False

    def _is_young(self, status: os.stat_result, path: bytes) -> bool:
        fine = self.watches.system(status.st_dev, path).fine
        return is_young(status, self.now_ns, FINE_TICK_NS if fine else COARSE_TICK_NS)


def _kind(path: bytes) -> int | None:
    """The kind of what is there, links not followed; 0: nothing; None: no telling."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        return None


def _step(path: bytes) -> Step:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return Link(os.readlink(path))
    except (OSError, ValueError):
        return None
    return Directory() if stat.S_ISDIR(mode) else True
