"""From an invocation to a plan: run it here and why, or send it and to which hosts.

The one place that says "local" before anything has been tried; the agent and `fleetcc explain` both ask it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from fleetcc.command.analysis import Compilation, LocalOnly, analyze, has_line_markers, names_directory
from fleetcc.command.pumpclient import PumpTerms, pump_terms
from fleetcc.command.replica import Shipment, replica_shipment
from fleetcc.command.response import ReadFile
from fleetcc.errors import HostListError
from fleetcc.hosts.grammar import HostKind
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.model import Compiler, Form, Reason
from fleetcc.settings import Settings

# Longer response files exist only by mistake; the compiler itself will say so.
_MAX_RESPONSE_FILE_BYTES: Final = 8 << 20
_MARKER_HEAD_BYTES: Final = 4096
# Commands that are remembered, of some kilobytes each.
_MOST_KNOWN: Final = 10_000
# What keeps a command here as files keeps it here as text, and saves the second look.
_WHATEVER_THE_MODE: Final = frozenset(
    {
        Reason.NOT_A_COMPILE,
        Reason.LINKING,
        Reason.PREPROCESS_ONLY,
        Reason.DEPENDENCIES_ONLY,
        Reason.NO_INPUT,
        Reason.STDIN_INPUT,
        Reason.STDOUT_OUTPUT,
        Reason.UNKNOWN_COMPILER,
    }
)


@dataclass(frozen=True, slots=True)
class RunHere:
    """The launcher executes the compiler itself."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A host may do it: one that takes files, or one that takes the text in one of `forms` (best first)."""

    found: FoundHosts
    shipment: Shipment | None  # how it travels as files, if it may
    compilation: Compilation | None  # how it travels as text, if it may
    forms: tuple[Form, ...]
    text_obstacle: Reason  # why it may not travel as text, where it may not
    text_detail: str = ""
    pump: PumpTerms | None = None  # on which it may travel in pump mode, as far as its command tells

    @property
    def source(self) -> bytes:
        """The source, as spelled; the first of several."""
        if self.shipment is not None:
            return self.shipment.label
        assert self.compilation is not None
        return self.compilation.source

    def key(self, cwd: bytes) -> bytes:
        """By what the history of durations knows this compile, made in this directory."""
        return blake2b(b"\0".join((cwd, self.source, self.output)), digest_size=8).digest()

    @property
    def named(self) -> tuple[bytes, ...]:
        """The outputs that the command names, or that are derived from its sources."""
        parts = self.shipment or self.compilation
        assert parts is not None
        depfile = () if parts.depfile is None else (parts.depfile.path,)
        return (*(self.shipment.outputs if self.shipment is not None else (self.output,)), *depfile)

    @property
    def output(self) -> bytes:
        """What tells this compile from others of the same source."""
        if self.shipment is not None:
            return next(iter(self.shipment.outputs), b"")
        assert self.compilation is not None
        return self.compilation.output


@dataclass(frozen=True, slots=True)
class _Ways:
    """How a command may travel; what it is in itself, whatever the hosts."""

    shipment: Shipment | None
    text: Compilation | RunHere
    pump: PumpTerms | None = None


