"""What comes of a server's messages: the events of `fleet_client`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from fleetcc.wire.files import FILE_PART, Left, ReplicaState
from fleetcc.wire.files_client import Wanted
from fleetcc.wire.fleet import Drain, Error, Grant, Part, Result, Welcome


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send back, caused by what came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """A compiler has spoken."""

    job: int
    result: Result
    raw: bytes  # the parts, one after the other

    def parts(self) -> Iterator[tuple[Part, bytes]]:
        """Each part with its bytes as they travelled."""
        at = 0
        for part in self.result.parts:
            yield part, self.raw[at : at + part.raw_bytes]
            at += part.raw_bytes

    def files(self) -> Iterator[tuple[Left, Part, bytes]]:
        """Each file that was left, with its part and its bytes as they travelled."""
        found = ((part, raw) for part, raw in self.parts() if part.name == FILE_PART)
        for left, (part, raw) in zip(self.result.files, found, strict=True):
            yield left, part, raw


@dataclass(frozen=True, slots=True)
class Failed:
    """The job is over and no compiler has spoken."""

    job: int
    error: Error


@dataclass(frozen=True, slots=True)
class Began:
    """The job's compiler runs."""

    job: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The server has lost the job: it answers, but does not name it."""

    job: int


@dataclass(frozen=True, slots=True)
class Closing:
    """The server ends the connection and says why."""

    error: Error


Event: TypeAlias = (
    Welcome | Grant | Began | Finished | Failed | Forgotten | Drain | Closing | Reply | ReplicaState | Wanted
)
