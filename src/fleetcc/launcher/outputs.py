"""What the compiler leaves: files, streams, a status."""

import contextlib
import errno
import os
import resource
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from fleetcc.wire.launcher import temporary_name

_NEW_FILE: Final = os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
_ENDING_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class OutputError(Exception):
    """An output cannot be written."""

    def __init__(self, path: bytes, reason: int) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


@dataclass(slots=True)
class _Output:
    path: bytes
    descriptor: int  # a memory file
    temporary: bytes
    is_device: bool


class Outputs:
    """What O and D wrote, kept in memory until R puts all of it in place."""

    def __init__(self) -> None:
        self._outputs: list[_Output] = []

    def add(self, path: bytes, content: bytes) -> None:
        """One file's bytes."""
        descriptor = os.memfd_create("output")
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        self.add_file(path, descriptor)

    def add_file(self, path: bytes, descriptor: int) -> None:
        """One file's bytes in a memory file, which is ours from now on."""
        folder, name = os.path.split(path)
        if len(name) > 255 or len(path) > 4095:
            raise OutputError(path, errno.ENAMETOOLONG)
        temporary = os.path.join(folder, temporary_name(os.getpid(), len(self._outputs)))
        self._outputs.append(_Output(path, descriptor, temporary, _is_device(path)))

    def drop(self) -> None:
        """Forget all of it."""
        for output in self._outputs:
            os.close(output.descriptor)
        self._outputs.clear()

    def commit(self) -> None:
        """Put all outputs in place, or none of the files; raises OutputError."""
        files = [output for output in self._outputs if not output.is_device]
        devices = [output for output in self._outputs if output.is_device]
        _for_each(devices, lambda output: _copy(output, output.path, os.O_TRUNC))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
        try:
            _for_each(files, lambda output: _copy(output, output.temporary, _NEW_FILE))
            _for_each(files, lambda output: os.rename(output.temporary, output.path))
        finally:
            for output in files:
                _remove(output.temporary)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_as(status: int) -> NoReturn:
    """End as the compiler did, a signal included."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    if not os.WCOREDUMP(status):  # no core of ours where the compiler left none
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def _for_each(outputs: list[_Output], step: Callable[[_Output], None]) -> None:
    for output in outputs:
        try:
            step(output)
        except OSError as error:
            raise OutputError(output.path, error.errno or errno.EIO) from error


def _copy(output: _Output, path: bytes, flags: int) -> None:
    target = os.open(path, os.O_WRONLY | flags, 0o666)
    try:
        offset = 0
        while copied := os.sendfile(target, output.descriptor, offset, 1 << 30):
            offset += copied
    finally:
        os.close(target)


def _remove(path: bytes) -> None:
    with contextlib.suppress(OSError):  # renamed, or never made
        os.unlink(path)


def _is_device(path: bytes) -> bool:
    """A device is written, not replaced, and so is what stands for an open descriptor."""
    if path.startswith((b"/dev/", b"/proc/")):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