class Plans:
    """Plans commands; remembers those that no file had a say in, because builds repeat themselves."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], RunHere | _Ways] = {}

    def plan(
        self,
        argv: tuple[bytes, ...],
        cwd: bytes,
        variables: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        compiler: Compiler,
        settings: Settings,
    ) -> RunHere | Send:
        """The same as `plan`; `variables`: the environment as it came, NAME=value."""
        key = (argv, variables, compiler, settings.mode)
        ways = self._known.get(key)
        if ways is None:
            ways, has_read = _ways(argv, cwd, environment, compiler, settings)
            if not has_read:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = ways
        return ways if isinstance(ways, RunHere) else _with_hosts(ways, settings)


def plan(
    argv: Sequence[bytes],
    cwd: bytes,
    environment: Mapping[bytes, bytes],
    compiler: Compiler,
    settings: Settings,
) -> RunHere | Send:
    """Decide; reads response files, the head of preprocessed inputs and the host list, nothing else."""
    ways, _ = _ways(argv, cwd, environment, compiler, settings)
    return ways if isinstance(ways, RunHere) else _with_hosts(ways, settings)


def _ways(
    argv: Sequence[bytes],
    cwd: bytes,
    environment: Mapping[bytes, bytes],
    compiler: Compiler,
    settings: Settings,
) -> tuple[RunHere | _Ways, bool]:
    """The ways, or why it stays here; and whether that depends on files."""
    has_read = False

    def read_file(name: bytes) -> bytes | None:
        nonlocal has_read
        has_read = True
        return _read_start(os.path.join(cwd, name), _MAX_RESPONSE_FILE_BYTES)

    shipment = replica_shipment(argv, compiler, environment, read_file)
    if settings.mode == "local":
        reason = shipment.reason if isinstance(shipment, LocalOnly) else Reason.MODE_LOCAL
        return RunHere(reason), has_read
    text: Compilation | RunHere = RunHere(Reason.NO_SANDBOX)
    if settings.mode != "replica" and _may_be_text(shipment):
        text = _as_text(argv, environment, compiler, read_file)
        if isinstance(text, Compilation) and (text.forced_includes or text.preprocessed_input):
            has_read = True
            text = _obstacle_on_disk(text, cwd) or text
    if isinstance(text, RunHere):
        if isinstance(shipment, LocalOnly):
            return RunHere(shipment.reason, os.fsdecode(shipment.detail)), has_read
        if settings.mode == "preprocessed":
            return text, has_read
    if isinstance(shipment, LocalOnly):
        return _Ways(None, text), has_read
    pump = None
    if isinstance(text, Compilation) and len(shipment.sources) == 1:
        pump = pump_terms(text, shipment.search_words, environment)
    return _Ways(shipment, text, pump), has_read


def _may_be_text(shipment: Shipment | LocalOnly) -> bool:
    return not isinstance(shipment, LocalOnly) or shipment.reason not in _WHATEVER_THE_MODE


def _with_hosts(ways: _Ways, settings: Settings) -> RunHere | Send:
    found = _hosts(settings)
    if isinstance(found, RunHere):
        return found
    text, shipment = ways.text, ways.shipment if settings.mode != "preprocessed" else None
    if isinstance(text, RunHere):
        return Send(found, shipment, None, (), text.reason, text.detail)
    forms = text.exact_forms if settings.exact else text.exact_forms + text.approximate_forms
    if not forms and shipment is None:
        return RunHere(Reason.DEBUG_COLUMNS)
    pump = ways.pump if forms and shipment is not None else None
    return Send(found, shipment, text if forms else None, forms, Reason.DEBUG_COLUMNS, pump=pump)


def _as_text(
    argv: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    compiler: Compiler,
    read_file: ReadFile,
) -> Compilation | RunHere:
    verdict = analyze(argv, compiler, environment, read_file)
    if isinstance(verdict, LocalOnly):
        return RunHere(verdict.reason, os.fsdecode(verdict.detail))
    if compiler.remote_name is None:
        return RunHere(Reason.COMPILER_NAME, os.fsdecode(argv[0]))
    return verdict


def _hosts(settings: Settings) -> FoundHosts | RunHere:
    try:
        found = find_host_list(settings)
    except HostListError as error:
        return RunHere(Reason.BAD_HOST_LIST, str(error))
    hosts = found.host_list
    if hosts is None or not (hosts.hosts or hosts.zeroconf):
        return RunHere(Reason.NO_HOSTS, found.origin)
    if not hosts.zeroconf and all(host.kind is HostKind.LOCAL for host in hosts.hosts):
        return RunHere(Reason.LOCALHOST_ENTRY, found.origin)
    return found


def _obstacle_on_disk(compilation: Compilation, cwd: bytes) -> RunHere | None:
    """What only the files can tell: precompiled headers, and preprocessed text without its markers."""
    for header in compilation.forced_includes:
        for suffix in (b".gch", b".pch"):
            if os.path.exists(os.path.join(cwd, header + suffix)):
                return RunHere(Reason.PRECOMPILED_HEADER, os.fsdecode(header + suffix))
    if not compilation.preprocessed_input:
        return None
    head = _read_start(os.path.join(cwd, compilation.source), _MARKER_HEAD_BYTES, cut=True)
    if head is None:
        return RunHere(Reason.NO_INPUT, os.fsdecode(compilation.source))
    if not has_line_markers(head) or (compilation.debug and not names_directory(head)):
        return RunHere(Reason.NO_LINE_MARKERS, os.fsdecode(compilation.source))
    return None


def _read_start(path: bytes, limit: int, *, cut: bool = False) -> bytes | None:
    """A regular file's first bytes; None when it cannot be read, or (without `cut`) is longer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        with open(descriptor, "rb", buffering=0) as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    if data is None or (len(data) > limit and not cut):
        return None
    return data[:limit]
