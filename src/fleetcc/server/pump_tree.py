"""The files of a pump request as a tree: is it one that can be put on a disk without harm? No I/O.

A client may send any path with any link. Taken are absolute paths without `.`, `..` and empty components, and
with nothing below a file or a link; so a tree can be written directories first and links last, and no
write ever passes through a link. A link may point anywhere within the tree, and nowhere else, with one
exception: distcc's include server sends the compiler's own directories as links with more `../` than any
root is deep, which end at the very path they stand for. Those mean "take the server's own directory"
(distcc-compat 2.3), and they are granted for directories where systems keep compilers and their headers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError
from fleetcc.wire.pump import Content, PumpFile, Target

# Stands in a directory that must exist although nothing in it is read (`x/../y.h`).
FORCING_NAME: Final = b"forcing_technique_271828"
# Where a server's own directories may be asked for.
SYSTEM_DIRECTORIES: Final = (b"/usr", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/opt")

_MAX_NAME_BYTES: Final = 255
_MAX_LINKS: Final = 40  # as many as Linux follows
# The include server's mark in front of a file that is reached by an absolute name.
_LINE_MARK: Final = re.compile(rb'#line 1 "((?:[^"\\\n]|\\.)*)"\n')


@dataclass(frozen=True, slots=True)
class Tree:
    """What to put on a disk; all paths are the client's absolute ones."""

    files: Mapping[bytes, bytes]  # contents as they travelled
    links: Mapping[bytes, bytes]  # what they say
    own: tuple[bytes, ...]  # the server's own directories
    directories: tuple[bytes, ...]  # all that must exist, parents first; neither `/` nor the server's own

    def resolve(self, path: bytes) -> bytes | None:
        """The path without the links on its way; None where they go in circles."""
        left = _parts(path)[::-1]
        done: list[bytes] = []
        followed = 0
        while left:
            part = left.pop()
            if part == b"..":
                del done[-1:]
                continue
            done.append(part)
            target = self.links.get(_join(done))
            if target is None:
                continue
            followed += 1
            if followed > _MAX_LINKS:
                return None
            done = [] if target.startswith(b"/") else done[:-1]
            left += _parts(target)[::-1]
        return _join(done)


def plan_tree(cwd: bytes, sent: Sequence[PumpFile]) -> Tree:
    """Check all entries; raises ProtocolError with the first one that is refused."""
    files: dict[bytes, bytes] = {}
    links: dict[bytes, bytes] = {}
    own: set[bytes] = set()
    forced: set[bytes] = set()
    _check_path(b"CDIR", cwd)
    for file in sent:
        _check_path(b"NAME", file.name)
        match file.holds:
            case Content(b"") if file.name.endswith(b"/" + FORCING_NAME):
                forced.add(file.name[: -len(FORCING_NAME) - 1])
            case Content(raw):
                files[file.name] = raw  # sent twice, the second counts, as for distccd
            case Target(path) if is_own(file.name, path):
                own.add(file.name)
            case Target(path):
                if links.setdefault(file.name, path) != path:
                    raise ProtocolError(f"NAME {file.name!r} is two different links")
    outer = tuple(sorted(path for path in own if not any(parent in own for parent in _parents(path))))
    directories = _directories(cwd, forced, [*files, *links, *outer])
    _check_places(files, links, outer, directories)
    return Tree(files, links, outer, tuple(sorted(directories)))


def without_line_mark(tree: Tree, name: bytes, text: bytes) -> bytes:
    """The client's own bytes of a file that the include server has marked with its name.

    Here the compiler sees the client's names, so it would call the file the same without the mark.
    """
    found = _LINE_MARK.match(text)
    if found is None or not found[1].startswith(b"/"):
        return text
    return text[found.end() :] if name in (found[1], tree.resolve(found[1])) else text


def is_own(name: bytes, target: bytes) -> bool:
    """Does this link mean the server's own directory? Raises ProtocolError for one that leaves the root."""
    if target.startswith(b"/"):
        return False
    done = _parts(name)[:-1]
    has_left = False
    for part in _parts(target):
        if part == b"..":
            has_left = has_left or not done
            del done[-1:]
        else:
            done.append(part)
    if not has_left:
        return False
    if _join(done) != name or not name.startswith(tuple(top + b"/" for top in SYSTEM_DIRECTORIES)):
        raise ProtocolError(
            f"LINK {name!r} leaves the root, which only the compiler's own directories may, to themselves"
        )
    return True


def _check_path(token: bytes, path: bytes) -> None:
    if not path.startswith(b"/"):
        raise ProtocolError(f"{token!r} {path[:80]!r} where an absolute path was expected")
    if token == b"CDIR" and path == b"/":
        return
    for part in path[1:].split(b"/"):
        if part in (b"", b".", b".."):
            raise ProtocolError(f"{token!r} {path[:80]!r} has the component {part!r}, which no true path has")
        if len(part) > _MAX_NAME_BYTES:
            raise ProtocolError(f"{token!r} {path[:80]!r} has a component of {len(part)} bytes")


def _directories(cwd: bytes, forced: set[bytes], leaves: Sequence[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for path in (cwd, *forced):
        found.add(path)
        found.update(_parents(path))
    for path in leaves:
        found.update(_parents(path))
    found.discard(b"")
    found.discard(b"/")
    return found


def _check_places(
    files: Mapping[bytes, bytes], links: Mapping[bytes, bytes], own: Sequence[bytes], directories: set[bytes]
) -> None:
    """No path is two things, and nothing is below a file or a link."""
    for kind, paths in (("a file", files), ("a link", links), ("a directory of the server", own)):
        for path in paths:
            if path in directories:
                raise ProtocolError(f"NAME {path!r} is {kind}, and a directory of another entry")
    for path in (*own, *links):
        if path in files or (path in links and path in own):
            raise ProtocolError(f"NAME {path!r} is sent twice, once as a link")


def _parents(path: bytes) -> list[bytes]:
    """All directories above a path, without the root."""
    found = []
    while path := path.rpartition(b"/")[0]:
        found.append(path)
    return found


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def _join(parts: Sequence[bytes]) -> bytes:
    return b"/" + b"/".join(parts)
