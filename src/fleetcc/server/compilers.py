"""Which program a client's compiler word stands for: the allow-list of compilers.

A word is a bare name of a gcc or clang driver, or one that the distribution's list of masqueraded compilers
names, and is then looked up on the server's PATH. A list of full paths (DISTCC_CMDLIST) replaces that rule,
and an unreadable one allows nothing. Links to distcc or fleetcc are never run: they would send the job on.
"""

import os
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.command.serverside import is_compiler_name
from fleetcc.errors import UsageError

MASQUERADE_DIRECTORIES: Final = (b"/usr/lib/distcc",)
_DISTRIBUTORS: Final = frozenset(
    (b"distcc", b"fleetcc", b"fleetcc-cli", b"icecc", b"nocc", b"homcc", b"distccd", b"fleetccd")
)
_CUT_DIRECTORIES: Final = (b"/usr/bin/", b"/bin/")


@dataclass(frozen=True, slots=True)
class Program:
    """The file to run."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """A compiler that would be allowed, but is not here."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Not a compiler that this server runs."""

    sentence: str


Resolution: TypeAlias = Program | Missing | Forbidden


@dataclass(frozen=True, slots=True)
class CompilerRules:
    """What the administrator allows."""

    path: bytes  # PATH to look compilers up on, and the compilers' own
    command_list: str | None = None  # file of full paths, one a line
    command_list_words: int = 1  # how many last components of a path a client's word is compared with
    insecure: bool = False  # any program on PATH, or by absolute path

    def resolve(self, word: bytes) -> Resolution:
        """Find the program that a client's argv[0] asks for."""
        if self.command_list is not None:
            return self._resolve_listed(word)
        if self.insecure and word.startswith(b"/"):
            return Program(word) if _is_program(word) else _missing(word)
        name = _without_directory(word)
        if b"/" in name or not name or name in (b".", b".."):
            return Forbidden(f"compiler {word!r}: a name without a directory was expected")
        if not self.insecure and not _is_allowed_name(name):
            return Forbidden(f"compiler {name!r} is not in the list of allowed compilers")
        return self._look_up(name)

    def _look_up(self, name: bytes) -> Resolution:
        for directory in self.path.split(b":"):
            candidate = os.path.join(directory, name)
            if directory.startswith(b"/") and _is_program(candidate) and not _distributes(candidate):
                return Program(candidate)
        return _missing(name)

    def _resolve_listed(self, word: bytes) -> Resolution:
        assert self.command_list is not None
        try:
            paths = listed_paths(self.command_list)
        except OSError as error:
            return Forbidden(f"no compiler is allowed: the list of commands cannot be read: {error}")
        wanted = word.split(b"/")[-self.command_list_words :]
        for path in paths:
            if path.split(b"/")[-self.command_list_words :] == wanted:
                return Program(path) if _is_program(path) else _missing(path)
        return Forbidden(f"compiler {word!r} is not in {self.command_list}")


def parse_words(value: str | None) -> int:
    """DISTCC_CMDLIST_NUMWORDS, 1 when it is not set; raises UsageError."""
    if value is None:
        return 1
    if not value.isdecimal() or not int(value):
        raise UsageError(f"DISTCC_CMDLIST_NUMWORDS {value!r}: expected a number from 1")
    return int(value)


def listed_paths(command_list: str) -> list[bytes]:
    """The full paths that a list of commands names, in its order; raises OSError."""
    with open(command_list, "rb") as file:
        lines = file.read().split(b"\n")
    return [line.rstrip() for line in lines if line.startswith(b"/")]


def _missing(name: bytes) -> Missing:
    return Missing(
        f"fleetccd: failed to exec {name.decode(errors='replace')}: no such program on this server"
    )


def _without_directory(word: bytes) -> bytes:
    for directory in _CUT_DIRECTORIES:
        if word.startswith(directory):
            return word[len(directory) :]
    return word


def _is_allowed_name(name: bytes) -> bool:
    if is_compiler_name(name):
        return True
    return any(os.access(os.path.join(directory, name), os.X_OK) for directory in MASQUERADE_DIRECTORIES)


def _is_program(path: bytes) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _distributes(path: bytes) -> bool:
    return os.path.islink(path) and os.path.basename(os.path.realpath(path)) in _DISTRIBUTORS
