"""Scans units, and remembers what it found: a unit whose files are what they were costs one question."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.includes.closure import Closure
from fleetcc.includes.disk import Disk, Listing, Stamp
from fleetcc.includes.graph import Graph
from fleetcc.includes.index import Index
from fleetcc.includes.parsed import Dialect
from fleetcc.includes.places import Asked, Places, matters
from fleetcc.includes.sources import Sources
from fleetcc.includes.unit import Search, Unit
from fleetcc.includes.walk import Walk

# What is remembered of more is forgotten, all at once: a node has some 500 bytes, a unit some 20 KB.
MAX_NODES: Final = 200_000
MAX_UNITS: Final = 20_000

_Context: TypeAlias = tuple[bytes, Search, Dialect]


@dataclass(slots=True)
class _Record:
    """One unit's last answer, and what it rests on."""

    closure: Closure
    stamps: Mapping[bytes, Stamp | None]
    listings: Mapping[bytes, Listing | None]
    twins: Collection[tuple[bytes, bytes]]  # paths of one directory each


class Scanner:
    """Finds the files of units on one disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._records: dict[Unit, _Record] = {}
        self._asked: Asked = defaultdict(set)
        self._sources = Sources(disk)
        self._index = Index(self._sources)
        self._graphs: dict[_Context, Graph] = {}

    def scan(self, unit: Unit) -> Closure:
        """Every file that the unit's compiler may read, as the disk is at this moment."""
        record = self._records.get(unit)
        if record is not None and self._is_current(record):
            return record.closure
        self._bound_memory()
        graph = self._graph(unit)
        walk = None
        while walk is None:  # again when a file behind a link has gone meanwhile
            graph.renew()
            walk = Walk(self._disk, graph, unit, self._sources, self._index).run()
        new = _Record(walk.closure(), walk.stamps(), walk.listings(), walk.twins)
        if record is not None and _is_same(record.closure, new.closure):
            new.closure = record.closure
        self._records[unit] = new
        return new.closure

    def _is_current(self, record: _Record) -> bool:
        disk = self._disk
        if disk.still(record.stamps, record.listings):
            return True
        if any(disk.file(path) != stamp for path, stamp in record.stamps.items()):
            return False
        changed = {}
        for directory, old in record.listings.items():
            new = disk.listing(directory)
            if new is not old:
                if matters(old, new, self._asked[directory]):
                    return False
                changed[directory] = new
        if any(disk.identity(path) != disk.identity(twin) for path, twin in record.twins):
            return False
        record.listings = {**record.listings, **changed}
        return True

    def _graph(self, unit: Unit) -> Graph:
        dialect = Dialect.ASSEMBLER if unit.language == b"assembler-with-cpp" else Dialect.C
        context = (unit.cwd, unit.search, dialect)
        graph = self._graphs.get(context)
        if graph is None:
            places = Places(self._disk, unit.cwd, unit.search, self._asked)
            graph = self._graphs[context] = Graph(self._disk, places, self._sources, dialect)
        return graph

    @property
    def size(self) -> tuple[int, int]:
        """How many units and how many files and nodes are remembered."""
        nodes = sum(len(graph.nodes) for graph in self._graphs.values())
        return len(self._records), nodes + len(self._sources)

    def _bound_memory(self) -> None:
        units, nodes = self.size
        if units > MAX_UNITS:
            self._records.clear()
        if nodes > MAX_NODES:
            self._records.clear()
            self._graphs.clear()
            self._asked.clear()
            self._sources = Sources(self._disk)
            self._index = Index(self._sources)


def _is_same(old: Closure, new: Closure) -> bool:
    return old.files == new.files and old.directories == new.directories and old.unresolved == new.unresolved
