"""The form that GNU make reads from 4.4 on, and ninja from 1.13 on: the path of a named pipe."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from typing import Final

from fleetcc.jobserver.channel import Channel

_PREFIX: Final = "fleetcc-jobserver-"
_NAME: Final = "tokens"
# MAKEFLAGS is words between blanks, in which a backslash quotes and make expands a dollar sign.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+-]+")
_ELSEWHERE: Final = "/tmp"


class FifoChannel(Channel):
    """A named pipe in a private folder, which is locked for as long as it is used."""

    def __init__(self, temporary: str | None = None) -> None:
        parent = temporary or tempfile.gettempdir()
        if not _PLAIN.fullmatch(parent):
            parent = _ELSEWHERE
        sweep(parent)
        self._folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        path = os.path.join(self._folder, _NAME)
        os.mkfifo(path, 0o600)
        self.word = f"fifo:{path}"
        super().__init__(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def close(self) -> None:
        """Remove it; who has it open keeps what he has."""
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


def sweep(parent: str) -> None:
    """Remove the folders of runs that were killed: ours, and nobody locks them."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(parent)):
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                _remove_unlocked(entry.path)


def _remove_unlocked(folder: str) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # One without the pipe is just being made.
        if os.fstat(lock).st_uid == os.geteuid() and os.path.lexists(os.path.join(folder, _NAME)):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
    finally:
        os.close(lock)
