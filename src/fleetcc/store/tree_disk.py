"""One tree on disk: makes its entries what they are to be.

Only its replica's worker uses it, one thread at a time. It knows what it has put where, so it never asks the
disk. Every operation is relative to the root's descriptor: a path of a tree may be as long as Linux takes,
whatever the root's own is. What is replaced is written beside the tree and renamed over.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Final

from fleetcc.store.blobs import COPIED_BYTES, BlobStore, Linking
from fleetcc.store.copying import copy_between, write_all
from fleetcc.store.desired import taken_bytes
from fleetcc.store.owned import remove_tree
from fleetcc.wire.files import Directory, Entry, File, Link

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeDisk:
    """The directory `root`. `parent`: the tree that this one begins as a copy of, until the first `apply`.

    The attributes are for another tree that is linked from this one.
    """

    def __init__(self, root: bytes, blobs: BlobStore, parent: "TreeDisk | None" = None) -> None:
        self.root = root
        self.copied_bytes = 0  # of its own copies; those shared with older trees count here too
        self._blobs = blobs
        self.parent = parent
        self._beside = root + b".new"  # a file that will replace another
        self.placed: dict[bytes, Entry] = {}
        self.linked: dict[bytes, bytes] = {}  # digest to the path that is a link to the blob
        self.is_made = False
        self.descriptor = -1  # of the root, during `apply`

    def ancestors(self) -> "Iterator[TreeDisk]":
        """The trees that it is still to be linked from."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def remove(self) -> None:
        """Remove the directory; what cannot be removed stays for `remove_leftovers`."""
        with contextlib.suppress(OSError):
            os.unlink(self._beside)
        with contextlib.suppress(OSError):
            remove_tree(self.root)

    def apply(self, wanted: Mapping[bytes, Entry | None]) -> list[bytes]:
        """Make these paths what they are to be; the answer are those whose blobs are not here: absent now.

        Raises OSError or StoreError, and then the tree is of no use any more.
        """
        ordered = sorted(wanted)  # what is in a directory comes after it
        lacking: list[bytes] = []
        with self._open():
            for path in reversed(ordered):
                self._clear(path, wanted[path])
            for path in ordered:
                entry = wanted[path]
                if entry is not None and self.placed.get(path) != entry and not self._place(path, entry):
                    lacking.append(path)
        self.parent = None
        return lacking

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.root, 0o755)
            os.chmod(self.root, 0o755)  # whatever the umask is
        self.is_made = True
        self.parent = next((tree for tree in self.ancestors() if tree.is_made), None)
        with contextlib.ExitStack() as stack:
            for tree in (self, self.parent):
                if tree is not None:
                    tree.descriptor = os.open(tree.root, _ROOT)
                    stack.callback(os.close, tree.descriptor)
            yield

    def _clear(self, path: bytes, entry: Entry | None) -> None:
        """Remove what is there, if it cannot be renamed over."""
        old = self.placed.get(path)
        if old is not None and (entry is None or isinstance(old, Directory) != isinstance(entry, Directory)):
            self._remove(path)

    def _remove(self, path: bytes) -> None:
        if isinstance(self.placed[path], Directory):
            os.rmdir(path[1:], dir_fd=self.descriptor)
        else:
            os.unlink(path[1:], dir_fd=self.descriptor)
        self._forget(path)

    def _place(self, path: bytes, entry: Entry) -> bool:
        """Put one entry there; false: its blob is not here, and the path is absent."""
        if isinstance(entry, File):
            if self._place_file(path, entry):
                return True
            if path in self.placed:
                self._remove(path)
            return False
        if isinstance(entry, Link):
            name, directory = self._spot(path)
            os.symlink(entry.target, name, dir_fd=directory)
            self._seat(path)
        else:
            os.mkdir(path[1:], 0o755, dir_fd=self.descriptor)
            os.chmod(path[1:], 0o755, dir_fd=self.descriptor)
        self._note(path, entry)
        return True

    def _place_file(self, path: bytes, entry: File) -> bool:
        old = self.placed.get(path)
        if _is_same_blob(old, entry):
            self._change_facts(path, entry)
        elif self.parent is not None and _is_same_blob(self.parent.placed.get(path), entry):
            self._share(self.parent, path, entry)
        elif entry.size > COPIED_BYTES:
            return self._place_big(path, entry)
        else:
            data = self._blobs.read(entry.digest, entry.size)
            if data is None:
                return False
            self._write(path, entry, data)
        return True

    def _place_big(self, path: bytes, entry: File) -> bool:
        """Link it, or copy it where this tree has it under another path: two files are never one inode."""
        if entry.digest not in self.linked:
            name, directory = self._spot(path)
            outcome = self._blobs.link(entry.digest, entry.size, entry.mtime_ns, name, directory)
            if outcome is Linking.DONE:
                self._seat(path)
                self._note(path, entry, is_link=True)
                return True
            if outcome is Linking.MISSING:
                return False
        source = self._blobs.open(entry.digest, entry.size)
        if source is None:
            return False
        try:
            self._write(path, entry, source)
        finally:
            os.close(source)
        return True

    def _change_facts(self, path: bytes, entry: File) -> None:
        """Other times or mode, the same content: in place, unless another tree or a blob shares the inode."""
        file = os.open(path[1:], _READ, dir_fd=self.descriptor)
        try:
            if os.fstat(file).st_nlink == 1:
                _set_facts(file, entry)
                self.placed[path] = entry
            else:
                self._write(path, entry, file)
        finally:
            os.close(file)

    def _share(self, parent: "TreeDisk", path: bytes, entry: File) -> None:
        """The same inode as in the older tree, or a copy where the times differ."""
        if parent.placed[path] == entry and self._link(parent, path[1:]):
            self._note(path, entry, is_link=parent.linked.get(entry.digest) == path)
            return
        source = os.open(path[1:], _READ, dir_fd=parent.descriptor)
        try:
            self._write(path, entry, source)
        finally:
            os.close(source)

    def _link(self, parent: "TreeDisk", name: bytes) -> bool:
        try:
            os.link(
                name, name, src_dir_fd=parent.descriptor, dst_dir_fd=self.descriptor, follow_symlinks=False
            )
        except FileExistsError:
            raise
        except OSError:  # it has as many links as a file may have
            return False
        return True

    def _write(self, path: bytes, entry: File, content: bytes | int) -> None:
        """A new file with this content, or with that of this descriptor."""
        name, directory = self._spot(path)
        file = os.open(name, _CREATE, _mode(entry), dir_fd=directory)
        try:
            if isinstance(content, bytes):
                write_all(file, content)
            elif copy_between(content, file, entry.size) != entry.size:
                raise OSError(f"blob {entry.digest.hex()} became shorter while it was copied")
            _set_facts(file, entry)
        finally:
            os.close(file)
        self._seat(path)
        self._note(path, entry)

    def _spot(self, path: bytes) -> tuple[bytes, int | None]:
        """Where to make what will be at the path: there, or beside the tree while something is there."""
        return (self._beside, None) if path in self.placed else (path[1:], self.descriptor)

    def _seat(self, path: bytes) -> None:
        if path in self.placed:
            os.rename(self._beside, path[1:], dst_dir_fd=self.descriptor)

    def _note(self, path: bytes, entry: Entry, *, is_link: bool = False) -> None:
        self._forget(path)
        self.placed[path] = entry
        if is_link and isinstance(entry, File):
            self.linked[entry.digest] = path
        else:
            self.copied_bytes += taken_bytes(entry)

    def _forget(self, path: bytes) -> None:
        old = self.placed.pop(path, None)
        if isinstance(old, File) and self.linked.get(old.digest) == path:
            del self.linked[old.digest]
        else:
            self.copied_bytes -= taken_bytes(old)


def _is_same_blob(old: Entry | None, entry: File) -> bool:
    return isinstance(old, File) and (old.digest, old.size) == (entry.digest, entry.size)


def _mode(entry: File) -> int:
    return 0o755 if entry.executable else 0o644


def _set_facts(file: int, entry: File) -> None:
    if stat.S_IMODE(os.fstat(file).st_mode) != _mode(entry):  # a look is cheaper than a change of nothing
        os.fchmod(file, _mode(entry))
    os.utime(file, ns=(entry.mtime_ns, entry.mtime_ns))
