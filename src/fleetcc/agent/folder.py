"""The agent's private folder: who may use it, the socket in it, and the lock of the one agent.

The folder is ours alone (0700, owner checked through a descriptor), so nobody else can put a socket
there. Paths go through /proc/self/fd, so the folder's name may be longer than a socket's may be.
"""

import contextlib
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import UsageError

SOCKET_NAME: Final = "socket"
# Held by the agent that listens; the launcher's start-up lock is another file.
AGENT_LOCK_NAME: Final = "agent.lock"
_BACKLOG: Final = 4096  # make -j1000 may knock at once


@dataclass(slots=True)
class Folder:
    """An opened, checked agent folder."""

    path: str
    descriptor: int
    _lock: int | None = None

    @classmethod
    def open(cls, path: str) -> "Folder":
        """Create (0700) and check it; raises UsageError."""
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(
                f"cannot use the agent's folder {path!r}: {error.strerror}; set FLEETCC_DIR"
            ) from error
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            os.close(descriptor)
            raise UsageError(
                f"the agent's folder {path!r} must belong to uid {os.geteuid()} with mode 0700; "
                f"it belongs to uid {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}"
            )
        return cls(path, descriptor)

    def close(self) -> None:
        """Give the descriptor back, for who only wanted to connect."""
        os.close(self.descriptor)

    def inside(self, name: str) -> str:
        """A short path for a file of the folder."""
        return f"/proc/self/fd/{self.descriptor}/{name}"

    def lock(self) -> bool:
        """Become the one agent; False when there is one already."""
        lock = os.open(self.inside(AGENT_LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def unlock(self) -> None:
        """Let another agent begin while this one finishes its jobs."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def listen(self) -> socket.socket:
        """A listening socket under its final name, never seen half made."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        temporary = f"{SOCKET_NAME}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.inside(temporary))
        listener.bind(self.inside(temporary))
        listener.listen(_BACKLOG)
        os.rename(self.inside(temporary), self.inside(SOCKET_NAME))
        return listener

    def remove_socket(self) -> None:
        """New launchers shall not find this agent any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.inside(SOCKET_NAME))

    def connect(self) -> socket.socket | None:
        """A connection to the agent, None when there is none."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self.inside(SOCKET_NAME))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        return connection
