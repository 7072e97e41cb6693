"""Which compiler a program is, exactly: two machines with the same digest compile to the same bytes.

The digest is SHA-256 over SCHEME and a list of parts, each a name and a value, each of both preceded by its
length in decimal and a colon. Files go in by the SHA-256 of their content, what is not there as `absent`:

    family, version   as `-v` tells them
    kind              c or c++, from the name: clang and clang++ are one file and differ by the name alone
    driver            the program itself
    cc1, cc1plus      gcc: where -print-prog-name says; cc1 of clang: what `clang -###` would run, which is
                      the driver itself unless that is a script
    as                the assembler; clang's too, for -fno-integrated-as
    library NAME      the decisive shared libraries of these programs (see `libraries`), sorted
    libc              clang: the release of the glibc that folds its constants; empty for others
    settings          the specs or configuration files that `-v` says were read
    says              `-v` without the places of this machine: target, thread model, configure line
    macros c, c++     what -dM -E prints, sorted; without the C library's headers, which differ by machine

Paths do not go in: a copy of the driver that finds the same cc1 and assembler is the same compiler. Objective
C's cc1obj does not either: it comes from the same build as cc1, and most machines lack it.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.command.names import parse_compiler_name
from fleetcc.model import Family
from fleetcc.toolchain import asking, libraries
from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import (
    RETRY_SECONDS,
    Contents,
    Stamp,
    UnidentifiedError,
    find_on_path,
    is_current,
    is_program,
    stamp_of,
)
from fleetcc.toolchain.identify import understand

# Counts up with every change of what goes in or how: digests of two schemes are never equal.
SCHEME: Final = "fleetcc compiler identity 1"

ABSENT_PART: Final = b"absent"

# What a link of a compiler's name may lead to instead of a compiler.
WRAPPERS: Final = frozenset(
    (b"fleetcc", b"fleetcc-cli", b"fleetccd", b"distcc", b"distccd", b"icecc", b"nocc", b"homcc",
     b"ccache", b"sccache", b"buildcache", b"colorgcc", b"gomacc", b"rewrapper")
)  # fmt: skip

_FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Identity:
    """One compiler as it was when it was examined, and how to see that it still is."""

    digest: str
    files: tuple[tuple[bytes, Stamp], ...]  # what went in, and what would if it appeared (ABSENT)
    searched: tuple[tuple[bytes, bytes], ...]  # programs by bare name, and where on PATH; empty: nowhere

    def is_current(self, environment: Mapping[bytes, bytes]) -> bool:
        """Is every file what it was, and found where it was?"""
        return is_current(self.files, self.searched, environment)


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Why a program has no identity, and for how long that holds if its file stays."""

    reason: str
    retry_seconds: float


def compute_identity(program: bytes, environment: Mapping[bytes, bytes]) -> Identity | None:
    """What compiler an absolute path leads to (blocking: it is run several times); None: cannot be told."""
    found = examine(program, environment, Contents())
    return found if isinstance(found, Identity) else None


def examine(
    program: bytes, environment: Mapping[bytes, bytes], contents: Contents
) -> Identity | Unidentified:
    """Like compute_identity, with the reason; files that `contents` knows are not read again."""
    try:
        check_name(program)
        # Named, because Python would look for a place by writing a file into each that it tries.
        place = os.fsdecode(environment.get(b"TMPDIR") or b"/tmp")
        with tempfile.TemporaryDirectory(prefix="fleetcc-", dir=place, ignore_cleanup_errors=True) as folder:
            asked_in = asking.asking_environment(environment)
            questions = Asking(program, asked_in, os.fsencode(folder))
            identity = _Examination(questions, contents).run()
    except UnidentifiedError as error:
        return Unidentified(f"compiler {program!r}: {error.sentence}", error.retry_seconds)
    except OSError as error:
        return Unidentified(f"compiler {program!r}: {error}", RETRY_SECONDS)
    if not identity.is_current(environment):
        return Unidentified(f"compiler {program!r}: it changed while it was examined", 0.0)
    return identity


def kind_of(program: bytes) -> bytes:
    """c or c++: the language that the program's name stands for."""
    parsed = parse_compiler_name(os.path.basename(program))
    return b"c++" if parsed is not None and parsed.driver.endswith(b"++") else b"c"


def digest_of(parts: Iterable[tuple[bytes, bytes]]) -> str:
    """SHA-256 over the scheme and the parts, each with its length, so that no two lists look the same."""
    hashed = hashlib.sha256()
    for text in (SCHEME.encode(), *(text for part in parts for text in part)):
        hashed.update(b"%d:" % len(text))
        hashed.update(text)
    return hashed.hexdigest()


def check_name(program: bytes) -> None:
    """Raises UnidentifiedError unless it is a compiler's name, absolute, and leads to no wrapper."""
    if not os.path.isabs(program):
        raise UnidentifiedError("an absolute path was expected", _FOREVER)
    if parse_compiler_name(os.path.basename(program)) is None:
        raise UnidentifiedError("not the name of a gcc or clang driver", _FOREVER)
    real = os.path.realpath(program)
    if os.path.basename(real) in WRAPPERS:
        raise UnidentifiedError(f"leads to {real!r}, which is no compiler; name the compiler itself")


