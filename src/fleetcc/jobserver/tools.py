"""Which build tool a command is, and how that tool is told how many jobs to run.

    GNU make 4.4 and later   the path of a named pipe (fifo)
    GNU make 4.0 to 4.3      two inherited descriptors (pipe); 4.0 and 4.1 call the option --jobserver-fds
    ninja 1.13 and later     fifo
    cmake --build, meson compile    what the tool below them reads
    older ones, samurai, BSD make   a fixed -j
    anything else, a script  what the make on PATH reads, else the ninja: it will call one of them

A tool whose command line says -j is left alone: that is an explicit wish, and make would only say that it
forgets the jobserver.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fleetcc.jobserver import options
from fleetcc.jobserver.options import Grammar

Version = tuple[int, ...]
# The first line that a program says to --version; empty when it cannot be run.
Ask = Callable[[str], str]


class Kind(Enum):
    """What a command is."""

    MAKE = "make"
    BMAKE = "bmake"
    NINJA = "ninja"
    CMAKE_BUILD = "cmake --build"
    MESON_BUILD = "meson compile"
    CMAKE = "cmake"  # that writes a build
    CONFIGURE = "configure"  # other programs that do
    OTHER = "other"


class Way(Enum):
    """How a tool is told."""

    FIFO = "fifo"
    PIPE = "pipe"
    COUNT = "count"  # -jN, for good
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, known."""

    kind: Kind
    way: Way
    option: str = "auth"  # of --jobserver-…=
    why: str = ""  # it is not a jobserver


_NAMES: Final = {
    "make": Kind.MAKE, "gmake": Kind.MAKE, "gnumake": Kind.MAKE,
    "bmake": Kind.BMAKE, "pmake": Kind.BMAKE,
    "ninja": Kind.NINJA, "ninja-build": Kind.NINJA, "samu": Kind.NINJA, "samurai": Kind.NINJA,
    "configure": Kind.CONFIGURE, "config.status": Kind.CONFIGURE, "autogen.sh": Kind.CONFIGURE,
}  # fmt: skip
_GRAMMARS: Final[Mapping[Kind, Grammar]] = {
    Kind.MAKE: options.MAKE,
    Kind.BMAKE: options.BMAKE,
    Kind.NINJA: options.NINJA,
    Kind.CMAKE_BUILD: options.CMAKE_BUILD,
    Kind.MESON_BUILD: options.MESON,
}
_GNU_MAKE: Final = re.compile(r"GNU Make (\d+)\.(\d+)")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_MAKE_PROGRAM: Final = re.compile(r"^CMAKE_MAKE_PROGRAM:\w+=(.+)$", re.MULTILINE)
# By its path, so that no link on PATH is found first.
_CALLS_MAKE: Final = re.compile(rb"/g?make(?=[\s'\";])")
_BEFORE_PATH: Final = re.compile(rb"[\s'\";=&|(]")
_LONGEST_PATH: Final = 4096
_ALREADY: Final = "the command says how many jobs to run"


def kind_of(command: Sequence[str]) -> Kind:
    """By the names of program and verb."""
    name, words = os.path.basename(command[0]), command[1:]
    if name in {"cmake", "cmake3"}:
        is_other = words[:1] in (["-E"], ["-P"], ["--install"], ["--open"])
        return Kind.CMAKE_BUILD if "--build" in words[:1] else Kind.OTHER if is_other else Kind.CMAKE
    if name in {"meson", "meson.py"}:
        return Kind.MESON_BUILD if words[:1] == ["compile"] else Kind.CONFIGURE
    return _NAMES.get(name, Kind.OTHER)


