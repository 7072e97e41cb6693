"""How the kernel gets to a path: the links it follows, the directories it passes, the place where it ends.

A replica must hold all of them: `a/link/../x.h` needs the link, its target, and the directory that `..`
leads back to, although none of them is in the file's real path.
"""

from dataclasses import dataclass, replace
from typing import Final

from fleetcc.files.disk import MAX_LINKS, RealDisk
from fleetcc.files.folders import Marks
from fleetcc.wire.files import Directory, Entry, Link


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


_ROOT: Final = Trail(b"/", is_directory=True, entries={}, parents=frozenset())
# Directories whose trails are remembered.
_MOST_KEPT: Final = 50_000


class Trails:
    """Trails of this moment, each directory walked once, and not again while all steps stand."""

    def __init__(self, disk: RealDisk) -> None:
        self._disk = disk
        self._moment = disk.moment
        self._directories: dict[bytes, Trail] = {}
        self._kept: dict[bytes, tuple[Trail, Marks]] = {}

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
        ahead: list[bytes] = []
        trail = self._known(path)
        while trail is None:
            ahead.append(path)
            path = path.rstrip(b"/").rpartition(b"/")[0]
            trail = self._known(path) if path else _ROOT
        for path in reversed(ahead):
            trail = self._walk(trail, path.rstrip(b"/").rpartition(b"/")[2])
            self._keep(path, trail)
        return trail

    def _known(self, path: bytes) -> Trail | None:
        trail = self._directories.get(path)
        if trail is None:
            kept = self._kept.get(path)
            if kept is not None and self._disk.stand(kept[1]):
                trail = self._directories[path] = kept[0]
        return trail

    def _keep(self, path: bytes, trail: Trail) -> None:
        self._directories[path] = trail
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[path] = trail, self._disk.ways(trail.parents)

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
            return Trail(place, True, entries, parents, trail.links, here)  # noqa: FBT003 - is_directory
        return Trail(place if step else None, False, trail.entries, parents, trail.links, here)  # noqa: FBT003

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
