"""Servers for the length of a block. Whatever ends it, they and their children are gone afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import psutil

from bench.support import wait_for_port

Process: TypeAlias = "subprocess.Popen[bytes]"
_PATIENCE_SECONDS: Final = 5.0


@contextmanager
def running(
    command: Sequence[str | Path], variables: Mapping[str, str], log: Path, ready: Callable[[Process], None]
) -> Iterator[Process]:
    """Start a server in a group of its own, give it when it is ready, end it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        ready(process)
        yield process
    finally:
        end(process)


def listens(address: str, port: int) -> Callable[[Process], None]:
    """Ready when something answers there."""
    return lambda process: wait_for_port(address, port, process)


def end(process: Process) -> None:
    """Ask it to leave, then make it leave, with all that it started."""
    family = _family(process)
    for number in (signal.SIGTERM, signal.SIGTERM):  # fleetccd waits for compilers until it is told twice
        _signal_all(family[:1], number)
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_SECONDS)
    kill(process, family)


def kill(process: Process, family: Sequence[psutil.Process] = ()) -> None:
    """End it at once, like a machine that lost its power."""
    _signal_all([*_family(process), *family], signal.SIGKILL)
    process.wait()


def exit_on_signals() -> None:
    """A polite kill unwinds the stack like Ctrl-C does, so that nothing stays behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def _family(process: Process) -> list[psutil.Process]:
    if process.poll() is not None:
        return []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _signal_all(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        # psutil compares start times, so a number that was given to another process is not hit.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def agent_processes(folder: Path) -> list[psutil.Process]:
    """The processes that outlive a build, by the variable that its launcher gave them."""
    found = []
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if pid != os.getpid() and process.environ().get("FLEETCC_DIR") == str(folder):
                found.append(process)
    return found
