"""The compilers of this machine: what they are, whether they can travel as files, whether hosts can be asked
for the same one."""

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.model import Compiler, Family
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.monitor.doctor.paths import CCACHE, Candidate, candidates, compiler_of, judge_path
from fleetcc.settings.values import printable
from fleetcc.toolchain.files import Answer, CannotShip
from fleetcc.toolchain.files_search import toolchain_files
from fleetcc.toolchain.identify import identify, looks_like_a_compiler
from fleetcc.toolchain.identity import WRAPPERS, kind_of
from fleetcc.toolchain.identity_cache import IdentityCache

NAMES: Final = ("cc", "gcc", "g++", "clang", "clang++")
_VARIABLES: Final = (b"CC", b"CXX")
_SHOWN_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Named:
    """One compiler, by all the names that lead to it."""

    titles: tuple[str, ...]  # "gcc", "$CC"
    typed: bytes
    found: tuple[Candidate, ...]  # on PATH, or the path that was typed


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about one compiler."""

    compiler: Compiler
    files: Answer
    digest: str | None  # of its identity
    why_not: str  # it has none


def named_compilers(environment: Mapping[bytes, bytes]) -> list[Named]:
    """The usual names that are on PATH, and those of $CC and $CXX; names of one compiler together."""
    launcher = shutil.which("fleetcc", path=_path_of(environment))
    link = os.fsencode(launcher) if launcher is not None else None
    grouped: dict[tuple[object, ...], Named] = {}
    for title, typed in _words(environment):
        found = tuple(candidates(typed, environment, link))
        if not found and title in NAMES:
            continue
        compiler = compiler_of(found)
        same = (os.path.realpath(compiler.path), compiler.wrapper, kind_of(typed)) if compiler else (title,)
        known = grouped.get(same)
        if known is not None and _wrappers(known.found) == _wrappers(found):
            grouped[same] = Named((*known.titles, title), known.typed, known.found)
        else:
            grouped[same if known is None else (*same, title)] = Named((title,), typed, found)
    return list(grouped.values())


def _wrappers(found: Sequence[Candidate]) -> list[str]:
    return [candidate.wrapper for candidate in found]


def _path_of(environment: Mapping[bytes, bytes]) -> str | None:
    path = environment.get(b"PATH")
    return os.fsdecode(path) if path is not None else None


def _words(environment: Mapping[bytes, bytes]) -> list[tuple[str, bytes]]:
    found = [(name, name.encode()) for name in NAMES]
    for variable in _VARIABLES:
        word = compiler_word(environment.get(variable, b""))
        if word:
            found.append((f"${variable.decode()}", word))
    return found


def compiler_word(command: bytes) -> bytes:
    """The compiler in a value such as `ccache fleetcc g++ -m32`; empty when it has none."""
    try:
        words = [os.fsencode(word) for word in shlex.split(os.fsdecode(command))]
    except ValueError:  # a quote without its end
        words = command.split()
    for word in words:
        if os.path.basename(word) not in WRAPPERS and b"=" not in word:
            return word
    return b""


def check_compiler(
    named: Named, environment: Mapping[bytes, bytes], identities: IdentityCache, *, is_quick: bool
) -> list[Finding]:
    """PATH's order first, then the compiler itself; `is_quick`: it is not run."""
    title = ", ".join(printable(one) for one in named.titles)
    if not named.found:
        text = f"names {printable(named.typed)}, which is not on PATH"
        return [error(title, text, "correct the variable, or install the compiler")]
    found = judge_path(title, named.found, environment)
    compiler = compiler_of(named.found)
    if compiler is None or (compiler.wrapper and compiler.wrapper != CCACHE):
        return found
    if is_quick:
        return [*found, ok(title, f"is {printable(compiler.path)}")]
    return [*found, *judge(title, compiler, examine(compiler, named.typed, environment, identities))]


def examine(
    found: Candidate, typed: bytes, environment: Mapping[bytes, bytes], identities: IdentityCache
) -> Examined:
    """Ask the compiler (blocking: it is run some times, unless its identity is known)."""
    program = found.path
    compiler = identify(program, typed, environment)
    if compiler.family is Family.UNKNOWN:
        return Examined(compiler, CannotShip("it is neither gcc nor clang", 0.0), None, "")
    files = toolchain_files(program, typed, environment, kind_of(program))
    if found.wrapper == CCACHE:
        return Examined(compiler, files, None, "")
    identity = identities.find(program, environment)
    if identity is not None:
        return Examined(compiler, files, identity.digest, "")
    return Examined(compiler, files, None, identities.reason(program, environment) or "it changed just now")


def judge(title: str, found: Candidate, examined: Examined) -> list[Finding]:
    """What comes of it. Pure."""
    path, compiler = printable(found.path), examined.compiler
    if compiler.family is Family.UNKNOWN:
        said = "does not answer to -v as gcc and clang do" if looks_like_a_compiler(found.path) else "is none"
        return [warning(title, f"{path} {said}: what it compiles stays here", "name gcc or clang")]
    version = ".".join(map(str, compiler.version))
    what = f"{compiler.family.value} {version} for {compiler.target.decode(errors='replace')}, {path}"
    if isinstance(examined.files, CannotShip):
        text = f"{what}; cannot travel as files: {printable(examined.files.reason)}"
        remedy = "hosts that have the same compiler get text; else what it compiles stays here"
        return [warning(title, text, remedy)]
    travels = f"{what}; travels as {len(examined.files.paths)} files and folders"
    if examined.digest is not None:
        return [ok(title, f"{travels}; identity {examined.digest[:_SHOWN_DIGITS]}")]
    if examined.why_not:
        text = f"{travels}; its identity cannot be told: {printable(examined.why_not)}"
        return [warning(title, text, "hosts that take no files cannot be used with it")]
    return [ok(title, travels)]


def check_presence(named: Sequence[Named]) -> list[Finding]:
    """Whether there is any compiler at all."""
    if any(one.found for one in named):
        return []
    remedy = "install gcc or clang, or put their folder on PATH"
    return [error("compilers", f"none of {', '.join(NAMES)} is on PATH", remedy)]
