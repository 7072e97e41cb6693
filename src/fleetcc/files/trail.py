"""How the kernel gets to a path: the links it follows, the directories it passes, the place where it ends.

A replica must hold all of them: `a/link/../x.h` needs the link, its target, and the directory that `..`
leads back to, although none of them is in the file's real path.
"""

from dataclasses import dataclass, replace
from typing import Final

from fleetcc.files.disk import RealDisk
from fleetcc.wire.files import Directory, Entry, Link

# Where Linux gives up with ELOOP.
MAX_LINKS: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """The way to one path.

    `entries` are links and directories at absolute paths that have no link and no `..` in them. They are
    there as far as the way goes, also when it ends at nothing.
    """

    real: bytes | None  # where it ends, without links or `..`; None: there is nothing, or links go in circles
    is_directory: bool
    entries: dict[bytes, Entry]
    parents: frozenset[bytes]  # the directories whose names decided about the way
    links: int = 0  # that were followed
    last: bytes = b"/"  # the last of the parents: where it ended, if it ended at nothing


class Trails:
    """Trails of this moment, each directory walked once."""

    def __init__(self, disk: RealDisk) -> None:
        self._disk = disk
        self._moment = disk.moment
        self._directories: dict[bytes, Trail] = {}

    def of(self, path: bytes) -> Trail:
        """The trail of an absolute path, of a file or a directory."""
        directory, _, name = path.rpartition(b"/")
        if name in {b"", b".", b".."}:
            return self.of_directory(path)
        return self._onward(self.of_directory(directory), name)

    def of_directory(self, path: bytes) -> Trail:
        """The same, and remembered for what lies below."""
        if self._moment != self._disk.moment:
            self._moment = self._disk.moment
            self._directories = {}
        known = self._directories
        ahead: list[bytes] = []
        while path not in known:
            ahead.append(path)
            path = path.rstrip(b"/").rpartition(b"/")[0]
            if not path:
                known[path] = Trail(b"/", is_directory=True, entries={}, parents=frozenset())
        trail = known[path]
        for path in reversed(ahead):
            trail = known[path] = self._walk(trail, path.rstrip(b"/").rpartition(b"/")[2])
        return trail

    def _walk(self, trail: Trail, name: bytes) -> Trail:
        if name in {b"", b"."}:
            return trail
        if name == b"..":
            return _up(trail)
        return self._onward(trail, name)

    def _onward(self, trail: Trail, name: bytes) -> Trail:
        """From a directory to a name in it, through whatever links are there."""
        if trail.real is None or not trail.is_directory:
            return _ended(trail)
        here = trail.real
        place = here + b"/" + name if here != b"/" else b"/" + name
        step = self._disk.step(here, name)
        parents = trail.parents | {here}
        if isinstance(step, Link):
            return self._follow(trail, place, step, parents)
        if isinstance(step, Directory):
            entries = {**trail.entries, place: step}
            return replace(trail, real=place, entries=entries, parents=parents, last=here)
        real = place if step else None
        return replace(trail, real=real, is_directory=False, parents=parents, last=here)

    def _follow(self, trail: Trail, place: bytes, link: Link, parents: frozenset[bytes]) -> Trail:
        entries = {**trail.entries, place: link}
        start = b"/" if link.target.startswith(b"/") else trail.real
        at = replace(trail, real=start, entries=entries, parents=parents, links=trail.links + 1)
        if at.links > MAX_LINKS:
            return _ended(at)
        for name in link.target.split(b"/"):
            at = self._walk(at, name)
        return at


def _up(trail: Trail) -> Trail:
    if trail.real is None or not trail.is_directory:
        return _ended(trail)
    above = trail.real.rpartition(b"/")[0] or b"/"
    return replace(trail, real=above)


def _ended(trail: Trail) -> Trail:
    return replace(trail, real=None, is_directory=False)
