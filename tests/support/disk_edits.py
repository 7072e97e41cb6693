"""Edits of a small tree of files, as editors, generators and people make them."""

import mmap
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDERS = ("a", "b", "a/in")
NAMES = ("x.h", "y.h", "z.h")
PATHS = tuple(f"{folder}/{name}" for folder in FOLDERS for name in NAMES)


_COARSE = 5  # CLOCK_REALTIME_COARSE, from which ctimes come; Python has no name for it


def next_tick() -> None:
    """Return when the kernel's coarse clock has gone on: the next edit has another ctime than the last."""
    start = time.clock_gettime_ns(_COARSE)
    while time.clock_gettime_ns(_COARSE) == start:
        pass


class Tree:
    """The tree; every content that is ever written is another one, of the same size."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        for folder in FOLDERS:
            (root / folder).mkdir()
        for path in PATHS[::2]:
            self.write(path, "")

    def content(self) -> bytes:
        self.written += 1
        return b"%08d" % self.written

    def write(self, path: str, _: str) -> None:
        (self.root / path).write_bytes(self.content())

    def map(self, path: str, _: str) -> None:
        with open(self.root / path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:] = self.content()

    def replace(self, path: str, _: str) -> None:
        beside = self.root / "beside"
        beside.write_bytes(self.content())
        beside.replace(self.root / path)

    def delete(self, path: str, _: str) -> None:
        (self.root / path).unlink()

    def link(self, path: str, other: str) -> None:
        os.link(self.root / path, self.root / other)

    def write_by_other_name(self, path: str, _: str) -> None:
        outside = self.root / "outside"
        outside.unlink(missing_ok=True)
        os.link(self.root / path, outside)
        outside.write_bytes(self.content())

    def point(self, path: str, other: str) -> None:
        (self.root / path).unlink(missing_ok=True)
        (self.root / path).symlink_to(self.root / other)

    def chmod(self, path: str, _: str) -> None:
        (self.root / path).chmod(0o600 if (self.root / path).stat().st_mode & 0o044 else 0o644)

    def turn_into_directory(self, path: str, _: str) -> None:
        (self.root / path).unlink()
        (self.root / path).mkdir()

    def move_folder(self, path: str, _: str) -> None:
        folder = self.root / path.split("/", maxsplit=1)[0]
        away = self.root / (folder.name + "-away")
        folder.rename(away)

    def move_back(self, path: str, _: str) -> None:
        folder = self.root / path.split("/", maxsplit=1)[0]
        (self.root / (folder.name + "-away")).rename(folder)

    def link_folder(self, path: str, _: str) -> None:
        """The directory goes elsewhere and a link takes its place: same files, same inodes."""
        self.move_folder(path, "")
        folder = self.root / path.split("/", maxsplit=1)[0]
        folder.symlink_to(folder.name + "-away")

    def swap_folders(self, _: str, __: str) -> None:
        (self.root / "a").rename(self.root / "tmp")
        (self.root / "b").rename(self.root / "a")
        (self.root / "tmp").rename(self.root / "b")

    def swap_root(self, _: str, __: str) -> None:
        """Another tree with the same names takes the place of this one: nothing in it has changed."""
        twin, between = (self.root.with_name(self.root.name + end) for end in ("-twin", "-between"))
        if not twin.exists():
            shutil.copytree(self.root, twin, symlinks=True)
            for path in twin.rglob("*.h"):
                if not path.is_symlink():
                    path.write_bytes(self.content())
        self.root.rename(between)
        twin.rename(self.root)
        between.rename(twin)

    def edit(self, kind: Callable[["Tree", str, str], None], path: str, other: str) -> None:
        """Make the edit, where it can be made now."""
        with suppress(OSError, ValueError):
            kind(self, path, other)


EDITS = (
    Tree.write, Tree.map, Tree.replace, Tree.delete, Tree.link, Tree.write_by_other_name, Tree.point,
    Tree.chmod, Tree.turn_into_directory, Tree.move_folder, Tree.move_back, Tree.link_folder,
    Tree.swap_folders, Tree.swap_root,
)  # fmt: skip
