"""Runs one compiler: its own process group, its slot's descriptor inherited, its end seen through a pidfd.

When `wait` returns or raises, the whole group is gone. It is killed without asking first: what it leaves is
in its job's folder, which is removed anyway, and its slot is free at once.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from fleetcc.sandbox.run import Run

# One output file; DOTO's length has 32 bit, and an object of this size is a runaway.
MAX_OUTPUT_BYTES: Final = 1 << 30


class Running:
    """A compiler that has been started."""

    def __init__(self, process: "subprocess.Popen[bytes]", ending: signal.Signals = signal.SIGKILL) -> None:
        """`ending`: what ends it at once, and everything that it has started."""
        self._ending = ending
        loop = asyncio.get_running_loop()
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self.cpu_seconds = 0.0  # of it and its children, once it has ended
        self.peak_bytes = 0  # resident, of the biggest among them
        self._ended: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._pidfd, self._reap)

    async def wait(self) -> int:
        """The wait status. Cancelling this kills the compiler, and waits until it is gone."""
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait([self._ended])
            raise

    def kill(self) -> None:
        """End the whole group now. Does nothing when it has ended."""
        if not self._ended.done():
            self._signal_group(self._ending)

    def _signal_group(self, number: signal.Signals) -> None:
        # The leader is not reaped before `_ended` is set, so its number cannot belong to anyone else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Children that the driver left behind hold the slot's descriptor; none outlives its job.
        self._signal_group(signal.SIGKILL)
        _, status, used = os.wait4(self._process.pid, 0)
        self.cpu_seconds, self.peak_bytes = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
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


def start_sandboxed(run: Run, streams: tuple[int, int]) -> Running:
    """Start a prepared run; nothing of this process but the streams and its descriptors. Raises OSError."""
    try:
        process = subprocess.Popen(
            run.argv,
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            cwd="/",
            env={},
            pass_fds=run.pass_fds,
            start_new_session=True,
        )
    finally:
        run.started()
    return Running(process, signal.SIGTERM)
