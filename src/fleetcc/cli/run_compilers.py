"""What makes a build call fleetcc: links first on PATH, or variables that name its compilers.

Links also reach a Makefile that sets CC itself, but no compiler that is called by its path. What writes a
build (CMake, configure, Meson) keeps what it was told, so it is told by variables, in the form that
one would type.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from fleetcc.cli.run_ccache import CCACHE, ccache_variables
from fleetcc.cli.run_links import LAUNCHER, Found, find_compilers, find_launcher, make_folder
from fleetcc.errors import UsageError
from fleetcc.jobserver.old_make import make_script
from fleetcc.jobserver.tools import Kind
from fleetcc.settings.values import shortened

FOLDER: Final = "names"  # of the state directory

# Each variable that names a compiler, and the names that stand for it, best first.
_COMPILERS: Final = {"CC": ("cc", "gcc", "clang"), "CXX": ("c++", "g++", "clang++")}
_CMAKE: Final = ("CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER")
_WRAPPERS: Final = frozenset((CCACHE, "sccache", "distcc", "fleetcc", "icecc"))


class Means(Enum):
    """How a build comes to call us; each does what is below it too."""

    LINKS = "links"
    VARIABLES = "variables"
    CMAKE = "cmake"  # its variables alone: it takes CC="fleetcc gcc" for a compiler named fleetcc


def means_for(kind: Kind) -> Means:
    """What is best for this kind of command."""
    if kind is Kind.CMAKE:
        return Means.CMAKE
    return Means.VARIABLES if kind is Kind.CONFIGURE else Means.LINKS


def with_compilers(
    environment: Mapping[str, str], means: Means, state_dir: str, *, old_makes: Iterable[str] = ()
) -> dict[str, str]:
    """The environment in which a build calls fleetcc. Raises FleetccError.

    `old_makes`: names on PATH of makes that read descriptors only, see old_make.py.
    """
    changed = dict(environment)
    path = environment.get("PATH") or os.defpath
    launcher = find_launcher(path)
    found = find_compilers(path)
    names = dict.fromkeys(found.names, launcher) if means is Means.LINKS else {}
    word = _word(launcher, path)
    if not word:  # it has to be on PATH, and its own folder may hold much else
        names[LAUNCHER], word = launcher, LAUNCHER
    makes = ((name, shutil.which(name, path=path)) for name in old_makes)
    scripts = {name: make_script(make) for name, make in makes if make is not None}
    if names or scripts:
        folder = make_folder(os.path.join(os.path.abspath(state_dir), FOLDER), names, scripts)
        changed["PATH"] = f"{folder}:{path}"
        if means is Means.LINKS:
            changed |= ccache_variables(environment, path, launcher, word, folder)
    uses_ccache = bool(found.by_ccache)
    for variable, standard in _COMPILERS.items():
        said = _words(variable, changed.get(variable, "")) or [_first_on(path, standard)]
        uses_ccache = uses_ccache or _is_ccache(said[0])
        if _is_to_be_named(said[0], variable in changed, found, means):
            changed[variable] = f"{word} {changed.get(variable) or said[0]}"
    uses_ccache = uses_ccache or any(_is_ccache(changed.get(variable, "")) for variable in _CMAKE)
    if uses_ccache:
        changed.setdefault("CCACHE_PREFIX", word)
    else:
        for variable in _CMAKE:
            changed.setdefault(variable, word)
    return changed


def _word(launcher: str, path: str) -> str:
    """What to call the launcher in a variable: its name where that finds it; empty: there is no good word."""
    on_path = shutil.which(LAUNCHER, path=path)
    if on_path is not None and os.path.samefile(on_path, launcher):
        return LAUNCHER
    return launcher if shlex.quote(launcher) == launcher else ""


def _is_to_be_named(program: str, is_said: bool, found: Found, means: Means) -> bool:  # noqa: FBT001
    """Whether the variable must call us: what ccache runs calls us already, and links are found by name."""
    if means is Means.CMAKE or os.path.basename(program) in _WRAPPERS or program in found.by_ccache:
        return False
    return means is Means.VARIABLES or (is_said and "/" in program)


def _first_on(path: str, names: tuple[str, ...]) -> str:
    return next((name for name in names if shutil.which(name, path=path)), names[0])


def _is_ccache(program: str) -> bool:
    return os.path.basename(program) == CCACHE


def _words(variable: str, value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise UsageError(f"{variable}: found {shortened(value)}: {error}; correct it or unset it") from error
