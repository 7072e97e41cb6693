"""Pieces of a manifest, made once for each version of what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from fleetcc.files.digests import ChangedError, Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.folders import Marks
from fleetcc.files.stamps import RealStamp, status_of
from fleetcc.files.trail import Trail, Trails
from fleetcc.includes.disk import Stamp
from fleetcc.wire.files import Entry, File

# A unit's layers, one per way to compile it; about 25 KB each.
_MOST_SOURCES: Final = 20_000
_PER_SOURCE: Final = 4
_MOST_FILES: Final = 500_000

_EXECUTABLE: Final = 0o111


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What some part of a compile can read."""

    entries: Mapping[bytes, Entry]  # by absolute path, without links or `..` in it
    directories: frozenset[bytes]  # that were consulted, existing or not


class Closure(Protocol):
    """What a scan found; two are the same when they are the same object."""

    @property
    def files(self) -> Mapping[bytes, Stamp]:
        """Versions by absolute paths, as a compiler spells them."""

    @property
    def directories(self) -> frozenset[bytes]:
        """Absolute, as a compiler spells them, existing or not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    closure: Closure
    layer: Layer
    ways: Marks  # while they stand, all paths lead where they led


@dataclass(frozen=True, slots=True, eq=False)
class _Listed:
    stamps: tuple[RealStamp | None, ...]
    layer: Layer
    ways: Marks


class Layers:
    """Makes layers out of closures and paths. Not for use in several threads."""

    def __init__(self, disk: RealDisk, digests: Digests) -> None:
        self._disk = disk
        self._digests = digests
        self.trails = Trails(disk)
        self._made: dict[bytes, list[_Made]] = {}  # by source
        self._listed: dict[tuple[tuple[bytes, ...], tuple[bytes, ...]], _Listed] = {}  # by paths
        self._files: dict[bytes, tuple[RealStamp, File]] = {}

    def missing(self, closure: Closure) -> list[tuple[bytes, RealStamp]]:
        """What has to be hashed before `of` is fast: for `Digests.compute`, in a thread."""
        if self._made_of(closure) is not None:
            return []
        files = _files(closure)
        return [(path, stamp) for path, stamp in files.items() if self._known(path, stamp) is None]

    def of(self, closure: Closure) -> Layer:
        """The closure's layer, the same object while nothing on any way to its files has changed.

        What is not hashed yet is hashed now (blocking). Raises ChangedError and OSError.
        """
        made = self._made_of(closure)
        if made is not None and self._disk.stand(made.ways):
            return made.layer
        building = _Building(self._disk, self.trails)
        for path, stamp in _files(closure).items():
            building.add_file(path, self._known(path, stamp) or self._learn(path, stamp))
        for directory in closure.directories:
            building.add_directory(directory)
        layer = building.layer()
        if made is not None and _same(made.layer, layer):
            layer = made.layer
        self._remember(_Made(closure, layer, building.ways()))
        return layer

    def of_paths(self, paths: tuple[bytes, ...], places: tuple[bytes, ...] = ()) -> Layer:
        """A layer of these files, links and directories; what is not there is left out.

        `places` are directories that have to be there or not, as here, whatever is in them. Blocking where a
        file is not hashed yet. The same object as last time for these paths, if it is equal. Raises
        ChangedError and OSError.
        """
        asked = paths, places
        stamps = tuple([self._disk.file(path) for path in paths])
        known = self._listed.get(asked)
        if known is not None and known.stamps == stamps and self._disk.stand(known.ways):
            return known.layer
        building = _Building(self._disk, self.trails)
        for path, stamp in zip(paths, stamps, strict=True):
            if stamp is None:
                building.add_directory(path)
            else:
                building.add_file(path, self._known(path, stamp) or self._learn(path, stamp))
        for path in places:
            building.add_place(path)
        layer = building.layer()
        if known is not None and _same(known.layer, layer):
            layer = known.layer
        if len(self._listed) >= _MOST_SOURCES:
            self._listed.clear()
        self._listed[asked] = _Listed(stamps, layer, building.ways())
        return layer

    def _made_of(self, closure: Closure) -> _Made | None:
        for made in self._made.get(next(iter(closure.files), b""), ()):
            if made.closure is closure:
                return made
        return None

    def _remember(self, made: _Made) -> None:
        if len(self._made) >= _MOST_SOURCES:
            self._made.clear()
        known = self._made.setdefault(next(iter(made.closure.files), b""), [])
        others = [other for other in known if other.closure is not made.closure]
        known[:] = [*others[1 - _PER_SOURCE :], made]

    def _known(self, path: bytes, stamp: RealStamp) -> File | None:
        known = self._files.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = self._digests.lookup(path, stamp)
        return self._keep(path, stamp, digest) if digest is not None else None

    def _learn(self, path: bytes, stamp: RealStamp) -> File:
        return self._keep(path, stamp, self._digests.digest(path, stamp))

    def _keep(self, path: bytes, stamp: RealStamp, digest: bytes) -> File:
        status = status_of(stamp)
        file = File(digest, status.size, status.mtime_ns, executable=bool(status.mode & _EXECUTABLE))
        if len(self._files) >= _MOST_FILES:
            self._files.clear()
        self._files[path] = (stamp, file)
        return file


class _Building:
    """One layer while it is made."""

    def __init__(self, disk: RealDisk, trails: Trails) -> None:
        self._disk = disk
        self._trails = trails
        self._entries: dict[bytes, Entry] = {}
        self._consulted: set[bytes] = set()
        self._parents: set[bytes] = set()
        self._walked: dict[bytes, Trail] = {}

    def add_file(self, path: bytes, file: File) -> None:
        directory, _, name = path.rpartition(b"/")
        trail = self._walked.get(directory)
        if trail is None:
            trail = self._walked[directory] = self._trails.of_directory(directory)
            self._add(trail)
        here = trail.real
        if here is None:
            raise ChangedError(path)
        if self._disk.step(here, name) is True:
            self._parents.add(here)
            real = here + b"/" + name if here != b"/" else path
        else:
            trail = self._trails.of(path)
            self._add(trail)
            real = trail.real or b""
            if not real or trail.is_directory:
                raise ChangedError(path)
        self._entries[real] = file

    def add_directory(self, path: bytes) -> None:
        trail = self._trails.of_directory(path)
        self._add(trail)
        if trail.real is not None and trail.is_directory:
            self._consulted.add(trail.real)
        else:  # it may have gone with a directory on the way to it, which a replica may still have
            self._consulted.add(path)
            self._consulted.add(trail.last)

    def add_place(self, path: bytes) -> None:
        trail = self._trails.of_directory(path)
        if trail.real is not None and trail.is_directory:
            self._add(trail)
        else:
            self.add_directory(path)

    def layer(self) -> Layer:
        return Layer(self._entries, frozenset(self._consulted))

    def ways(self) -> Marks:
        return self._disk.ways(self._parents)

    def _add(self, trail: Trail) -> None:
        self._entries.update(trail.entries)
        self._parents |= trail.parents


def _same(one: Layer, other: Layer) -> bool:
    return one.entries == other.entries and one.directories == other.directories


def _files(closure: Closure) -> Mapping[bytes, RealStamp]:
    """The stamps of a scan of a real disk are the real disk's."""
    return closure.files  # type: ignore[return-value]
