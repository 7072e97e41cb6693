"""Finds the files of a compiler by asking it: its commands, libraries, settings and places of headers.

What a driver looks for and does not find here is not there in a partial copy either, so only what it finds
has to be known. clang takes headers from a GCC that it recognises by its startup files; those go along.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.model import Family
from fleetcc.toolchain import locales
from fleetcc.toolchain.asking import VARIABLES, Asking, asking_environment, settings_files
from fleetcc.toolchain.contents import (
    RETRY_SECONDS,
    Stamp,
    UnidentifiedError,
    find_on_path,
    is_program,
    stamp_of,
)
from fleetcc.toolchain.files import DECIDING_VARIABLES, FOREIGN_CODE, Answer, CannotShip, Toolchain
from fleetcc.toolchain.files_ccache import behind_ccache, is_ccache
from fleetcc.toolchain.files_options import asked_charset, loads_code, relevant_options
from fleetcc.toolchain.files_questions import (
    Command,
    Compiling,
    gcc_installations,
    include_directories,
    loaded_files,
    translation_directories,
)
from fleetcc.toolchain.identify import understand
from fleetcc.toolchain.identity import check_name
from fleetcc.toolchain.libraries import LOADER_CACHE
from fleetcc.toolchain.native import Expansions, expansions_of_clang, expansions_of_gcc

# By these clang tells distributions apart.
_DISTRIBUTION: Final = (
    b"/etc/lsb-release", b"/etc/os-release", b"/usr/lib/os-release", b"/etc/debian_version",
    b"/etc/redhat-release", b"/etc/SuSE-release", b"/etc/gentoo-release", b"/etc/arch-release",
    b"/etc/alpine-release",
)  # fmt: skip
_TEMPORARY: Final = (b"TMPDIR", b"TMP", b"TEMP")


@dataclass(frozen=True, slots=True)
class Question:
    """What a toolchain depends on beside the disk."""

    program: bytes
    typed: bytes
    language: bytes
    options: Command
    converts: bool
    variables: tuple[bytes | None, ...]


def question(
    program: bytes, typed: bytes, environment: Mapping[bytes, bytes], language: bytes,
    words: Iterable[bytes], cwd: bytes,
) -> Question | CannotShip:  # fmt: skip
    """The part of a job that decides; `words` may be all of its command line but the compiler."""
    words = tuple(words)
    foreign = loads_code(words) or next((name for name in FOREIGN_CODE if environment.get(name)), b"")
    if foreign:
        return CannotShip(f"{os.fsdecode(foreign)} brings code that is not part of the compiler", 0.0)
    relative = next((name for name in VARIABLES if _has_relative(environment.get(name, b""))), b"")
    if relative:
        return CannotShip(f"{os.fsdecode(relative)} names a folder that is not absolute", 0.0)
    variables = tuple(map(environment.get, DECIDING_VARIABLES))
    return Question(program, typed, language, relevant_options(words, cwd), asked_charset(words), variables)


def toolchain_files(
    program: bytes, typed: bytes, environment: Mapping[bytes, bytes], language: bytes,
    options: Iterable[bytes] = (), cwd: bytes = b"/", *, folder: str | None = None,
) -> Answer:  # fmt: skip
    """The files that a compile needs beside sources and headers (blocking: the compiler is run some times).

    `options` may be a whole command line; `cwd` is what its paths are relative to. In `folder` a file is left
    where the processor of this machine has to be put into words for gcc.
    """
    asked = question(program, typed, environment, language, options, cwd)
    return asked if isinstance(asked, CannotShip) else examine_files(asked, environment, folder)


def examine_files(asked: Question, environment: Mapping[bytes, bytes], folder: str | None) -> Answer:
    """Like toolchain_files."""
    try:
        place = os.fsdecode(environment.get(b"TMPDIR") or b"/tmp")
        with tempfile.TemporaryDirectory(prefix="fleetcc-", dir=place, ignore_cleanup_errors=True) as empty:
            found = _Search(asked, environment, os.fsencode(empty), folder).run()
    except UnidentifiedError as error:
        return CannotShip(f"compiler {asked.program!r}: {error.sentence}", error.retry_seconds)
    except OSError as error:
        return CannotShip(f"compiler {asked.program!r}: {error}", RETRY_SECONDS)
    if not found.is_current(environment):
        return CannotShip(f"compiler {asked.program!r}: it changed while it was examined", 0.0)
    return found


def _has_relative(value: bytes) -> bool:
    return value != b"" and not all(part.startswith(b"/") for part in value.split(b":"))


# What has gcc's linker compile; in the folder of its compilers proper.
_PLUGIN: Final = b"liblto_plugin.so"


@dataclass(slots=True)
class _Search:
    """Collects the paths of one compiler, and what to watch."""

    asked: Question
    environment: Mapping[bytes, bytes]
    empty: bytes
    folder: str | None
    paths: dict[bytes, None] = field(default_factory=dict)
    watched: dict[bytes, Stamp] = field(default_factory=dict)
    searched: dict[bytes, bytes] = field(default_factory=dict)

    def run(self) -> Toolchain:
        program, argv0 = self.asked.program, self.asked.typed
        if is_ccache(program):
            candidates = behind_ccache(program, self.environment, self.empty)
            for candidate in (program, *candidates):
                self._watch(candidate)
            program = argv0 = candidates[-1]
        check_name(program)
        asking = Asking(program, asking_environment(self.environment), self.empty)
        compiling = Compiling(asking, self.asked.language, self.asked.options)
        story = compiling.story()
        family, _, _ = understand(story)
        expansions = self._find(compiling, story, is_clang=family is Family.CLANG)
        self._add_circumstances(story)
        self._watch_all()
        return Toolchain(
            program,
            argv0,
            tuple(self.paths),
            expansions,
            tuple(self.watched.items()),
            tuple(self.searched.items()),
        )

    def _find(self, compiling: Compiling, story: bytes, *, is_clang: bool) -> Expansions:
        commands = compiling.commands()
        self._add_programs(compiling.asking, [command[0] for command in commands])
        self._add(settings_files(story))
        self._add(filter(os.path.isdir, include_directories(story)))
        if is_clang:
            self._add_neighbours_of_clang(commands, story)
            return expansions_of_clang(compiling)
        folder = os.path.dirname(commands[0][0])
        self._watch(os.path.join(folder, b"specs"))  # replaces built-in ones
        # Without -c the driver looks for it, also where it has nothing to link (-fsyntax-only).
        self._add(filter(os.path.isfile, (os.path.join(folder, _PLUGIN),)))
        expansions = expansions_of_gcc(compiling, self.folder)
        self._add(
            word.partition(b"=")[2] for words in expansions.values() for word in words if b"specs=/" in word
        )
        return expansions

    def _add(self, paths: Iterable[bytes]) -> None:
        self.paths.update(dict.fromkeys(paths))

    def _add_programs(self, asking: Asking, names: list[bytes]) -> None:
        for name in dict.fromkeys((asking.program, *names)):
            path = name
            if b"/" not in name:  # the driver leaves the search to execvp
                path = self.searched[name] = find_on_path(name, asking.environment)
            if not os.path.isabs(path) or not is_program(path):
                raise UnidentifiedError(f"{os.fsdecode(name)!r}, which it would run, is not there")
            self._add(loaded_files(asking, path))
            # Also where the cache is not needed now: another library may be loaded when it changes.
            self._watch(LOADER_CACHE)

    def _add_neighbours_of_clang(self, commands: list[Command], story: bytes) -> None:
        self._add(filter(os.path.isfile, _DISTRIBUTION))
        for installation in gcc_installations(story):
            self._watch(os.path.dirname(installation))  # another version may appear
            subfolders = (entry.path for entry in os.scandir(installation) if entry.is_dir())
            folders = (installation, *sorted(subfolders))
            self._add(filter(os.path.isfile, (folder + b"/crtbegin.o" for folder in folders)))
        for command in commands:
            if b"-resource-dir" in command[:-1]:
                resources = command[command.index(b"-resource-dir") + 1]
                self._add(filter(os.path.isdir, (resources, resources + b"/include")))
                self._add(_files_in(resources + b"/share"))  # what sanitizers leave alone

    def _add_circumstances(self, story: bytes) -> None:
        environment = self.environment
        found = locales.locale_files(environment, translation_directories(story))
        self._add(found.paths)
        for directory in found.directories:
            self._watch(directory)
        libc = next((path for path in self.paths if os.path.basename(path) == b"libc.so.6"), b"")
        converts = self.asked.converts or locales.needs_conversion(environment)
        if libc and (found.paths or converts):
            self._add(locales.conversion_files(libc, everything=converts))
        self._add(locales.zone_files(environment))
        self._watch(locales.LOCAL_TIME)
        temporary = (environment.get(name, b"") for name in _TEMPORARY)
        self._add(path for path in temporary if os.path.isabs(path) and os.path.isdir(path))

    def _watch(self, path: bytes) -> None:
        self.watched.setdefault(path, stamp_of(path))

    def _watch_all(self) -> None:
        for path in self.paths:
            if not os.path.isdir(path) and b"/gconv/" not in path:
                self._watch(path)


def _files_in(folder: bytes) -> list[bytes]:
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []
