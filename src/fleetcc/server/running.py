"""Runs one compiler: its own process group, its slot's descriptor inherited, its end seen through a pidfd.

When `wait` returns or raises, the whole group is gone.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

# Between asking a compiler to end (it removes its temporary files) and ending it.
KILL_AFTER_SECONDS: Final = 2.0
# One output file; DOTO's length has 32 bit, and an object of this size is a runaway.
MAX_OUTPUT_BYTES: Final = 1 << 30


class Running:
    """A compiler that has been started."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._kill: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._pidfd, self._reap)

    async def wait(self) -> int:
        """The wait status. Cancelling this stops the compiler, and waits until it is gone."""
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([self._ended])
            raise

    def stop(self) -> None:
        """Ask the group to end, then make it end. Does nothing when it has ended."""
        if self._ended.done() or self._kill is not None:
            return
        self._signal(signal.SIGTERM)
        self._kill = asyncio.get_running_loop().call_later(KILL_AFTER_SECONDS, self.kill)

    def kill(self) -> None:
        """End the whole group now."""
        if not self._ended.done():
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        # The leader is not reaped before `_ended` is set, so its number cannot belong to anyone else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._kill is not None:
            self._kill.cancel()
        # Children that the driver left behind hold the slot's descriptor; none outlives its job.
        self._signal(signal.SIGKILL)
        _, status = os.waitpid(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if not self._ended.done():
            self._ended.set_result(status)


def start(
    argv: Sequence[bytes],
    folder: bytes,
    environment: Mapping[bytes, bytes],
    streams: tuple[int, int],
    inherited: int,
) -> Running:
    """Start a compiler in this folder; `streams` become stdout and stderr. Raises OSError."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=streams[0],
        stderr=streams[1],
        cwd=folder,
        env=environment,
        pass_fds=(inherited,),
        start_new_session=True,
    )
    # It may have ended already, or have a lower limit that only root may raise.
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
    return Running(process)
