"""What a program has left: the upper layer of its root, in memory, held by one descriptor.

The program has ended, so nothing here changes between two looks at it. What it made may still be meant to
deceive: links to our own files, directories without permissions, a hundred thousand names, paths that no
call takes. Links are never followed here, but resolved within the program's own root.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

# The longest path that a system call takes; what lies deeper has no name that a client could use.
MAX_PATH_BYTES: Final = 4095
# Directories in directories. The longest chain that a path could name takes a second to go through.
MAX_DEPTH: Final = 200
MAX_FILES: Final = 10_000
MAX_BYTES: Final = 1 << 30
# As the kernel: a path with more links than this is a loop.
_MAX_LINKS: Final = 40
# When a stand-in was last written: never, as native/sandbox/below.c says it.
STAND_IN_MTIME_NS: Final = 1
# Made by the helper in every root; nobody wants them back.
_NOT_LEFT: Final = (b"/dev", b"/proc")


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A regular file."""

    path: bytes  # absolute, below the directory that was asked for, as that was spelled
    mode: int  # of nine bits
    size_bytes: int
    _upper: int
    _inside: bytes  # relative to `_upper`

    def open(self) -> int:
        """A descriptor to read it; works until the scratch is closed. Raises OSError."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.open(self._inside, flags, dir_fd=self._upper)
        except PermissionError:  # it is ours, whatever its mode
            os.chmod(self._inside, 0o600, dir_fd=self._upper)
            return os.open(self._inside, flags, dir_fd=self._upper)

    def read(self) -> bytes:
        """Its content. Raises OSError."""
        with open(self.open(), "rb", buffering=0) as file:
            return file.read()


@dataclass(frozen=True, slots=True)
class Collected:
    """All that a client gets."""

    files: tuple[LeftFile, ...]
    others: int  # links, sockets, pipes, removals, and what has no usable path
    removed: tuple[bytes, ...] = ()  # of what was there before


@dataclass(frozen=True, slots=True)
class TooMuch:
    """More than a client can be given."""

    sentence: str


Left: TypeAlias = Collected | TooMuch


def is_too_deep(path: bytes) -> bool:
    """No compiler leaves anything there."""
    return len(path) > MAX_PATH_BYTES or path.count(b"/") > MAX_DEPTH


class Scratch:
    """The upper layer; `close` makes it vanish."""

    def __init__(self, upper: int) -> None:
        self._upper = upper

    def close(self) -> None:
        """Give its memory back. Does nothing the second time."""
        if self._upper >= 0:
            os.close(self._upper)
            self._upper = -1

    def collect(
        self,
        tree: bytes,
        returns: Sequence[bytes],
        existing: Sequence[bytes] = (),
        *,
        max_files: int = MAX_FILES,
        max_bytes: int = MAX_BYTES,
    ) -> Left:
        """The regular files below these directories, each once; `existing` as in the Spec. Raises OSError."""
        files: list[LeftFile] = []
        seen: set[bytes] = set()
        others = total = 0
        for spelled in returns:
            real = self._resolve(tree, spelled)
            if real is None:
                continue
            for inside, facts in self._below(real, seen):
                if facts.st_mtime_ns == STAND_IN_MTIME_NS and stat.S_ISREG(facts.st_mode):
                    continue
                path = spelled.rstrip(b"/") + inside[len(real) :]
                if not stat.S_ISREG(facts.st_mode) or is_too_deep(path):
                    others += 1
                    continue
                total += facts.st_size
                if len(files) == max_files or total > max_bytes:
                    return TooMuch(
                        f"the compiler left more than {max_files} files or {max_bytes} bytes; "
                        "compile this one locally"
                    )
                mode = stat.S_IMODE(facts.st_mode) & 0o777
                files.append(LeftFile(path, mode, facts.st_size, self._upper, inside[1:]))
        removed = tuple(path for path in dict.fromkeys(existing) if self._is_removed(tree, path))
        return Collected(tuple(files), others, removed)

    def _is_removed(self, tree: bytes, path: bytes) -> bool:
        facts = self._facts(path)
        if facts is None:  # neither a stand-in nor what has come in its place; perhaps it is the tree's own
            return not os.path.lexists(tree + path)
        return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0  # an overlay's mark for what is gone

    def _below(self, top: bytes, seen: set[bytes]) -> Iterator[tuple[bytes, os.stat_result]]:
        """Everything but directories, absolute, no directory twice; `top` is as `_resolve` gives it."""
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            if directory in seen or directory in _NOT_LEFT:
                continue
            seen.add(directory)
            for name, facts in self._entries(directory):
                path = directory + b"/" + name
                if not stat.S_ISDIR(facts.st_mode) or is_too_deep(path):
                    yield path, facts
                else:
                    waiting.append(path)

    def _entries(self, directory: bytes) -> list[tuple[bytes, os.stat_result]]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inside = directory[1:] or b"."
        facts = self._facts(directory)
        if facts is None or not stat.S_ISDIR(facts.st_mode):
            return []
        if facts.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(inside, 0o700, dir_fd=self._upper)
        descriptor = os.open(inside, flags, dir_fd=self._upper)
        try:
            with os.scandir(descriptor) as entries:
                return [(os.fsencode(entry.name), entry.stat(follow_symlinks=False)) for entry in entries]
        finally:
            os.close(descriptor)

    def _facts(self, path: bytes) -> os.stat_result | None:
        """Of what the program has made at this absolute path, whose parents are directories."""
        try:
            return self._stat(path)
        except PermissionError:
            self._unlock(path)
            return self._stat(path)

    def _stat(self, path: bytes) -> os.stat_result | None:
        try:
            return os.stat(path[1:] or b".", dir_fd=self._upper, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise

    def _unlock(self, path: bytes) -> None:
        """Let ourselves into the parents of this path, whatever modes the program gave them."""
        os.fchmod(self._upper, 0o700)
        names = path.split(b"/")[1:-1]
        for end in range(1, len(names) + 1):
            with contextlib.suppress(FileNotFoundError):
                os.chmod(b"/".join(names[:end]), 0o700, dir_fd=self._upper)

    def _resolve(self, tree: bytes, path: bytes) -> bytes | None:
        """The path without links and dots, as the program saw it; b"" is the root, None a loop or no path."""
        real = b""
        links = 0
        names = path.split(b"/")[::-1]
        while names:
            name = names.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                real = real.rpartition(b"/")[0]
                continue
            step = real + b"/" + name
            target = self._link(tree, step)
            if target is None:
                real = step
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith(b"/"):
                real = b""
            names += target.split(b"/")[::-1]
        return real

    def _link(self, tree: bytes, path: bytes) -> bytes | None:
        """Where a link of the program or the tree leads; None when there is none at this path."""
        try:
            if (facts := self._facts(path)) is None:
                return os.readlink(tree + path)
            return os.readlink(path[1:], dir_fd=self._upper) if stat.S_ISLNK(facts.st_mode) else None
        except OSError:  # no link, or nothing at all, or more than a path can be
            return None
