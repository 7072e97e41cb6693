"""Builds whose jobs say that they run and wait to be let go: what runs at once can be seen, and decided."""

import os
from pathlib import Path

from tests.support.fleet import eventually
from tests.support.launcher import write_program
from tests.support.servers import Lock

_JOB = """#!/bin/sh
echo start >>{folder}/journal
read _ <{folder}/lock
echo end >>{folder}/journal
"""


class BlockingJobs:
    """A folder with a program `job`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.lock = Lock(folder / "lock")
        self.program = write_program(folder / "job", _JOB.format(folder=folder))
        self._journal = folder / "journal"
        self._journal.touch()

    def close(self) -> None:
        """Nothing waits any more."""
        self.lock.let_go(1000)
        self.lock.close()

    @property
    def counts(self) -> list[int]:
        """How many ran after each beginning and each end."""
        found = [0]
        for word in self._journal.read_text().split():
            found.append(found[-1] + (1 if word == "start" else -1))
        return found

    @property
    def started(self) -> int:
        """How many have begun so far."""
        return self._journal.read_text().count("start")

    @property
    def ended(self) -> int:
        """How many have ended so far."""
        return self._journal.read_text().count("end")

    @property
    def running(self) -> int:
        """How many run now."""
        return self.counts[-1]

    def wait_for_running(self, count: int) -> None:
        """Until so many run."""
        eventually(lambda: self.running == count)

    def wait_for_started(self, count: int) -> None:
        """Until so many have begun."""
        eventually(lambda: self.started >= count)

    def end_one(self) -> None:
        """Let one end, and wait until it has."""
        before = self.ended
        self.lock.let_go()
        eventually(lambda: self.ended > before)

    def write_makefile(self, name: str, jobs: int, more: str = "") -> Path:
        """A Makefile of that many jobs."""
        targets = " ".join(f"{name}{number}" for number in range(jobs))
        path = self.folder / name
        path.write_text(f"all: {targets}\n{targets}:\n\t@{self.program}\n{more}")
        return path

    def write_ninja(self, jobs: int, command: str | None = None) -> Path:
        """A folder with a build.ninja of that many jobs."""
        lines = "".join(f"build x{number}: job\n" for number in range(jobs))
        (self.folder / "build.ninja").write_text(f"rule job\n  command = {command or self.program}\n{lines}")
        return self.folder


def environment_with(**variables: str) -> dict[str, str]:
    """Ours, without what a make above us says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return {**clean, **variables}
