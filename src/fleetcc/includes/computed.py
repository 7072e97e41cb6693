"""Finds the files that computed names mean, over all definitions in the files found so far."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from fleetcc.includes.closure import Doubt, Unresolved
from fleetcc.includes.disk import Stamp
from fleetcc.includes.graph import Found, Graph, Node
from fleetcc.includes.index import Index
from fleetcc.includes.macros import Macro, option_macro
from fleetcc.includes.naming import FILE, FOREIGN, Answer, Naming
from fleetcc.includes.parsed import Computed, Kind
from fleetcc.includes.sources import Sources
from fleetcc.includes.unit import Unit

Files: TypeAlias = Mapping[bytes, Stamp]


class ComputedNames:
    """The computed names of one unit."""

    def __init__(self, unit: Unit, graph: Graph, sources: Sources, index: Index) -> None:
        self._graph = graph
        self._sources = sources
        self._index = index
        self._files: Files = {}
        self._options: dict[bytes, list[Macro]] = {}
        for definition in unit.definitions:
            named = option_macro(definition)
            if named is not None:
                self._options.setdefault(named[0], []).append(named[1])
        self._macros: dict[bytes, list[Macro]] = {}
        self._answers: dict[tuple[bytes, ...], Answer] = {}
        self.found = Found()
        self.doubts: dict[Unresolved, None] = {}

    def resolve(self, nodes: Iterable[Node], files: Files) -> None:
        """Find what the computed names of these nodes can be, with the definitions of these files.

        Begins anew each time: more files may mean more definitions.
        """
        self._files = files
        self._index.cover(files)
        self._macros = {}
        self._answers = {}
        self.found = Found()
        self.doubts = {}
        for node in nodes:
            assert node.parsed is not None
            for computed in node.parsed.computed:
                self._one(node, computed)
                if computed.wrapper is not None:
                    self._wrapped(node, computed.wrapper)

    def _wrapped(self, node: Node, wrapper: bytes) -> None:
        """A macro that makes a __has_include: whatever any directive calls it with."""
        work, seen = [wrapper], {wrapper}
        while work:
            macro = work.pop()
            for path, stamp in self._files.items():
                for definer, argument in self._sources.uses(path, stamp, macro):
                    self._one(node, Computed(Kind.PROBE, argument, 0, definer))
                    if definer is not None and definer not in seen:
                        seen.add(definer)
                        work.append(definer)

    def _one(self, node: Node, computed: Computed) -> None:
        answer = self._answer(computed.operand, node)
        doubt = answer.doubt
        for name, quoted in answer.names:
            found = Found()
            self._graph.look(node, computed.kind, name, quoted=quoted, found=found)
            self.found.add(found)
            doubt = doubt or (not found.children and not found.leaves and FOREIGN.search(name) is not None)
        if answer.too_many or doubt:
            reason = _doubt_of(computed.kind, too_many=answer.too_many)
            self.doubts[unresolved(reason, node.path, computed.line, computed.operand)] = None

    def _answer(self, operand: bytes, node: Node) -> Answer:
        """What an operand can become in this file, as found for it before where that still holds."""
        spellings = self._spellings(node)
        for question in ((operand,), (operand, *spellings)):
            answer = self._answers.get(question) or self._index.remembered(question, self._defined)
            if answer is not None:
                break
        else:
            answer = Naming(operand, spellings, self._defined, self._index.longer).answer()
            if FILE not in answer.macros:
                question = (operand,)
            self._index.remember(question, answer)
        self._answers[question] = answer
        return answer

    def _defined(self, name: bytes) -> list[Macro]:
        macros = self._macros.get(name)
        if macros is None:
            macros = self._macros[name] = [
                *self._options.get(name, ()),
                *self._index.macros(name, self._files),
            ]
        return macros

    def _spellings(self, node: Node) -> tuple[bytes, ...]:
        """What __FILE__ may be in a file: its path, or that from the working directory on."""
        prefix = self._graph.places.cwd.rstrip(b"/") + b"/"
        return (node.path, node.path[len(prefix) :]) if node.path.startswith(prefix) else (node.path,)


def _doubt_of(kind: Kind, *, too_many: bool) -> Doubt:
    match kind:
        case Kind.PROBE | Kind.PROBE_NEXT:
            return Doubt.COMPUTED_PROBE
        case Kind.ASSEMBLER | Kind.BINARY:
            return Doubt.ASSEMBLER_FILE
        case _:
            return Doubt.TOO_MANY_NAMES if too_many else Doubt.COMPUTED_INCLUDE


def unresolved(doubt: Doubt, path: bytes, line: int, what: bytes) -> Unresolved:
    """A doubt in words."""
    text = b"%s:%d: %s" % (path, line, what[:200]) if what else path
    return Unresolved(doubt, text.decode(errors="backslashreplace"))
