"""distcc's protocol 3, both ends: the client sends files, the server preprocesses (distcc-compat 1.3, 2).

    request   DIST 3, CDIR directory, ARGC count, ARGV argument (count times), NFIL count, then count times
              NAME path and either FILE content or LINK target
    response  DONE 3, STAT wait status, SERR, SOUT, DOTO object, and after a success DOTD dependency file

Contents, streams, object and dependency file are compressed with LZO; paths and arguments are as they are.
Whether the paths of a request make a tree that is safe to put on a disk is not the business of this module.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.errors import ProtocolError
from fleetcc.wire.packets import HEADER_BYTES, argv_packets, check_limit, header, number, read_argv

PUMP_PROTOCOL: Final = 3
# The longest path that Linux takes, without its NUL.
MAX_PATH_BYTES: Final = 4095


@dataclass(frozen=True, slots=True)
class PumpLimits:
    """What a client may send as the files of one job."""

    # One translation unit's. The largest real ones, with Boost, read some 5,000 headers.
    max_files: int = 100_000
    max_path_bytes: int = 64 << 20  # all names and link targets together
    max_file_bytes: int = 512 << 20  # all contents together, as they travel


DEFAULT_PUMP_LIMITS: Final = PumpLimits()


@dataclass(frozen=True, slots=True)
class Content:
    """A regular file: what it holds, as it travels."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A symbolic link: what it says."""

    path: bytes


@dataclass(frozen=True, slots=True)
class PumpFile:
    """One entry of a request."""

    name: bytes
    holds: Content | Target


@dataclass(frozen=True, slots=True)
class PumpHead:
    """What is known before the files: enough to admit or refuse a job."""

    cwd: bytes
    argv: tuple[bytes, ...]
    file_count: int
    protocol: int = PUMP_PROTOCOL


@dataclass(frozen=True, slots=True)
class PumpBody:
    """The files as they travelled, in the client's order; the request is complete."""

    files: tuple[PumpFile, ...]

    @property
    def raw_bytes(self) -> int:
        """What they weigh."""
        return sum(len(file.holds.raw) for file in self.files if isinstance(file.holds, Content))


PumpEvent: TypeAlias = PumpHead | PumpBody


def read_pump_request(
    max_arguments: int, max_argument_bytes: int, limits: PumpLimits
) -> Generator[int | PumpEvent, bytes, None]:
    """The parser of a request from its second packet on."""
    cwd = yield from _path(b"CDIR", (yield HEADER_BYTES))
    if not cwd.startswith(b"/"):
        raise ProtocolError(f"CDIR {cwd[:80]!r} where an absolute directory was expected")
    argv = yield from read_argv(max_arguments, max_argument_bytes)
    count = number(b"NFIL", (yield HEADER_BYTES))
    check_limit(b"NFIL", count, limits.max_files)
    yield PumpHead(cwd, argv, count)
    budget = _Budget(limits)
    files: list[PumpFile] = []
    for _ in range(count):
        files.append((yield from _file(budget)))  # noqa: PERF401 - a comprehension cannot yield
    yield PumpBody(tuple(files))


class _Budget:
    """What is left of the limits."""

    def __init__(self, limits: PumpLimits) -> None:
        self._limits = limits
        self._path_bytes = 0
        self._file_bytes = 0

    def path(self, token: bytes, length: int) -> None:
        self._path_bytes += length
        check_limit(token, self._path_bytes, self._limits.max_path_bytes)

    def file(self, length: int) -> None:
        self._file_bytes += length
        check_limit(b"FILE", self._file_bytes, self._limits.max_file_bytes)


def _file(budget: _Budget) -> Generator[int, bytes, PumpFile]:
    name = yield from _path(b"NAME", (yield HEADER_BYTES), budget)
    packet = yield HEADER_BYTES
    if packet.startswith(b"LINK"):
        return PumpFile(name, Target((yield from _path(b"LINK", packet, budget))))
    if not packet.startswith(b"FILE"):
        raise ProtocolError(f"token {packet[:4]!r} where b'FILE' or b'LINK' was expected")
    length = number(b"FILE", packet)
    budget.file(length)
    return PumpFile(name, Content((yield length)))


def _path(token: bytes, packet: bytes, budget: _Budget | None = None) -> Generator[int, bytes, bytes]:
    length = number(token, packet)
    check_limit(token, length, MAX_PATH_BYTES)
    if budget is not None:
        budget.path(token, length)
    path = yield length
    if not path or b"\0" in path:
        raise ProtocolError(f"{token!r} {path[:80]!r} where a path was expected")
    return path


def encode_pump_request(cwd: bytes, argv: Sequence[bytes], files: Sequence[PumpFile]) -> list[bytes]:
    """One request, as buffers to write in order; contents come from `distcc.pack_body`."""
    packets = [header(b"DIST", PUMP_PROTOCOL), header(b"CDIR", len(cwd)), cwd, *argv_packets(argv)]
    packets.append(header(b"NFIL", len(files)))
    for file in files:
        packets += (header(b"NAME", len(file.name)), file.name)
        match file.holds:
            case Target(path):
                packets += (header(b"LINK", len(path)), path)
            case Content(raw):
                packets += (header(b"FILE", len(raw)), raw)
    return [b"".join(packets)]


def dependency_packet(status: int, raw: bytes) -> list[bytes]:
    """What ends a response of protocol 3: nothing after a failure."""
    return [] if status else [header(b"DOTD", len(raw)), raw]
