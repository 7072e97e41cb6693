"""Temporary files: one private folder per server process, one sub-folder per job.

`<tmp>/fleetccd-<pid>-<random>/owner` is flock()ed by its process, so what a killed process left behind is
recognised and removed by the next one of the same user.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from typing import Final

PREFIX: Final = "fleetccd-"
# A folder without its lock file is either being made just now or broken.
_UNOWNED_SECONDS: Final = 60.0


class Workspace:
    """The folder of this process."""

    def __init__(self, temporary_directory: str) -> None:
        remove_leftovers(temporary_directory)
        while True:
            self.path = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=temporary_directory)
            self._owner = os.open(
                os.path.join(self.path, "owner"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # taken for a leftover in the moment between the last two calls
                os.close(self._owner)
        self._next = 0

    def job_folder(self) -> bytes:
        """A new empty folder."""
        self._next += 1
        path = os.path.join(self.path, str(self._next))
        os.mkdir(path, 0o700)
        return os.fsencode(path)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)


def remove_job_folder(path: bytes) -> None:
    """Remove a job's folder and all in it; what is gone already is no fault."""
    try:
        # Nearly always a flat folder of two or three files: rmtree costs five times as much.
        with os.scandir(path) as entries:
            for entry in entries:
                os.unlink(entry.path)
        os.rmdir(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(temporary_directory: str) -> None:
    """Remove the folders of dead processes of this user."""
    with contextlib.suppress(OSError), os.scandir(temporary_directory) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and _is_left_over(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    try:
        facts = entry.stat(follow_symlinks=False)
        if facts.st_uid != os.geteuid() or not entry.is_dir(follow_symlinks=False):
            return False
        try:
            owner = os.open(os.path.join(entry.path, "owner"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return time.time() - facts.st_mtime > _UNOWNED_SECONDS
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(owner)
        return True
    except OSError:
        return False
