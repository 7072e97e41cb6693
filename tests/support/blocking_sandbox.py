"""A sandbox helper that waits before a job begins: all of it is decided, and its compiler not started."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.fleet import eventually
from tests.support.launcher import write_program
from tests.support.servers import Lock

_SCRIPT: Final = """#!/bin/sh
if [ "$1" = run ] && [ -e {folder}/hold ]; then
    echo $$ >>{folder}/journal
    read _ <{folder}/fifo
fi
exec {helper} "$@"
"""


class BlockingSandbox:
    """Name `path` in FLEETCC_SANDBOX; holds jobs back from `hold` to `pass_on`."""

    def __init__(self, folder: Path, helper: Path) -> None:
        self.path = write_program(folder / "helper", _SCRIPT.format(folder=folder, helper=helper))
        folder.chmod(0o777)
        self._folder = folder
        self.lock = Lock(folder / "fifo")
        (folder / "journal").touch()
        for name in ("fifo", "journal"):
            (folder / name).chmod(0o666)

    @property
    def started(self) -> list[int]:
        """The processes of jobs that have come so far."""
        return [int(word) for word in (self._folder / "journal").read_text().split()]

    def hold(self) -> None:
        """The next jobs wait."""
        (self._folder / "hold").touch()

    def pass_on(self) -> None:
        """Jobs that come from now on do not wait."""
        (self._folder / "hold").unlink()

    def wait_for(self, count: int) -> list[int]:
        """Until so many jobs wait or have waited; their processes."""
        eventually(lambda: len(self.started) >= count)
        return self.started


@contextlib.contextmanager
def blocking_sandbox(folder: Path, helper: Path) -> Iterator[BlockingSandbox]:
    """One for the servers of a test."""
    os.makedirs(folder)
    blocking = BlockingSandbox(folder, helper)
    try:
        yield blocking
    finally:
        blocking.lock.let_go(100)
        blocking.lock.close()