def recognise(command: Sequence[str], ask: Ask) -> Tool:
    """Which tool it is, by asking it or the one that it will call for its version."""
    kind = kind_of(command)
    if kind in {Kind.CMAKE, Kind.CONFIGURE}:
        return Tool(kind, Way.NOTHING, why="it sets a build up")
    if kind in _GRAMMARS and _counts(command, kind):
        return Tool(kind, Way.NOTHING, why=_ALREADY)
    if kind is Kind.OTHER:
        way, option = _by_path(ask)
    elif kind is Kind.CMAKE_BUILD:
        folder = command[2] if len(command) > 2 else ""
        below = _make_program(folder) or "make"
        way, option = _by_program(below, kind_of([below]), [below, "-C", folder], ask)
    elif kind is Kind.MESON_BUILD:
        folder = options.value_of(command[2:], options.MESON, "C", ".")
        way, option = _by_program("ninja", Kind.NINJA, ["ninja", "-C", folder], ask)
    else:
        way, option = _by_program(command[0], kind, command, ask)
    return Tool(kind, way, option or "auth")


def with_count(command: Sequence[str], kind: Kind, count: int) -> list[str]:
    """The command with a fixed number of jobs; cmake is told by a variable."""
    place = 2 if kind is Kind.MESON_BUILD else 1
    return list(command) if kind is Kind.CMAKE_BUILD else [*command[:place], f"-j{count}", *command[place:]]


def reads_only_descriptors(make_says: str) -> bool:
    """Whether that make would stop at a named pipe: 4.2 and 4.3 do."""
    return (4, 0) <= _gnu_make(make_says) < (4, 4)


def _counts(command: Sequence[str], kind: Kind) -> bool:
    words = list(command[1:])
    native = words[words.index("--") + 1 :] if kind is Kind.CMAKE_BUILD and "--" in words else []
    return options.counts_jobs(words, _GRAMMARS[kind]) or options.counts_jobs(native, options.MAKE)


def _by_program(program: str, kind: Kind, command: Sequence[str], ask: Ask) -> tuple[Way, str]:
    says = ask(program)
    if kind is Kind.MAKE and (make := _gnu_make(says)):
        if make >= (4, 4):
            return Way.FIFO, "auth"
        if make >= (4, 0):
            return Way.PIPE, "auth" if make >= (4, 2) else "fds"
    elif kind is Kind.NINJA and "samu" not in program and _version(says) >= (1, 13):
        # What cannot be asked, as `$dir/make`, is taken for the one on PATH.
        would_stop = any(reads_only_descriptors(ask(make) or ask("make")) for make in _makes_called(command))
        return (Way.COUNT, "") if would_stop else (Way.FIFO, "auth")
    return Way.COUNT, ""


def _by_path(ask: Ask) -> tuple[Way, str]:
    way, option = _by_program("make", Kind.MAKE, ["make"], ask)
    if way is Way.COUNT:
        way, option = _by_program("ninja", Kind.NINJA, ["ninja"], ask)
    return (Way.NOTHING, "") if way is Way.COUNT else (way, option)


def _gnu_make(says: str) -> Version:
    found = _GNU_MAKE.match(says)
    return (int(found[1]), int(found[2])) if found else ()


def _version(says: str) -> Version:
    found = _VERSION.match(says)
    return (int(found[1]), int(found[2])) if found else ()


def _make_program(folder: str) -> str:
    """The tool that a build folder of CMake is for."""
    try:
        with open(os.path.join(folder, "CMakeCache.txt"), errors="replace") as file:
            found = _MAKE_PROGRAM.search(file.read())
    except OSError:
        return ""
    return found[1] if found else ""


def _makes_called(command: Sequence[str]) -> list[str]:
    """The paths of makes that ninja is to run."""
    arguments = command[1:]
    folder = options.value_of(arguments, options.NINJA, "C", ".")
    name = options.value_of(arguments, options.NINJA, "f", "build.ninja")
    try:
        with open(os.path.join(folder, name), "rb") as file:
            text = file.read()
    except OSError:
        return []
    # The end is looked for first: a pattern of the whole path takes seconds for a big project's file.
    ends = (found.end() for found in _CALLS_MAKE.finditer(text))
    paths = (_BEFORE_PATH.split(text[max(0, end - _LONGEST_PATH) : end])[-1] for end in ends)
    return [os.fsdecode(path) for path in dict.fromkeys(paths)]
