"""Scans units, and remembers what it found: a unit whose files are what they were costs one question."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.includes.closure import Closure, Doubt, Unresolved
from fleetcc.includes.computed import Names, unresolved
from fleetcc.includes.disk import Disk, Listing, Stamp
from fleetcc.includes.graph import SOURCE, Found, Graph, Node
from fleetcc.includes.parsed import Dialect
from fleetcc.includes.places import Asked, Places, matters
from fleetcc.includes.sources import Sources
from fleetcc.includes.unit import Search, Unit, absolute

# What is remembered of more is forgotten, all at once: a node has some 500 bytes, a unit some 20 KB.
MAX_NODES: Final = 200_000
MAX_UNITS: Final = 20_000

# glibc's, which gcc includes before anything else.
_PREINCLUDED: Final = b"stdc-predef.h"

_Context: TypeAlias = tuple[bytes, Search, Dialect]


@dataclass(slots=True)
class _Record:
    """One unit's last answer, and what it rests on."""

    closure: Closure
    stamps: Mapping[bytes, Stamp | None]
    listings: dict[bytes, Listing | None]


class Scanner:
    """Finds the files of units on one disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._records: dict[Unit, _Record] = {}
        self._asked: Asked = defaultdict(set)
        self._sources = Sources(disk)
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
            walk = _Walk(self._disk, graph, unit, self._sources).run()
        new = walk.record()
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
        record.listings.update(changed)
        return True

    def _graph(self, unit: Unit) -> Graph:
        dialect = Dialect.ASSEMBLER if unit.language == b"assembler-with-cpp" else Dialect.C
        context = (unit.cwd, unit.search, dialect)
        graph = self._graphs.get(context)
        if graph is None:
            places = Places(self._disk, unit.cwd, unit.search, self._asked)
            graph = self._graphs[context] = Graph(self._disk, places, self._sources, dialect)
        return graph

    def _bound_memory(self) -> None:
        if len(self._records) > MAX_UNITS:
            self._records.clear()
        nodes = sum(len(graph.nodes) for graph in self._graphs.values())
        if nodes + len(self._sources) > MAX_NODES:
            self._records.clear()
            self._graphs.clear()
            self._asked.clear()
            self._sources = Sources(self._disk)


class _Walk:
    """One unit's way through its context's graph."""

    def __init__(self, disk: Disk, graph: Graph, unit: Unit, sources: Sources) -> None:
        self._disk = disk
        self._graph = graph
        self._unit = unit
        self._names = Names(unit, graph, sources)
        self._roots = Found()
        self._files: dict[bytes, Stamp] = {}
        self._nodes: dict[Node, None] = {}
        self._special: list[Node] = []

    def run(self) -> "_Walk | None":
        """Visit every node; None when the graph turned out to be old."""
        source = absolute(self._unit.cwd, self._unit.source)
        if self._disk.file(source) is not None:
            self._nodes[self._graph.node(source, SOURCE)] = None
        for name in self._unit.forced:
            self._graph.forced(name, self._roots)
        self._graph.preincluded(_PREINCLUDED, self._roots)
        self._nodes |= self._roots.children
        if not self._visit(list(self._nodes)):
            return None
        computing = [node for node in self._special if node.parsed and node.parsed.computed]
        while computing:
            self._names.resolve(computing, self._files)
            new = [node for node in self._names.found.children if node not in self._nodes]
            if not new:
                break
            self._nodes.update(dict.fromkeys(new))
            if not self._visit(new):
                return None
            computing = [node for node in self._special if node.parsed and node.parsed.computed]
        return self

    def _visit(self, work: list[Node]) -> bool:
        file, nodes, files = self._disk.file, self._nodes, self._files
        for node in work:
            stamp = file(node.path)
            if stamp is None:
                self._graph.lose(node.path)
                return False
            if stamp != node.stamp or not node.is_resolved:
                self._graph.refresh(node, stamp)
            files[node.path] = stamp
            if node.is_special:
                self._special.append(node)
            new = node.children - nodes.keys()
            if new:
                nodes.update(dict.fromkeys(new))
                work.extend(new)
        return True

    def record(self) -> _Record:
        """What was found, and what it rests on."""
        parts: list[Node | Found] = [*self._nodes, self._roots, self._names.found]
        directories = set(self._graph.places.path)
        leaves: set[bytes] = set()
        absent: set[bytes] = set()
        for part in parts:
            directories.update(part.directories)
            leaves.update(part.leaves)
            absent.update(part.absent)
        files = self._files
        for leaf in sorted(leaves - files.keys()):
            stamp = self._disk.file(leaf)
            if stamp is not None:
                files[leaf] = stamp
        source = absolute(self._unit.cwd, self._unit.source)
        missing = {path: None for path in (*absent, source) if path not in files}
        listings = {directory: self._graph.places.listing(directory) for directory in directories}
        closure = Closure(files, frozenset(directories), tuple(self._doubts()))
        return _Record(closure, {**files, **missing} if missing else files, listings)

    def _doubts(self) -> list[Unresolved]:
        doubts = dict(self._names.doubts)
        source = absolute(self._unit.cwd, self._unit.source)
        if source not in self._files:
            doubts[unresolved(Doubt.UNREADABLE, source, 0, b"")] = None
        for directory in self._graph.places.path:
            if self._graph.places.listing(directory) is None and self._disk.file(directory) is not None:
                doubts[unresolved(Doubt.HEADER_MAP, directory, 0, b"")] = None
        has_modules = b"++" in self._unit.language or self._unit.language.startswith(b"objective")
        for node in self._special:
            assert node.parsed is not None
            for doubt, line, what in node.parsed.doubts:
                doubts[unresolved(doubt, node.path, line, what)] = None
            for line, what in node.parsed.imports if has_modules else ():
                doubts[unresolved(Doubt.MODULES, node.path, line, what)] = None
        return list(doubts)


def _is_same(old: Closure, new: Closure) -> bool:
    return old.files == new.files and old.directories == new.directories and old.unresolved == new.unresolved
