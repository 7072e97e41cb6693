"""Names that macros make: expanded over all definitions in the files found so far and of the command line."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.includes.closure import Doubt, Unresolved
from fleetcc.includes.disk import Stamp
from fleetcc.includes.expansion import Expander, TooManyWaysError, header_names
from fleetcc.includes.graph import Found, Graph, Node
from fleetcc.includes.macros import Macro, Tokens, option_macro
from fleetcc.includes.parsed import Computed, Kind
from fleetcc.includes.sources import Sources
from fleetcc.includes.unit import Unit

# What compilers define themselves looks so; their values are not known here.
_FOREIGN: Final = re.compile(rb"__[A-Za-z0-9]\w*|\b(?:_[A-Z]\w*|linux|unix|i386|sparc|mips|vax|sun)\b")
_PREPROCESSOR: Final = frozenset({Kind.INCLUDE, Kind.NEXT, Kind.EMBED})


class Names:
    """The computed names of one unit."""

    def __init__(self, unit: Unit, graph: Graph, sources: Sources) -> None:
        self._unit = unit
        self._graph = graph
        self._sources = sources
        self._options: dict[bytes, list[Macro]] = {}
        for definition in unit.definitions:
            named = option_macro(definition)
            if named is not None:
                self._options.setdefault(named[0], []).append(named[1])
        self.found = Found()
        self.doubts: dict[Unresolved, None] = {}

    def resolve(self, nodes: Iterable[Node], files: Mapping[bytes, Stamp]) -> None:
        """Find what the computed names of these nodes can be, with the definitions of these files.

        Begins anew each time: more files may mean more definitions.
        """
        self.found = Found()
        self.doubts = {}
        index = _Index(self._sources, files, self._options)
        for node in nodes:
            assert node.parsed is not None
            for computed in node.parsed.computed:
                self._one(node, computed, index)
                if computed.wrapper is not None:
                    self._wrapped(node, computed.wrapper, index, files)

    def _wrapped(self, node: Node, wrapper: bytes, index: "_Index", files: Mapping[bytes, Stamp]) -> None:
        """A macro that makes a __has_include: whatever any directive calls it with."""
        work, seen = [wrapper], {wrapper}
        while work:
            macro = work.pop()
            for path, stamp in files.items():
                for definer, argument in self._sources.uses(path, stamp, macro):
                    self._one(node, Computed(Kind.PROBE, argument, 0, definer), index)
                    if definer is not None and definer not in seen:
                        seen.add(definer)
                        work.append(definer)

    def _one(self, node: Node, computed: Computed, index: "_Index") -> None:
        try:
            results = index.expand(computed.operand, self._spellings(node))
        except TooManyWaysError:
            self._doubt(Doubt.TOO_MANY_NAMES, node, computed)
            return
        names = dict.fromkeys(name for result in results for name in header_names(result))
        for name, quoted in names:
            before = len(self.found.children) + len(self.found.leaves)
            self._graph.look(node, computed.kind, name, quoted=quoted, found=self.found)
            missing = before == len(self.found.children) + len(self.found.leaves)
            if missing and _FOREIGN.search(name) and not self._is_known(node, computed.kind, name, quoted=quoted):
                self._doubt(self._doubt_of(computed), node, computed)
        if any(_is_open(result, computed, index) for result in results):
            self._doubt(self._doubt_of(computed), node, computed)

    def _is_known(self, node: Node, kind: Kind, name: bytes, *, quoted: bool) -> bool:
        found = Found()
        self._graph.look(node, kind, name, quoted=quoted, found=found)
        return bool(found.children or found.leaves)

    def _spellings(self, node: Node) -> tuple[bytes, ...]:
        """What __FILE__ may be in a file: its path, or that from the working directory on."""
        prefix = self._graph.places.cwd.rstrip(b"/") + b"/"
        return (node.path, node.path[len(prefix) :]) if node.path.startswith(prefix) else (node.path,)

    def _doubt_of(self, computed: Computed) -> Doubt:
        match computed.kind:
            case Kind.PROBE | Kind.PROBE_NEXT:
                return Doubt.COMPUTED_PROBE
            case Kind.ASSEMBLER | Kind.BINARY:
                return Doubt.ASSEMBLER_FILE
            case _:
                return Doubt.COMPUTED_INCLUDE

    def _doubt(self, doubt: Doubt, node: Node, computed: Computed) -> None:
        self.doubts[unresolved(doubt, node.path, computed.line, computed.operand)] = None


def _is_open(result: Tokens, computed: Computed, index: "_Index") -> bool:
    """Whether an expansion that is no header's name might be one, if the compiler's own macros were known."""
    if header_names(result) or not result:
        return False
    head = result[0]
    text = b"".join(result)
    if computed.kind in {Kind.ASSEMBLER, Kind.BINARY}:
        return True
    return text != computed.operand and _FOREIGN.search(text) is not None and not index.macros(head)


def unresolved(doubt: Doubt, path: bytes, line: int, what: bytes) -> Unresolved:
    """A doubt in words."""
    text = b"%s:%d: %s" % (path, line, what[:200]) if what else path
    return Unresolved(doubt, text.decode(errors="backslashreplace"))


@dataclass
class _Index:
    """All definitions of some files and of the command line, by name."""

    sources: Sources
    files: Mapping[bytes, Stamp]
    options: Mapping[bytes, list[Macro]]
    _all: dict[bytes, dict[Macro, None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, macros in self.options.items():
            self._all.setdefault(name, {}).update(dict.fromkeys(macros))
        for path, stamp in self.files.items():
            for name, each in self.sources.definitions(path, stamp).items():
                self._all.setdefault(name, {}).update(dict.fromkeys(each))
        self._expander = Expander(self.macros)

    def macros(self, name: bytes) -> tuple[Macro, ...]:
        return tuple(self._all.get(name, ()))

    def expand(self, operand: bytes, spellings: tuple[bytes, ...]) -> list[Tokens]:
        """All that an operand can become in a file of these names."""
        own = {b"__FILE__": tuple(Macro(None, None, (b'"' + each + b'"',)) for each in spellings)}
        if b"__FILE__" in self._all or True:
            return Expander(lambda name: own.get(name) or self.macros(name)).expand(operand)
