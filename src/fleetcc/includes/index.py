"""All macro definitions in files that computed names were expanded over, by name and by file."""

from bisect import bisect_left, insort
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from fleetcc.includes.disk import Stamp
from fleetcc.includes.macros import Definitions, Macro
from fleetcc.includes.naming import Answer, Defined
from fleetcc.includes.sources import Sources

# Units of one project define what decides about a name in a few ways.
_MAX_ANSWERS: Final = 8


class Index:
    """Definitions by name, of as many files as were ever asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._stamps: dict[bytes, Stamp] = {}
        self._definitions: dict[bytes, Definitions] = {}
        self._by_name: dict[bytes, dict[bytes, tuple[Macro, ...]]] = {}
        self._answers: dict[Hashable, tuple[Answer, ...]] = {}
        self._live: list[bytes] = []  # sorted; names of which a definition leads anywhere

    def cover(self, files: Mapping[bytes, Stamp]) -> None:
        """Have the definitions of these versions of these files."""
        for path, stamp in files.items():
            if self._stamps.get(path) != stamp:
                self._replace(path, self._sources.definitions(path, stamp))
                self._stamps[path] = stamp

    def macros(self, name: bytes, files: Mapping[bytes, Stamp]) -> list[Macro]:
        """What a name is defined as in some of the files covered."""
        by_path = self._by_name.get(name)
        if by_path is None:
            return []
        found: dict[Macro, None] = {}
        for path, macros in by_path.items():
            if path in files:
                found.update(dict.fromkeys(macros))
        return list(found)

    def longer(self, word: bytes) -> Sequence[bytes]:
        """Names that begin with a word, of macros that lead anywhere: what ## can make of it."""
        start = bisect_left(self._live, word + b"\0")
        return self._live[start : bisect_left(self._live, word + b"\xff\xff")]

    def remembered(self, question: Hashable, defined: Defined) -> Answer | None:
        """What was answered to this question when all macros that it came to were defined as they are now."""
        for answer in self._answers.get(question, ()):
            if all(defined(name) == macros for name, macros in answer.macros.items()) and all(
                self.longer(word) == names for word, names in answer.longer.items()
            ):
                return answer
        return None

    def remember(self, question: Hashable, answer: Answer) -> None:
        """Keep an answer, and the last few others to the same question."""
        self._answers[question] = (answer, *self._answers.get(question, ())[: _MAX_ANSWERS - 1])

    def _replace(self, path: bytes, definitions: Definitions) -> None:
        for name in self._definitions.get(path, ()):
            by_path = self._by_name[name]
            del by_path[path]
            if not by_path:
                del self._by_name[name]
        self._definitions[path] = definitions
        for name, macros in definitions.items():
            self._by_name.setdefault(name, {})[path] = macros
            if not all(macro.leads_nowhere for macro in macros):
                at = bisect_left(self._live, name)
                if at == len(self._live) or self._live[at] != name:
                    insort(self._live, name)
