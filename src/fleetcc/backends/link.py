"""What every kind of host looks like to the agent: a link that takes demands and jobs, and tells events."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from fleetcc.errors import HostError
from fleetcc.files.layers import Layer
from fleetcc.includes.disk import Listing
from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import Facts
from fleetcc.wire.fleet import Hello
from fleetcc.wire.pump import PumpFile

# Gives a blob of this machine; None when no file has that content any more. Called in threads.
ReadBlob = Callable[[bytes], bytes | None]

# Of an object or of a message; a claim beyond this is a broken or hostile server.
MAX_PLAIN_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class OurSide:
    """What a fleet host's link needs of the agent."""

    hello: Hello
    executor: Executor
    read_blob: ReadBlob


@dataclass(frozen=True, slots=True)
class HostTimeouts:
    """The settings that bound one conversation."""

    connect_seconds: float
    io_seconds: float
    ssh: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One job as text, as a host gets it."""

    argv: Sequence[bytes]
    form: Form
    identity: str | None  # of the compiler, for fleet hosts
    encoding: str  # of the body: raw, lzo or zstd
    body: bytes
    plain_bytes: int


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One job as files: what its compiler may read, and how it is run."""

    layers: tuple[Layer, ...]
    listings: Mapping[bytes, Listing | None]  # of the layers' directories, at the same moment
    program: bytes
    argv: tuple[bytes, ...]
    environment: tuple[bytes, ...]
    cwd: bytes
    umask: int
    returns: tuple[bytes, ...]  # directories: what is left below them comes back
    existing: tuple[bytes, ...]  # its outputs that are there already
    label: str


@dataclass(frozen=True, slots=True)
class PumpOrder:
    """One job as files for a stock host, which preprocesses them (`backends.pump`)."""

    argv: Sequence[bytes]
    cwd: bytes
    files: Sequence[PumpFile]


AnyOrder: TypeAlias = Order | FileOrder | PumpOrder


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file that a compiler left in its replica."""

    path: bytes  # absolute
    mode: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a compiler said and made on a host."""

    status: int  # as wait() gives it
    stdout: bytes
    stderr: bytes
    output: bytes
    seconds: float | None  # of the compiler, where the host tells or it could be seen
    files: tuple[LeftFile, ...] | None = None  # all of its outputs, of a job made of files
    removed: tuple[bytes, ...] = ()  # of the outputs that were there already, those that it removed
    cpu_seconds: float = 0.0  # of the compiler, where the host tells
    peak_bytes: int = 0  # of its memory, likewise
    sent: int = 0  # bytes to the host: the order, and what it lacked of this job's files
    received: int = 0  # bytes of the answer, as they came


class UnfitTextError(HostError):
    """The host says that this text cannot be compiled away from its machine; no host is to blame."""


class PumpUnfitError(HostError):
    """A stock host cannot do this job in pump mode, or not with the same bytes; no host is to blame."""


class KilledError(HostError):
    """The remote compiler was killed by a signal."""


class UnfitFilesError(HostError):
    """The host says that these files do not make a compile that runs; no host is to blame."""


class JobLimitError(HostError):
    """The job needs more than this host gives to one; another may give it, and this one is not to blame."""


class StaleError(HostError):
    """What the host was told of this machine's files is no longer true; no host is to blame."""


class HostEvents(Protocol):
    """Where a link tells what happens: on the event loop, and never from within a call to the link."""

    def up(self, host: str, facts: Facts, server: str, instance: str) -> None:
        """It is connected, or says something new of itself."""

    def down(self, host: str, error: HostError | None) -> None:
        """The connection has ended, or could not be made; None: as was asked for."""

    def draining(self, host: str, why: str) -> None:
        """It is leaving, and answers what it has."""

    def granted(self, host: str, count: int) -> None:
        """It is ready for so many jobs."""

    def started(self, host: str, number: int) -> None:
        """The job's compiler runs there."""

    def finished(self, host: str, number: int, spoken: Spoken) -> None:
        """A compiler has spoken."""

    def failed(self, host: str, number: int, error: HostError) -> None:
        """The host could not do the job; no compiler has spoken."""


class Link(Protocol):
    """One host. Nothing here blocks; what comes of it is told to HostEvents later."""

    @property
    def encodings(self) -> tuple[str, ...]:
        """In which bodies may travel, best first."""

    def demand(self, most: int, priority: Priority) -> None:
        """There are so many jobs for it; 0 takes that back."""

    def decline(self, count: int) -> None:
        """Give grants back."""

    def send(self, number: int, order: AnyOrder) -> None:
        """Use a grant. Only hosts that take files are given any, and only stock hosts those of pump mode."""

    def cancel(self, number: int) -> None:
        """Nobody waits for the job any more; nothing more is told of it."""

    def close(self) -> None:
        """End the connection; nothing more is told."""
