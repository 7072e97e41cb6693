"""What came of a run, from the records of native/sandbox/report.c."""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

_RECORD: Final = struct.Struct("=IiQQQQ")
RECORD_BYTES: Final = _RECORD.size


class Stage(IntEnum):
    """How far the helper came; the numbers are those of `enum stage` in native/sandbox/sandbox.h."""

    SPEC = 1
    NETWORK = 2
    NAMESPACES = 3
    IDENTITY = 4
    SCRATCH = 5
    EXISTING = 6
    TREE = 7
    OVERLAY = 8
    OWN = 9
    PROC = 10
    DEVICES = 11
    ROOT = 12
    CWD = 13
    LIMITS = 14
    PRIVILEGES = 15
    FILTER = 16
    PROCESS = 17
    EXEC = 18


_DOING: Final = {
    Stage.SPEC: "reading what to run",
    Stage.NETWORK: "joining the empty network",
    Stage.NAMESPACES: "making namespaces",
    Stage.IDENTITY: "mapping the user and the group",
    Stage.SCRATCH: "making the scratch in memory",
    Stage.EXISTING: "making stand-ins for outputs that exist already",
    Stage.TREE: "opening the tree",
    Stage.OVERLAY: "mounting the overlay",
    Stage.OWN: "mounting this machine's own directories",
    Stage.PROC: "mounting /proc",
    Stage.DEVICES: "making /dev",
    Stage.ROOT: "changing the root",
    Stage.CWD: "entering the current directory",
    Stage.LIMITS: "setting limits",
    Stage.PRIVILEGES: "dropping privileges",
    Stage.FILTER: "filtering system calls",
    Stage.PROCESS: "making a process",
    Stage.EXEC: "executing the program",
}


class Kind(IntEnum):
    """Of a record."""

    FAILED = 1
    SCRATCH = 2
    STARTED = 3
    ENDED = 4


@dataclass(frozen=True, slots=True)
class Ended:
    """The program has ended by itself, or by its own fault."""

    status: int  # as wait() gives it
    started: float  # on the monotonic clock, just before the program was executed
    cpu_seconds: float  # with everything that it started
    peak_bytes: int  # resident, of the biggest among them
    is_full: bool  # the scratch had no room left in the end: what the program says about it is our fault
    written_bytes: int = 0  # by all its processes, to files and pipes; 0 where the kernel does not count


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The program never ran."""

    stage: Stage
    error: int  # errno

    @property
    def sentence(self) -> str:
        """For people, as "mounting the overlay: Operation not permitted"."""
        return f"{_DOING[self.stage]}: {os.strerror(self.error)}"


@dataclass(frozen=True, slots=True)
class Killed:
    """The run was ended from outside, and everything in it."""


Outcome: TypeAlias = Ended | NotStarted | Killed


def outcome(records: Iterable[bytes]) -> Outcome:
    """The sum of all records of one run that is over."""
    started = 0.0
    ended: Ended | None = None
    for record in records:
        kind, number, first, second, third, fourth = _RECORD.unpack(record)
        match kind:
            case Kind.FAILED:
                return NotStarted(Stage(number), first)
            case Kind.STARTED:
                started = first / 1e9
            case Kind.ENDED:
                ended = Ended(number, started, first / 1e6, second << 10, bool(third), fourth)
    return ended or Killed()
