"""Where a compiler of one context looks for a name, through directory listings, each answer remembered.

A context is a working directory and its search path. Answers hold until a directory that they rest on gains
or loses a name that was ever asked for in it.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, TypeAlias

from fleetcc.includes.disk import Disk, Listing
from fleetcc.includes.unit import Search, absolute

# Names that some scan has asked for, by directory: one for all contexts.
Asked: TypeAlias = defaultdict[bytes, set[bytes]]

# What compilers look for beside a header: the same name with this after it.
_PRECOMPILED: Final = (b".gch", b".pch")
# Paths of more directories are looked through for links that lead back.
_DEEP: Final = 24
# Stands for every name of a directory.
_ALL: Final = b"*/"

# Where a file was found that was not found along the path: beside its includer, or by an absolute name.
BESIDE: Final = -1


class Hit:
    """The answer to one question: the file, if there is one, and all that the answer rests on."""

    __slots__ = ("absent", "directories", "leaves", "path", "place")

    def __init__(self) -> None:
        self.path: bytes | None = None
        self.place = BESIDE  # or the rank of the directory in which it was found
        # Tuples: there are many hits, and these are nothing for the garbage collector.
        self.leaves: tuple[bytes, ...] = ()  # precompiled forms, met on the way
        self.directories: tuple[bytes, ...] = ()  # consulted
        self.absent: tuple[bytes, ...] = ()  # listed, but no regular file


def matters(old: Listing | None, new: Listing | None, asked: set[bytes]) -> bool:
    """Whether a directory's change can change an answer."""
    if old is None or new is None:
        return old is not new
    changed = old.names ^ new.names
    if not changed:
        return False
    if not changed.isdisjoint(asked) or _ALL in asked:
        return True
    return any(name[-4:] in _PRECOMPILED and name[:-4] in asked for name in changed)


