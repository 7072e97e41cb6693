"""Which file brings which others, in one context: nodes that are resolved once and walked by every unit."""

from collections.abc import Iterable
from typing import Final

from fleetcc.includes.disk import Disk, Stamp
from fleetcc.includes.parsed import Dialect, Kind, Parsed
from fleetcc.includes.places import BESIDE, Hit, Places, join, unique
from fleetcc.includes.sources import Sources

# A node's place can also be: what only the assembler reads, and the unit itself.
TEXT: Final = -2
SOURCE: Final = -3
# Found beside an includer that was itself found at this rank, or beside one that was: rank r is -10 - r.
_INHERITED: Final = -10

_NOTHING: Final = Parsed()


class Node:
    """One file as one place in the search path led to it: #include_next goes on from there."""

    __slots__ = (
        "absent",
        "children",
        "directories",
        "is_resolved",
        "is_special",
        "leaves",
        "parsed",
        "path",
        "place",
        "stamp",
        "twin",
    )

    def __init__(self, path: bytes, place: int) -> None:
        self.path = path
        self.place = place
        self.stamp: Stamp | None = None
        self.parsed: Parsed | None = None
        self.is_resolved = False
        self.twin: tuple[bytes, bytes] | None = None  # its directory, and a shorter path of that
        self.is_special = False  # plain names do not say it all
        self.children: tuple[Node, ...] = ()
        self.leaves: tuple[bytes, ...] = ()
        self.directories: tuple[bytes, ...] = ()
        self.absent: tuple[bytes, ...] = ()


class Found:
    """What some names lead to."""

    def __init__(self) -> None:
        self.children: dict[Node, None] = {}
        self.leaves: list[bytes] = []
        self.directories: list[bytes] = []
        self.absent: list[bytes] = []

    def add(self, other: "Found") -> None:
        """Have also what others lead to."""
        self.children |= other.children
        self.leaves += other.leaves
        self.directories += other.directories
        self.absent += other.absent


