"""Puts the files of a pump request below a folder, which is the compiler's `/` or, without a sandbox, is not.

In a sandbox links are written as they came, and what is this server's own is not: it is mounted there.

Without one, links are written with the place that they lead to within the root, so that none leads out of it
on the way: `..` at the top of a root is the root, for the client's kernel as for `Tree.resolve`, and not for
ours.
"""

import os
import time
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError
from fleetcc.server.pump_tree import Tree, without_line_mark
from fleetcc.wire import lzo

# In a sandbox: a directory of the root that is the server's.
PRIVATE: Final = b"/.fleetccd"
_ROOT: Final = b"root"
_OUTPUT: Final = b"output.o"
_DEPFILE: Final = b"output.d"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one job's compiler runs, and what it shall write."""

    root: bytes  # what is the client's `/`
    prefix: bytes  # the root as the compiler sees it: b"" where it sees it as `/`
    cwd: bytes
    output: bytes
    depfile: bytes

    def client_names(self, text: bytes) -> bytes:
        """What a compiler said, with the client's names."""
        return text.replace(self.prefix + b"/", b"/") if self.prefix else text


def lay_out(tree: Tree, cwd: bytes, folder: bytes, max_bytes: int, *, is_root: bool = False) -> Place:
    """Write the tree into this empty folder; raises ProtocolError for contents, and OSError.

    `max_bytes` is for all plain contents together; `is_root`: the compiler will see the tree as `/`.
    """
    # Compilers tell real paths: a root with a link in it would be another name than the one we take off.
    folder = os.path.realpath(folder)
    root = os.path.join(folder, _ROOT)
    os.mkdir(root, 0o700)
    for path in tree.directories:
        os.mkdir(root + path, 0o755)
    _write_files(tree, root, max_bytes)
    if is_root:
        for path, target in tree.links.items():
            os.symlink(target, root + path)
        os.makedirs(root + PRIVATE, exist_ok=True)  # fails where the client has put a file there
        return Place(root, b"", cwd, PRIVATE + b"/" + _OUTPUT, PRIVATE + b"/" + _DEPFILE)
    for path in tree.own:
        os.symlink(path, root + path)
    for path in tree.links:
        # Where links go in circles, so does this one.
        os.symlink(root + (tree.resolve(path) or path), root + path)
    cwd = root + cwd.rstrip(b"/")
    return Place(root, root, cwd, os.path.join(folder, _OUTPUT), os.path.join(folder, _DEPFILE))


def _write_files(tree: Tree, root: bytes, max_bytes: int) -> None:
    left = max_bytes
    now = int(time.time())
    for age, (name, raw) in enumerate(tree.files.items()):
        try:
            text = lzo.decompress(raw, left)
        except ProtocolError as error:
            raise ProtocolError(f"NAME {name!r}: {error}") from error
        left -= len(text)
        # gcc takes two files of one second with the same text for one file under `#pragma once`.
        _write(root + name, without_line_mark(tree, name, text), now - age)


def _write(path: bytes, text: bytes, mtime: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(descriptor, view) :]
        os.utime(descriptor, (mtime, mtime))
    finally:
        os.close(descriptor)