class Places:
    """The directories of one context, and what was found in them."""

    def __init__(self, disk: Disk, cwd: bytes, search: Search, asked: Asked) -> None:
        self._disk = disk
        self._asked = asked
        self.cwd = absolute(cwd, b".")
        chain = (*search.quote, *search.angled)
        self.path: Final = tuple(absolute(cwd, directory) for directory in chain)
        self.embed: Final = tuple(absolute(cwd, directory) for directory in search.embed)
        self.angled_from: Final = len(search.quote)
        self.includer_first: Final = search.includer_first
        self.listings: dict[bytes, Listing | None] = {}
        self._absent: set[bytes] = set()
        self._hits: dict[tuple[int | bytes, bytes], Hit] = {}  # by rank or directory, and name
        self._twins: dict[bytes, bytes | None] = {}
        # What `still` is asked for: the same objects for as long as nothing is added.
        self._asked_for: tuple[dict[bytes, None], dict[bytes, Listing | None]] | None = None
        self._parts: dict[bytes, list[bytes]] = {}

    def renew(self) -> tuple[set[bytes], set[bytes]]:
        """Forget what holds no more; says which directories changed, and which listed names are files now."""
        if self._asked_for is None:
            self._asked_for = (dict.fromkeys(self._absent), dict(self.listings))
        if self._disk.still(*self._asked_for):
            return set(), set()
        self._asked_for = None
        self._twins.clear()
        changed = set()
        for directory, old in self.listings.items():
            new = self._disk.listing(directory)
            if new is not old:
                self.listings[directory] = new
                if matters(old, new, self._asked[directory]):
                    changed.add(directory)
        appeared = {path for path in self._absent if self._disk.file(path) is not None}
        self._absent -= appeared
        if changed or appeared:
            self._hits = {
                key: hit
                for key, hit in self._hits.items()
                if changed.isdisjoint(hit.directories) and appeared.isdisjoint(hit.absent)
            }
        return changed, appeared

    def forget(self, path: bytes) -> None:
        """That file is gone although its directory is as it was: it was behind a link."""
        for key in [key for key, hit in self._hits.items() if path == hit.path or path in hit.leaves]:
            del self._hits[key]

    def listing(self, directory: bytes) -> Listing | None:
        """The directory as of the last `renew`, or as it is now when it is new here."""
        if directory in self.listings:
            return self.listings[directory]
        self._asked_for = None
        listing = self.listings[directory] = self._disk.listing(directory)
        return listing

    def twin(self, directory: bytes) -> bytes | None:
        """A shorter path of the same directory, if there is one.

        Without it headers that include each other by `../` would be met at longer and longer paths.
        """
        if directory not in self._twins:
            twin = self._twin(directory)
            self._twins[directory] = None if twin == directory else twin
        return self._twins[directory]

    def _twin(self, directory: bytes) -> bytes:
        identity = self._disk.identity
        known = identity(directory)
        short = _collapsed(directory)
        if identity(short) != known:  # a link leads elsewhere
            short = directory
        parts = short.split(b"/")
        if len(parts) > _DEEP:  # a link may lead back to where its path came from
            for count in range(2, len(parts)):
                if identity(b"/".join(parts[:count])) == known:
                    return b"/".join(parts[:count])
        return short

    def along(self, start: int, name: bytes) -> Hit:
        """Look along the search path, from the directory of this rank on."""
        hit = self._hits.get((start, name))
        if hit is None:
            hit = self._hits[start, name] = Hit()
            if name[:1] == b"/":
                self._at(name, hit)
            else:
                parts = self._parts_of(name)
                for place in range(start, len(self.path)):
                    if self._within(self.path[place], parts, hit):
                        hit.place = place
                        break
            self._keep(hit)
        return hit

    def beside(self, directory: bytes, name: bytes) -> Hit:
        """Look in one directory, which is part of no path."""
        hit = self._hits.get((directory, name))
        if hit is None:
            hit = self._hits[directory, name] = Hit()
            if name[:1] == b"/":
                self._at(name, hit)
            else:
                self._within(directory, self._parts_of(name), hit)
            self._keep(hit)
        return hit

    def _keep(self, hit: Hit) -> None:
        if hit.absent:
            self._asked_for = None
            self._absent.update(hit.absent)

    def _at(self, name: bytes, hit: Hit) -> None:
        """Take an absolute name: its directory is listed, those above it are not."""
        directory, _, last = absolute(self.cwd, name).rpartition(b"/")
        if name[-1:] != b"/" and b"\0" not in name and last not in {b"", b".."}:
            self._take(directory or b"/", last, hit)

    def _parts_of(self, name: bytes) -> list[bytes]:
        parts = self._parts.get(name)
        if parts is None:
            parts = self._parts[name] = _parts(name)
        return parts

    def _within(self, directory: bytes, parts: list[bytes], hit: Hit) -> bool:
        if len(parts) > 1:
            for part in parts[:-1]:
                if part != b"..":
                    listing = self.listing(directory)
                    hit.directories += (directory,)
                    self._asked[directory].add(part)
                    if listing is None or part not in listing.names:
                        return False
                directory = join(directory, part)
        return bool(parts) and self._take(directory, parts[-1], hit)

    def _take(self, directory: bytes, last: bytes, hit: Hit) -> bool:
        listing = self.listing(directory)
        hit.directories += (directory,)
        self._asked[directory].add(last)
        if listing is None:
            return False
        names = listing.names
        for suffix in _PRECOMPILED:
            if last + suffix in names:
                self._precompiled(join(directory, last + suffix), hit)
        if last not in names:
            return False
        path = join(directory, last)
        if self._disk.file(path) is None:
            hit.absent += (path,)
            return False
        hit.path = path
        return True

    def _precompiled(self, path: bytes, hit: Hit) -> None:
        """Take a precompiled form: a file, or a directory of several, one of which may fit."""
        if self._disk.file(path) is not None:
            hit.leaves += (path,)
            return
        hit.absent += (path,)
        hit.directories += (path,)
        listing = self.listing(path)
        self._asked[path].add(_ALL)
        for name in sorted(listing.names if listing else ()):
            if self._disk.file(join(path, name)) is not None:
                hit.leaves += (join(path, name),)
            else:
                hit.absent += (join(path, name),)


def _parts(name: bytes) -> list[bytes]:
    """The components of a relative name; none when it cannot be a file's."""
    parts = [part for part in name.split(b"/") if part not in {b"", b"."}]
    if not parts or parts[-1] == b".." or name[-1:] == b"/" or name[-2:] == b"/." or b"\0" in name:
        return []
    return parts


def join(directory: bytes, name: bytes) -> bytes:
    """The path of a name in a directory."""
    return directory + name if directory == b"/" else directory + b"/" + name


def _collapsed(path: bytes) -> bytes:
    """The path without `..`, as if there were no links."""
    parts: list[bytes] = []
    for part in path.split(b"/")[1:]:
        if part == b"..":
            del parts[-1:]
        else:
            parts.append(part)
    return b"/" + b"/".join(parts)


def unique(items: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(items))