class Graph:
    """The nodes of one context."""

    def __init__(self, disk: Disk, places: Places, sources: Sources, dialect: Dialect) -> None:
        self._disk = disk
        self.places: Final = places
        self._sources = sources
        self._dialect = dialect
        self.nodes: dict[tuple[bytes, int], Node] = {}

    def renew(self) -> None:
        """Begin a scan: whatever rests on something that has changed is resolved again when it is met."""
        changed, appeared = self.places.renew()
        if changed or appeared:
            for node in self.nodes.values():
                if not (changed.isdisjoint(node.directories) and appeared.isdisjoint(node.absent)):
                    node.is_resolved = False

    def node(self, path: bytes, place: int) -> Node:
        """The node there, known or new."""
        node = self.nodes.get((path, place))
        if node is None:
            node = self.nodes[path, place] = Node(path, place)
        return node

    def refresh(self, node: Node, stamp: Stamp, *, expanding: bool = False) -> None:
        """Make a node that of this version of its file; `expanding`: for a unit with names to be expanded."""
        node.stamp = stamp
        directory, _, name = node.path.rpartition(b"/")
        twin = self.places.twin(directory) if directory and node.place < 0 and node.place != SOURCE else None
        if twin is not None:
            self._stand_for(node, self.node(join(twin, name), node.place), (directory, twin))
            return
        node.twin = None
        parsed = self._sources.parsed(node.path, stamp, self._dialect_of(node), expanding=expanding)
        if parsed is node.parsed and node.is_resolved:
            return
        found = Found()
        beside = directory or b"/"
        hits = [hit for name in parsed.quoted for hit in self._normal(beside, name, quoted=True)]
        hits += [hit for name in parsed.angled for hit in self._normal(beside, name, quoted=False)]
        self._take(hits, found, leaf=False, beside=_inherited(node.place))
        for kind, name, quoted in parsed.others:
            self.look(node, kind, name, quoted=quoted, found=found)
        node.parsed = parsed
        node.is_special = parsed.is_special
        node.children = tuple(found.children)
        node.leaves = unique(found.leaves)
        node.directories = unique(found.directories)
        node.absent = unique(found.absent)
        node.is_resolved = True

    def _stand_for(self, node: Node, other: Node, twin: tuple[bytes, bytes]) -> None:
        node.parsed = _NOTHING
        node.is_special = False
        node.children = (other,)
        node.leaves = ()
        node.directories = twin
        node.absent = ()
        node.twin = twin
        node.is_resolved = True

    def is_astray(self, node: Node) -> bool:
        """Whether its directory and that of the node it stands for are not the same any more."""
        identity = self._disk.identity
        return node.twin is not None and identity(node.twin[0]) != identity(node.twin[1])

    def lose(self, path: bytes) -> None:
        """A file that was found is gone, unnoticed by any listing."""
        self.places.forget(path)
        for node in self.nodes.values():
            if path in node.leaves or any(child.path == path for child in node.children):
                node.is_resolved = False

    def look(self, node: Node, kind: Kind, name: bytes, *, quoted: bool, found: Found) -> None:
        """Find what a name in this file can be, for both families of compilers."""
        places = self.places
        directory = node.path.rpartition(b"/")[0] or b"/"
        match kind:
            case Kind.INCLUDE:
                hits = self._normal(directory, name, quoted=quoted)
                self._take(hits, found, leaf=False, beside=_inherited(node.place))
            case Kind.PROBE:
                self._take(self._normal(directory, name, quoted=quoted), found, leaf=True)
            case Kind.NEXT | Kind.PROBE_NEXT:
                hits = self._next(node.place, directory, name, quoted=quoted)
                leaf = kind is Kind.PROBE_NEXT
                self._take(hits, found, leaf=leaf, beside=_inherited(node.place))
            case Kind.EMBED:
                beside = [places.beside(each, name) for each in (directory, *places.embed)]
                self._take([*beside, *self._normal(directory, name, quoted=quoted)], found, leaf=True)
            case Kind.LINE:
                self._take([places.beside(places.cwd, name)], found, leaf=True)
            case Kind.ASSEMBLER | Kind.BINARY:
                # GNU as looks in its working directory, newer ones beside the includer too, and in -I.
                beside = [places.beside(each, name) for each in (places.cwd, directory)]
                hits = [*beside, *(places.along(start, name) for start in range(len(places.path)))]
                self._take(hits, found, leaf=kind is Kind.BINARY, everywhere=TEXT)

    def _normal(self, directory: bytes, name: bytes, *, quoted: bool) -> list[Hit]:
        places = self.places
        if name[:1] == b"/":
            return [places.beside(b"/", name)]
        if not quoted:
            return [places.along(places.angled_from, name)]
        if not places.includer_first:
            return [places.along(0, name)]
        beside = places.beside(directory, name)
        return [beside] if beside.path is not None else [beside, places.along(0, name)]

    def _next(self, place: int, directory: bytes, name: bytes, *, quoted: bool) -> list[Hit]:
        """Go on after the directory where the includer was found.

        A file that was beside its includer: gcc begins the path anew, and clang goes on from where the
        includer was found. Any other that was not found along the path: #include_next is #include.
        """
        if place >= 0 and name[:1] != b"/":
            return [self.places.along(place + 1, name)]
        hits = [*self._normal(directory, name, quoted=quoted), self.places.along(0, name)]
        if place <= _INHERITED:
            hits.append(self.places.along(_INHERITED - place + 1, name))
        return hits

    def _take(
        self,
        hits: Iterable[Hit],
        found: Found,
        *,
        leaf: bool,
        beside: int = BESIDE,
        everywhere: int | None = None,
    ) -> None:
        for hit in hits:
            found.directories += hit.directories
            if hit.leaves or hit.absent:
                found.leaves += hit.leaves
                found.absent += hit.absent
            if hit.path is None:
                continue
            if leaf:
                found.leaves.append(hit.path)
            else:
                place = beside if hit.place == BESIDE else hit.place
                found.children[self.node(hit.path, place if everywhere is None else everywhere)] = None

    def forced(self, name: bytes, found: Found) -> None:
        """Look for what -include or -imacros names: in the working directory, then as "..."."""
        beside = self.places.beside(self.places.cwd, name)
        hits = (
            [beside] if beside.path is not None or name[:1] == b"/" else [beside, self.places.along(0, name)]
        )
        self._take(hits, found, leaf=False)

    def preincluded(self, name: bytes, found: Found) -> None:
        """Look for what a compiler includes by itself, as <...>."""
        self._take([self.places.along(self.places.angled_from, name)], found, leaf=False)

    def _dialect_of(self, node: Node) -> Dialect:
        if node.place == TEXT:
            return Dialect.PLAIN_ASSEMBLER
        if node.place == SOURCE and self._dialect is Dialect.C:
            return Dialect.SOURCE
        return self._dialect


def _inherited(place: int) -> int:
    """The place of what is found beside a file of this place."""
    if place >= 0:
        return _INHERITED - place
    return place if place <= _INHERITED else BESIDE
