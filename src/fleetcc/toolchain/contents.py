"""Which version of a file is there, what its content's digest is, and where PATH finds a program.

Knows nothing of compilers. A file is read once per version: its stamp tells one version from the next.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

# Device, inode, mtime_ns, ctime_ns, size. A package manager sets mtime back; it cannot set ctime.
Stamp: TypeAlias = tuple[int, int, int, int, int]

ABSENT: Final[Stamp] = (0, 0, 0, 0, 0)

# Where execvp looks without a PATH.
DEFAULT_PATH: Final = b"/bin:/usr/bin"

# The coarsest clock tick of a Linux file system is 10 ms; a second write within it leaves the same stamp.
SETTLE_SECONDS: Final = 0.02

# How long a compiler that could not be identified is not asked again, where nothing says more.
RETRY_SECONDS: Final = 60.0

# A machine's compilers and their libraries are some dozens of files.
_MAX_KNOWN: Final = 1024


class UnidentifiedError(Exception):
    """What a compiler is cannot be told; the sentence says why."""

    def __init__(self, sentence: str, retry_seconds: float = RETRY_SECONDS) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_seconds = retry_seconds  # until then the answer stays, as long as the compiler's file does


def stamp_of(path: bytes) -> Stamp:
    """The stamp of the file that is there now; ABSENT when none can be seen."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return ABSENT


def find_on_path(name: bytes, environment: Mapping[bytes, bytes]) -> bytes:
    """Where execvp finds a program; empty when nowhere. Relative entries are passed over: they move."""
    for directory in environment.get(b"PATH", DEFAULT_PATH).split(b":"):
        candidate = directory + b"/" + name
        if directory.startswith(b"/") and is_program(candidate):
            return candidate
    return b""


def is_current(
    files: Iterable[tuple[bytes, Stamp]],
    searched: Iterable[tuple[bytes, bytes]],
    environment: Mapping[bytes, bytes],
) -> bool:
    """Is every file what it was, and every program still found on PATH where it was (empty: nowhere)?"""
    return all(stamp_of(path) == stamp for path, stamp in files) and all(
        find_on_path(name, environment) == found for name, found in searched
    )


def is_program(path: bytes) -> bool:
    """Is it a file that may be executed?"""
    return os.access(path, os.X_OK) and os.path.isfile(path)  # the cheaper question first


@dataclass(slots=True)
class Contents:
    """Digests of whole files, remembered for as long as their stamps last; for use in several threads."""

    _known: dict[Stamp, str] = field(default_factory=dict)

    def digest(self, path: bytes) -> tuple[Stamp, str]:
        """Stamp and SHA-256 of one file (blocking); raises UnidentifiedError."""
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise UnidentifiedError(f"{path!r} is not a regular file")
            stamp = _stamp(status)
            known = self._known.get(stamp)
            if known is None:
                known = _read(path, status)
        except OSError as error:
            raise UnidentifiedError(f"{path!r} cannot be read: {error.strerror}") from error
        if stamp_of(path) != stamp:
            raise UnidentifiedError(f"{path!r} changed while it was read", retry_seconds=0.0)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[stamp] = known
        return stamp, known


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _read(path: bytes, status: os.stat_result) -> str:
    age = time.time() - status.st_ctime
    if 0 <= age < SETTLE_SECONDS:
        time.sleep(SETTLE_SECONDS - age)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
