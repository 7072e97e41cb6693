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
# A folder under its first name is being made just now, or its process died in that moment.
_HALF_MADE_SECONDS: Final = 60.0


class Workspace:
    """The folder of this process."""

    def __init__(self, temporary_directory: str) -> None:
        remove_leftovers(temporary_directory)
        # Made and locked under a name that nobody takes for a leftover, then renamed.
        try:
            hidden = tempfile.mkdtemp(prefix=f".{PREFIX}{os.getpid()}-", dir=temporary_directory)
        except OSError as error:
            reason = f"temporary files cannot be made in {temporary_directory}: {error.strerror}"
            raise OSError(f"{reason}; set TMPDIR to a folder that can be written") from error
        self._owner = os.open(os.path.join(hidden, "owner"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = os.path.join(temporary_directory, os.path.basename(hidden)[1:])
        os.rename(hidden, self.path)
        self._made = 0
        self._empty: list[bytes] = []

    def take_folder(self) -> bytes:
        """An empty folder for one job."""
        if self._empty:
            return self._empty.pop()
        self._made += 1
        path = os.path.join(self.path, str(self._made))
        os.mkdir(path, 0o700)
        return os.fsencode(path)

    def give_back(self, folder: bytes) -> None:
        """A job has ended: nothing of it stays but the folder, whose making costs more than its use."""
        if _empty_out(folder):
            self._empty.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        self._empty.clear()
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)


def _empty_out(folder: bytes) -> bool:
    """Remove the files in it; false when something else is there too."""
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    except OSError:
        return False
    return True


def remove_leftovers(temporary_directory: str) -> None:
    """Remove the folders of dead processes of this user."""
    with contextlib.suppress(OSError), os.scandir(temporary_directory) as entries:
        for entry in entries:
            if entry.name.startswith((PREFIX, f".{PREFIX}")):
                with contextlib.suppress(OSError):
                    _remove_if_left_over(entry)


def _remove_if_left_over(entry: os.DirEntry[str]) -> None:
    facts = entry.stat(follow_symlinks=False)
    if facts.st_uid != os.geteuid() or not entry.is_dir(follow_symlinks=False):
        return
    if entry.name.startswith("."):
        if time.time() - facts.st_mtime > _HALF_MADE_SECONDS:
            shutil.rmtree(entry.path, ignore_errors=True)
        return
    owner = os.open(os.path.join(entry.path, "owner"), os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its process lives
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(owner)
