"""The command of `fleetcc run`: started as a shell would, waited for, its end told as a shell tells it."""

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from fleetcc.errors import FleetccError
from fleetcc.settings import printable

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
# What a terminal sends to every process of the foreground: the command decides what they mean.
_FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class StartError(FleetccError):
    """The command cannot be started; `status` is what a shell would end with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Child:
    """One running command, in our process group and with our descriptors."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], inherited: tuple[int, ...]
    ) -> None:
        """Starts it; raises StartError. The event loop must run."""
        self._loop = asyncio.get_running_loop()
        self._handled: list[signal.Signals] = []
        self._ended = asyncio.Event()
        self._handle_signals()
        try:
            self._process = _start(command, environment, inherited)
        except BaseException:
            self._leave_signals()
            raise
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._ended.set)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit status; 128 + n for one that signal n ended."""
        await self._ended.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        status = self._process.wait()
        self._leave_signals()
        return 128 - status if status < 0 else status

    def _handle_signals(self) -> None:
        """With handlers, not by ignoring: what is ignored stays so after an exec."""
        for number in (*_FROM_TERMINAL, *_PASSED_ON):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                self._loop.add_signal_handler(number, self._pass_on, number)
                self._handled.append(number)

    def _leave_signals(self) -> None:
        for number in self._handled:
            self._loop.remove_signal_handler(number)

    def _pass_on(self, number: signal.Signals) -> None:
        if number not in _FROM_TERMINAL or not _in_foreground():
            self._process.send_signal(number)


def _start(
    command: Sequence[str], environment: Mapping[str, str], inherited: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    """With all that we have inherited, and the descriptors `inherited` of ours."""
    for descriptor in inherited:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no keyword
    try:
        try:
            return subprocess.Popen(command, env=environment, close_fds=False)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without #!; shells run it, so do we.
            return subprocess.Popen(["/bin/sh", *command], env=environment, close_fds=False)
    except OSError as error:
        what, status = _why_not_started(command[0], error)
        raise StartError(f"{printable(command[0]) or repr('')}: {what}", status) from error
    except ValueError as error:  # a NUL
        raise StartError(f"{printable(command[0])}: {error}", NOT_FOUND) from error
    finally:
        for descriptor in inherited:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keyword


def _why_not_started(program: str, error: OSError) -> tuple[str, int]:
    """In words, and as the status of a shell."""
    if not program:
        return "command not found", NOT_FOUND
    if not isinstance(error, FileNotFoundError):
        return error.strerror or str(error), NOT_EXECUTABLE
    if "/" not in program:
        return "command not found", NOT_FOUND
    if os.path.exists(program):
        return "the interpreter that its first line or its header names does not exist", NOT_EXECUTABLE
    return error.strerror or str(error), NOT_FOUND


def _in_foreground() -> bool:
    """Whether the terminal sends its signals to us and the command alike."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