@dataclass(slots=True)
class _Examination:
    """Collects the parts of one compiler, and what to watch."""

    asking: Asking
    contents: Contents
    parts: list[tuple[bytes, bytes]] = field(default_factory=list)
    files: dict[bytes, Stamp] = field(default_factory=dict)
    searched: dict[bytes, bytes] = field(default_factory=dict)

    def run(self) -> Identity:
        driver = self.asking.program
        self._add_file(b"driver", driver)
        answer = self.asking.ask(b"-v")
        said = answer.stderr + answer.stdout
        family, version, _ = understand(said)
        if family is Family.UNKNOWN:
            raise UnidentifiedError("neither gcc nor clang, as far as its own answer tells", _FOREVER)
        self._add(b"family", family.value.encode())
        self._add(b"version", b".".join(b"%d" % number for number in version))
        self._add(b"kind", kind_of(driver))
        cc1, cc1plus = self._compilers_of_gcc() if family is Family.GCC else self._compilers_of_clang()
        assembler = self._add_program(b"as", self._program_name(b"as"))
        programs = [path for path in (driver, cc1, cc1plus, assembler) if path]
        self._add_libraries(programs, is_clang=family is Family.CLANG)
        self._add_settings(said)
        self._add(b"says", asking.without_places(said))
        self._add(b"macros c", self._macros(b"c", is_there=bool(cc1)))
        self._add(b"macros c++", self._macros(b"c++", is_there=bool(cc1plus)))
        return Identity(digest_of(self.parts), tuple(self.files.items()), tuple(self.searched.items()))

    def _add(self, name: bytes, value: bytes) -> None:
        self.parts.append((name, value))

    def _add_file(self, name: bytes, path: bytes) -> None:
        self.files[path], digest = self.contents.digest(path)
        self._add(name, digest.encode())

    def _add_program(self, name: bytes, path: bytes) -> bytes:
        """Add a part of the compiler; returns its path, empty when it is not there."""
        on_path = find_on_path(name, self.asking.environment)
        if path == name:  # gcc leaves the search to execvp
            path = on_path
        if path == on_path:  # clang has searched already; another job's PATH may lead elsewhere
            self.searched[name] = on_path
        if not os.path.isabs(path) or not is_program(path):
            self._add(name, ABSENT_PART)
            return b""
        self._add_file(name, path)
        return path

    def _program_name(self, name: bytes) -> bytes:
        lines = self.asking.ask(b"-print-prog-name=" + name).stdout.splitlines()
        return lines[0].strip() if lines else b""

    def _compilers_of_gcc(self) -> tuple[bytes, bytes]:
        cc1 = self._add_program(b"cc1", self._program_name(b"cc1"))
        cc1plus = self._add_program(b"cc1plus", self._program_name(b"cc1plus"))
        if cc1:  # a package that is installed later puts it here; specs replace the built-in ones
            for later in (b"cc1plus", b"specs"):
                path = os.path.join(os.path.dirname(cc1), later)
                self.files.setdefault(path, stamp_of(path))
        return cc1, cc1plus

    def _compilers_of_clang(self) -> tuple[bytes, bytes]:
        answer = self.asking.ask(b"-###", b"-c", b"-x", b"c", b"/dev/null")
        cc1 = self._add_program(b"cc1", asking.cc1_of_clang(answer.stderr))
        return cc1, cc1

    def _add_libraries(self, programs: list[bytes], *, is_clang: bool) -> None:
        needed = [path for program in programs for path in libraries.shared_libraries(self.asking, program)]
        if needed:
            self.files[libraries.LOADER_CACHE] = stamp_of(libraries.LOADER_CACHE)
        decisive: set[tuple[bytes, str]] = set()
        for path in filter(libraries.is_decisive, dict.fromkeys(needed)):
            self.files[path], digest = self.contents.digest(path)
            decisive.add((os.path.basename(path), digest))
        for name, digest in sorted(decisive):
            self._add(b"library " + name, digest.encode())
        self._add(b"libc", libraries.libc_release(needed) if is_clang else b"")

    def _add_settings(self, said: bytes) -> None:
        for path in asking.settings_files(said):
            self._add_file(b"settings", path)

    def _macros(self, language: bytes, *, is_there: bool) -> bytes:
        # gcc includes stdc-predef.h of the C library by itself, unless -nostdinc hides it.
        answer = self.asking.ask(b"-nostdinc", b"-dM", b"-E", b"-x", language, b"/dev/null")
        if answer.status == 0:
            return asking.sorted_lines(answer.stdout)
        if is_there:  # killed for memory, say: that must not become what the compiler is
            said = answer.stderr.strip().decode(errors="replace")
            raise UnidentifiedError(f"does not preprocess an empty source ({language.decode()}): {said}")
        return ABSENT_PART
