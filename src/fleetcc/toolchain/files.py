"""A compiler as files: what of this machine a compile needs beside sources and headers.

A server that has these paths, the links on the way to them included, runs the compiler as it runs here: the
same programs and libraries are found, in the same places, and what is looked for and missing here is missing
there.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fleetcc.toolchain import locales
from fleetcc.toolchain.asking import VARIABLES
from fleetcc.toolchain.contents import Stamp, is_current
from fleetcc.toolchain.native import NOTHING, Expansions
from fleetcc.wire.files import Directory, Entry, File, Link

# Counts up with every change of what a manifest's digest is made of.
MANIFEST_SCHEME: Final = b"fleetcc toolchain 1"

LANGUAGES: Final = (b"c", b"c++", b"objective-c", b"objective-c++", b"assembler-with-cpp")

# Libraries that the user wants loaded into every program: what they do is not known here.
FOREIGN_CODE: Final = (b"LD_PRELOAD", b"LD_AUDIT")

# What of a job's environment decides the answer.
DECIDING_VARIABLES: Final = (
    b"PATH", *VARIABLES, *FOREIGN_CODE, *locales.VARIABLES, b"TMPDIR", b"TMP", b"TEMP",
    b"CCC_OVERRIDE_OPTIONS", b"CCACHE_COMPILER", b"CCACHE_PATH", b"CCACHE_PREFIX", b"CCACHE_CONFIGPATH",
    b"CCACHE_DIR",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Toolchain:
    """One compiler for one language, as it was when it was examined. The same object for as long as it is."""

    program: bytes  # absolute; not the one that was asked for where that was ccache
    argv0: bytes  # how it is called
    # Files and directories, absolute, spelled as the compiler spells them; links on the way are not resolved.
    paths: tuple[bytes, ...]
    # What must stand in a command line instead of -march=native and its kin (`native.replaced`).
    expansions: Expansions = field(default_factory=lambda: NOTHING)
    files: tuple[tuple[bytes, Stamp], ...] = ()  # to watch: what is there, and what would matter (ABSENT)
    searched: tuple[tuple[bytes, bytes], ...] = ()  # programs by bare name, and where PATH has them

    def is_current(self, environment: Mapping[bytes, bytes]) -> bool:
        """Is every file what it was, and found where it was? A stat for each."""
        return is_current(self.files, self.searched, environment)


@dataclass(frozen=True, slots=True)
class CannotShip:
    """Why a compile must not leave with this compiler, and for how long that holds if nothing changes."""

    reason: str
    retry_seconds: float


Answer: TypeAlias = Toolchain | CannotShip


def manifest_digest(entries: Mapping[bytes, Entry]) -> str:
    """A toolchain's name: hex SHA-256 over its manifest, sorted by path.

    Each text is preceded by its length in decimal and a colon: the scheme, then for each path the path, the
    kind (file, program, link or directory) and the digest of the content or the link's target. Times and
    sizes are left out: a package has the same content wherever it is installed.
    """
    hashed = hashlib.sha256()
    for text in _texts(entries):
        hashed.update(b"%d:" % len(text))
        hashed.update(text)
    return hashed.hexdigest()


def _texts(entries: Mapping[bytes, Entry]) -> Iterable[bytes]:
    yield MANIFEST_SCHEME
    for path in sorted(entries):
        yield path
        match entries[path]:
            case File(digest=digest, executable=executable):
                yield from (b"program" if executable else b"file", digest)
            case Link(target=target):
                yield from (b"link", target)
            case Directory():
                yield from (b"directory", b"")
