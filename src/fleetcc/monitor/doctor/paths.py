"""What a compiler's name leads to on PATH: the compiler, a launcher's link, ccache, or somebody else's."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.settings.values import printable
from fleetcc.toolchain.contents import DEFAULT_PATH, is_program
from fleetcc.toolchain.identity import WRAPPERS

FLEETCC: Final = "fleetcc"
CCACHE: Final = "ccache"
# What a launcher passes over when it looks for the compiler (launcher.program has the same names).
LAUNCHERS: Final = (FLEETCC, "distcc")

_FOLDERS: Final = {
    b"/lib/fleetcc": FLEETCC,
    b"/lib/distcc": "distcc",
    b"/lib/ccache": CCACHE,
    b"/lib64/ccache": CCACHE,
    b"/lib/icecc": "icecc",
}
_OURS: Final = (b"fleetcc-cli", b"fleetccd")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One program of that name on PATH."""

    path: bytes
    wrapper: str = ""  # whose link it is; empty: nobody's, so a compiler


def candidates(name: bytes, environment: Mapping[bytes, bytes], launcher: bytes | None) -> list[Candidate]:
    """All programs of this name, in PATH's order; a path is itself. `launcher`: fleetcc, if it is there."""
    found = []
    folders = [b""] if b"/" in name else environment.get(b"PATH", DEFAULT_PATH).split(b":")
    for folder in folders:
        path = name if b"/" in name else os.path.join(folder or b".", name)
        if is_program(path):
            found.append(Candidate(path, _wrapper(path, launcher)))
    return found


def _wrapper(path: bytes, launcher: bytes | None) -> str:
    if launcher is not None and os.path.samefile(path, launcher):
        return FLEETCC
    real = os.path.basename(os.path.realpath(path))
    if real in WRAPPERS:
        return FLEETCC if real in _OURS else real.decode()
    folder = os.path.dirname(path).rstrip(b"/")
    return next((wrapper for end, wrapper in _FOLDERS.items() if folder.endswith(end)), "")


def compiler_of(found: Sequence[Candidate]) -> Candidate | None:
    """What `fleetcc NAME` would run: the first that is no launcher's."""
    return next((candidate for candidate in found if candidate.wrapper not in LAUNCHERS), None)


def judge_path(name: str, found: Sequence[Candidate], environment: Mapping[bytes, bytes]) -> list[Finding]:
    """What is wrong with the order of PATH; nothing for a name that leads straight to a compiler."""
    if not found:
        return []
    compiler = compiler_of(found)
    if compiler is None:
        text = f"leads to {_shown(found[0])} and there is no compiler behind it"
        return [error(name, text, "install the compiler, or put its folder on PATH")]
    return [*_masquerade(name, found, compiler), *_foreign(name, compiler, environment)]


def _masquerade(name: str, found: Sequence[Candidate], compiler: Candidate) -> Iterable[Finding]:
    links = [candidate for candidate in found if candidate.wrapper == FLEETCC]
    if not links:
        return
    link, place = links[0], found.index(links[0])
    before = [candidate for candidate in found[:place] if candidate.wrapper != FLEETCC]
    if before:
        text = f"{_path(link)}, a link to fleetcc, is not reached: {_shown(before[0])} comes first on PATH"
        yield warning(name, text, f"put {_path(link).rpartition('/')[0]} first on PATH")
    else:
        yield ok(name, f"leads to fleetcc by {_path(link)}, and that to {_shown(compiler)}")


def _foreign(name: str, compiler: Candidate, environment: Mapping[bytes, bytes]) -> Iterable[Finding]:
    if compiler.wrapper == CCACHE:
        if _prefix(environment) == FLEETCC:
            yield ok(name, f"leads to {_shown(compiler)}, and that to fleetcc (CCACHE_PREFIX)")
            return
        text = f"leads to {_shown(compiler)}: what `fleetcc {name}` sends to hosts goes past the cache"
        yield warning(name, text, f"CCACHE_PREFIX=fleetcc, and call {name} without fleetcc")
    elif compiler.wrapper:
        text = f"leads to {_shown(compiler)}, which distributes or wraps it by itself"
        yield warning(name, text, f"take {_path(compiler).rpartition('/')[0]} off PATH")


def _prefix(environment: Mapping[bytes, bytes]) -> str:
    words = environment.get(b"CCACHE_PREFIX", b"").split()
    return words[-1].rpartition(b"/")[2].decode(errors="replace") if words else ""


def _path(candidate: Candidate) -> str:
    return printable(candidate.path)


def _shown(candidate: Candidate) -> str:
    return f"{_path(candidate)} ({candidate.wrapper})" if candidate.wrapper else _path(candidate)
