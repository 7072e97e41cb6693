"""A connection with the agent: its folder, its socket, and its start by the first launcher."""

import contextlib
import fcntl
import os
import pwd
import select
import signal
import socket
import stat
import struct
import time
from typing import Final, NoReturn

from fleetcc.launcher.program import exec_cli
from fleetcc.launcher.words import AGENT_TIMEOUT_SECONDS, NAP_SECONDS, Environment

# How long a failed start is not tried again.
_START_FAILED_SECONDS: Final = 30
_FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_PEER: Final = struct.Struct("3i")
_TIMEOUT: Final = struct.pack("ll", int(AGENT_TIMEOUT_SECONDS), 0)
_READY_DESCRIPTOR: Final = 3


class UnreachableError(Exception):
    """There is no agent; the text says why."""


def reach_agent(environment: Environment) -> socket.socket:
    """Connect, to an agent that is started if there is none; raises UnreachableError."""
    path = _agent_folder(environment)
    if not path.startswith(b"/"):
        raise UnreachableError("FLEETCC_DIR is not absolute")
    try:
        folder = _open_folder(path)
    except OSError as error:
        raise UnreachableError("the agent's folder is not private to this user") from error
    try:
        return _connect(folder)
    except (FileNotFoundError, ConnectionRefusedError):
        return _start_under_lock(folder, path, environment)
    except OSError as error:
        raise UnreachableError("the agent's socket refuses us") from error
    finally:
        os.close(folder)


def _agent_folder(environment: Environment) -> bytes:
    """fleetcc.settings.places has the same rule; both must change together."""
    if own := environment.get("FLEETCC_DIR"):
        return own
    runtime = environment.get("XDG_RUNTIME_DIR") or b""
    if runtime.startswith(b"/"):
        return runtime + b"/fleetcc"
    state = environment.get("XDG_STATE_HOME") or b""
    if not state.startswith(b"/"):
        state = _home(environment) + b"/.local/state"
    return state + b"/fleetcc/run-" + os.fsencode(os.uname().nodename)


def _home(environment: Environment) -> bytes:
    if home := environment.get("HOME"):
        return home
    try:
        return os.fsencode(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return b"/"


def _open_folder(path: bytes) -> int:
    """A descriptor of a folder that only we can enter; raises OSError."""
    try:
        folder = os.open(path, _FOLDER_FLAGS)
    except FileNotFoundError:
        _make_folders(path)
        folder = os.open(path, _FOLDER_FLAGS)
    status = os.fstat(folder)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        os.close(folder)
        raise PermissionError(path)
    return folder


def _make_folders(path: bytes) -> None:
    parent = os.path.dirname(path.rstrip(b"/"))
    if parent != path and not os.path.isdir(parent):
        _make_folders(parent)
    with contextlib.suppress(FileExistsError):  # another launcher was first
        os.mkdir(path, 0o700)


def _connect(folder: int) -> socket.socket:
    """Through /proc, because a socket's name has room for 107 bytes and a folder's path has more."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEOUT)
        connection.connect(f"/proc/self/fd/{folder}/socket")
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(peer)[1] not in {os.geteuid(), 0}:
            raise PermissionError("another user's socket")
    except OSError:
        connection.close()
        raise
    return connection


def _start_under_lock(folder: int, path: bytes, environment: Environment) -> socket.socket:
    """One of many launchers starts the agent. The lock goes with its descriptor, which nobody inherits."""
    if _start_failed_lately(folder):
        raise UnreachableError("the agent does not start")
    lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    try:
        connection = _wait_for_agent(folder, lock)
        if connection is None and not _start_failed_lately(folder):
            connection = _start_agent(folder, path, environment)
    finally:
        os.close(lock)
    if connection is None:
        raise UnreachableError("the agent does not start")
    return connection


def _wait_for_agent(folder: int, lock: int) -> socket.socket | None:
    """Wait for the lock (None), or for the agent that its holder starts; raises UnreachableError."""
    deadline = time.monotonic() + AGENT_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        locked = _try_lock(lock)
        try:
            return _connect(folder)
        except OSError:
            if locked:
                return None
        time.sleep(NAP_SECONDS)
    raise UnreachableError("the agent does not start")


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_agent(folder: int, path: bytes, environment: Environment) -> socket.socket | None:
    """Start an agent and wait until it listens; a failure is remembered in the folder."""
    reading, writing = os.pipe()
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.setsid()
        # The grandchild is not a session leader, so it never gets a terminal, and not our child.
        if os.fork() == 0:
            _become_agent(path, writing, environment)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    signal.signal(signal.SIGCHLD, before)
    readable, _, _ = select.select([reading], [], [], AGENT_TIMEOUT_SECONDS)
    started = bool(readable and os.read(reading, 1))
    os.close(reading)
    with contextlib.suppress(OSError):
        if started:
            return _connect(folder)
    _mark_failed_start(folder)
    return None


def _become_agent(path: bytes, ready: int, environment: Environment) -> NoReturn:
    """The agent outlives the build: it must hold no terminal, no pipe of make's or ninja's, and no folder."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.dup2(ready, _READY_DESCRIPTOR)
    os.set_inheritable(_READY_DESCRIPTOR, True)  # noqa: FBT003
    os.closerange(_READY_DESCRIPTOR + 1, 65536)
    os.chdir("/")
    exec_cli((b"agent", b"run", b"--ready-fd", b"3", b"--folder", path), environment)
    os._exit(1)


def _start_failed_lately(folder: int) -> bool:
    try:
        age = time.time() - os.stat("start-failed", dir_fd=folder).st_mtime
    except OSError:
        return False
    return abs(age) < _START_FAILED_SECONDS


def _mark_failed_start(folder: int) -> None:
    try:
        mark = os.open("start-failed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=folder)
    except OSError:
        return
    os.utime(mark)
    os.close(mark)
