"""By which names a compiler calls the files of one unit: pump mode is right only where that is sure.

Below a server's root a file that is found by a relative name is called as it is here; one that is found by
an absolute name has to say its name itself. A scan knows places, not spellings; but everything that a
compiler finds begins with the spelling of a search directory, of the source's or of a forced file's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetcc.agent.scans import Scan
from fleetcc.backends.link import PumpUnfitError
from fleetcc.includes.unit import absolute
from fleetcc.wire.files import Entry, Link

_PRECOMPILED = (b".gch", b".pch")


@dataclass(frozen=True, slots=True)
class Question:
    """One unit, and what its command says of names."""

    cwd: bytes
    source: bytes
    forced: tuple[bytes, ...]
    system: tuple[bytes, ...]  # directories of -isystem and -idirafter, absolute
    own: tuple[bytes, ...]  # where the compiler looks by itself, as real paths


def names(asked: Question, scan: Scan, entries: Mapping[bytes, Entry]) -> dict[bytes, bytes | None]:
    """By the real path of each file that travels: its name where that is absolute, else None.

    Raises PumpUnfitError where a file may have two names, or one that cannot be told.
    """
    ways = _Ways(entries)
    roots = (*scan.search.quote, *scan.search.angled)
    starts = tuple(map(_directory, (asked.source, *asked.forced)))
    absolutes = _roots(asked.cwd, (path for path in (*roots, *starts) if path[:1] == b"/"))
    relatives = _roots(asked.cwd, (path for path in (*roots, *starts) if path[:1] != b"/"))
    # What compilers leave in a name, a scan does not tell: /p/./a.h
    odd = _roots(asked.cwd, (p for p in (*roots, *starts) if absolute(asked.cwd, p) != p.rstrip(b"/")))
    for root in relatives:
        ways.real(root[:-1])  # does it climb out of the root of all?
    system = _roots(asked.cwd, asked.system)
    own = tuple(path + b"/" for path in asked.own)
    found: dict[bytes, bytes | None] = {}
    for path in scan.closure.files:
        real = ways.real(path)
        if any(part.endswith(_PRECOMPILED) for part in path.split(b"/")):
            raise PumpUnfitError(f"{_shown(path)} is precompiled")
        if real.startswith(own):
            continue
        is_absolute = path.startswith(absolutes)
        if is_absolute == path.startswith(relatives):
            raise PumpUnfitError(f"{_shown(path)} may be called by another name")
        if is_absolute and path.startswith(odd):
            raise PumpUnfitError(f"{_shown(path)} is found by an odd name")
        if is_absolute and real != path and path.startswith(system):
            raise PumpUnfitError(f"{_shown(path)} may be called by its real name")
        name = path if is_absolute else None
        if found.setdefault(real, name) != name:
            raise PumpUnfitError(f"{_shown(path)} has two names")
    if ways.real(absolute(asked.cwd, asked.source)) not in found:
        raise PumpUnfitError("the source is in a directory that the host has itself")
    return found


@dataclass(slots=True)
class _Ways:
    """Follows the links of a manifest."""

    entries: Mapping[bytes, Entry]
    _known: dict[bytes, bytes] = field(default_factory=lambda: {b"": b""})

    def real(self, path: bytes) -> bytes:
        """The real path; the root is empty."""
        known = self._known.get(path)
        if known is None:
            directory, _, name = path.rpartition(b"/")
            self._known[path] = path  # of a link in a circle
            known = self._known[path] = self._step(self.real(directory), name)
        return known

    def _step(self, here: bytes, name: bytes) -> bytes:
        if name in {b"", b"."}:
            return here
        if name == b"..":
            if not here:
                raise PumpUnfitError("a name climbs higher than the root")
            return here.rpartition(b"/")[0]
        entry = self.entries.get(here + b"/" + name)
        if not isinstance(entry, Link):
            return here + b"/" + name
        return self.real(entry.target if entry.target[:1] == b"/" else here + b"/" + entry.target)


def _roots(cwd: bytes, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(absolute(cwd, path) + b"/" for path in paths))


def _directory(path: bytes) -> bytes:
    directory, slash, _ = path.rpartition(b"/")
    return directory or slash or b"."


def _shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
