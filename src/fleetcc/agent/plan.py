"""From an invocation to a plan: run it here and why, or send it and to which hosts.

The one place that says "local" before anything has been tried; the agent and `fleetcc explain` both ask it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.analysis import Compilation, LocalOnly, analyze, has_line_markers, names_directory
from fleetcc.errors import HostListError
from fleetcc.hosts.grammar import HostKind
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.model import Compiler, Form, Reason
from fleetcc.settings import Settings

# Longer response files exist only by mistake; the compiler itself will say so.
_MAX_RESPONSE_FILE_BYTES: Final = 8 << 20
_MARKER_HEAD_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class RunHere:
    """The launcher executes the compiler itself."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A host may do it, if it takes one of `forms` (best first)."""

    compilation: Compilation
    found: FoundHosts
    forms: tuple[Form, ...]


def plan(
    argv: Sequence[bytes],
    cwd: bytes,
    environment: Mapping[bytes, bytes],
    compiler: Compiler,
    settings: Settings,
) -> RunHere | Send:
    """Decide; reads response files, the head of preprocessed inputs and the host list, nothing else."""

    def read_file(name: bytes) -> bytes | None:
        return _read_start(os.path.join(cwd, name), _MAX_RESPONSE_FILE_BYTES)

    verdict = analyze(argv, compiler, environment, read_file)
    if isinstance(verdict, LocalOnly):
        return RunHere(verdict.reason, os.fsdecode(verdict.detail))
    if settings.mode == "local":
        return RunHere(Reason.MODE_LOCAL)
    if settings.mode == "replica":
        return RunHere(Reason.MODE_REPLICA)
    if compiler.remote_name is None:
        return RunHere(Reason.COMPILER_NAME, os.fsdecode(argv[0]))
    obstacle = _obstacle_on_disk(verdict, cwd)
    if obstacle is not None:
        return obstacle
    forms = verdict.exact_forms if settings.exact else verdict.exact_forms + verdict.approximate_forms
    return _with_hosts(verdict, forms, settings)


def _with_hosts(compilation: Compilation, forms: tuple[Form, ...], settings: Settings) -> RunHere | Send:
    try:
        found = find_host_list(settings)
    except HostListError as error:
        return RunHere(Reason.BAD_HOST_LIST, str(error))
    hosts = found.host_list
    if hosts is None or not (hosts.hosts or hosts.zeroconf):
        return RunHere(Reason.NO_HOSTS, found.origin)
    if not hosts.zeroconf and all(host.kind is HostKind.LOCAL for host in hosts.hosts):
        return RunHere(Reason.LOCALHOST_ENTRY, found.origin)
    if not forms:
        return RunHere(Reason.DEBUG_COLUMNS)
    return Send(compilation, found, forms)


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
