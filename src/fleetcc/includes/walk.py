"""One unit's way through its context's graph."""

from collections.abc import Mapping
from typing import Final

from fleetcc.includes.closure import Closure, Doubt, Unresolved
from fleetcc.includes.computed import ComputedNames, unresolved
from fleetcc.includes.disk import Disk, Listing, Stamp
from fleetcc.includes.graph import SOURCE, Found, Graph, Node
from fleetcc.includes.index import Index
from fleetcc.includes.sources import Sources
from fleetcc.includes.unit import Unit, absolute

# glibc's, which gcc includes before anything else.
_PREINCLUDED: Final = b"stdc-predef.h"


class Walk:
    """Visits every node that a unit leads to."""

    def __init__(self, disk: Disk, graph: Graph, unit: Unit, sources: Sources, index: Index) -> None:
        self._disk = disk
        self._graph = graph
        self._unit = unit
        self._source = absolute(unit.cwd, unit.source)
        self._names = ComputedNames(unit, graph, sources, index)
        self._roots = Found()
        self._files: dict[bytes, Stamp] = {}
        self._nodes: dict[Node, None] = {}
        self._special: list[Node] = []
        self._computing: list[Node] = []  # those of them with names to be expanded
        self._directories: set[bytes] = set(graph.places.path)
        self._absent: set[bytes] = set()
        self.twins: dict[tuple[bytes, bytes], None] = {}  # paths that have to be of one directory

    def run(self) -> "Walk | None":
        """Visit; None when a file was gone that the graph still had: then it has to be done again."""
        if self._disk.file(self._source) is not None:
            self._nodes[self._graph.node(self._source, SOURCE)] = None
        for name in self._unit.forced:
            self._graph.forced(name, self._roots)
        self._graph.preincluded(_PREINCLUDED, self._roots)
        self._nodes |= self._roots.children
        new = list(self._nodes)
        while new:
            if not self._visit(new):
                return None
            if self._computing:
                self._names.resolve(self._computing, self._files)
            new = [node for node in self._names.found.children if node not in self._nodes]
            self._nodes.update(dict.fromkeys(new))
        return self if self._rest() else None

    def _visit(self, work: list[Node]) -> bool:
        file, nodes, files = self._disk.file, self._nodes, self._files
        for node in work:
            stamp = file(node.path)
            if stamp is None:
                self._graph.lose(node.path)
                return False
            if stamp != node.stamp or not node.is_resolved or (node.twin and self._graph.is_astray(node)):
                self._graph.refresh(node, stamp, expanding=bool(self._computing))
            if node.twin is not None:
                self.twins[node.twin] = None
            files[node.path] = stamp
            if node.is_special:
                self._special.append(node)
                if node.parsed and node.parsed.computed:
                    self._computing.append(node)
            for child in node.children:
                if child not in nodes:
                    nodes[child] = None
                    work.append(child)
        return True

    def _rest(self) -> bool:
        """Take what nodes have beside children."""
        leaves: set[bytes] = set()
        parts: list[Node | Found] = [*self._nodes, self._roots, self._names.found]
        for part in parts:
            self._directories.update(part.directories)
            leaves.update(part.leaves)
            self._absent.update(part.absent)
        for leaf in sorted(leaves.difference(self._files)):
            stamp = self._disk.file(leaf)
            if stamp is None:
                self._graph.lose(leaf)
                return False
            self._files[leaf] = stamp
        return True

    def closure(self) -> Closure:
        """What was found."""
        return Closure(self._files, frozenset(self._directories), tuple(self._doubts()))

    def stamps(self) -> Mapping[bytes, Stamp | None]:
        """The versions of files that the closure rests on; None for those that were looked for in vain."""
        missing = [path for path in (*self._absent, self._source) if path not in self._files]
        return {**self._files, **dict.fromkeys(missing)} if missing else self._files

    def listings(self) -> dict[bytes, Listing | None]:
        """The versions of directories that the closure rests on."""
        return {directory: self._graph.places.listing(directory) for directory in self._directories}

    def _doubts(self) -> list[Unresolved]:
        doubts = dict(self._names.doubts)
        if self._source not in self._files:
            doubts[unresolved(Doubt.UNREADABLE, self._source, 0, b"")] = None
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
