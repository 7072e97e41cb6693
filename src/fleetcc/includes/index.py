"""All macro definitions in files that computed names were expanded over, by name and by file."""

from bisect import bisect_left
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
        self._files: dict[bytes, tuple[bytes, ...]] = {}  # by name, those that define it
        self._answers: dict[Hashable, tuple[Answer, ...]] = {}
        self._names: list[bytes] = []  # sorted when somebody asks for longer ones
        self._leading: dict[bytes, bool] = {}  # by name, whether a definition leads anywhere
        self._longer: dict[bytes, list[bytes]] = {}

    def cover(self, files: Mapping[bytes, Stamp]) -> None:
        """Have the definitions of these versions of these files."""
        for path, stamp in files.items():
            if self._stamps.get(path) != stamp:
                self._replace(path, self._sources.definitions(path, stamp))
                self._stamps[path] = stamp

    def macros(self, name: bytes, files: Mapping[bytes, Stamp]) -> list[Macro]:
        """What a name is defined as in some of the files covered."""
        found: dict[Macro, None] = {}
        for path in self._files.get(name, ()):
            if path in files:
                found.update(dict.fromkeys(self._definitions[path][name]))
        return list(found)

    def longer(self, word: bytes) -> Sequence[bytes]:
        """Names that begin with a word, of macros that lead anywhere: what ## can make of it."""
        longer = self._longer.get(word)
        if longer is None:
            if not self._longer:
                self._names.sort()
            start = bisect_left(self._names, word + b"\0")
            names = self._names[start : bisect_left(self._names, word + b"\xff\xff")]
            longer = self._longer[word] = [name for name in names if self._leads(name)]
        return longer

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
        old = self._definitions.get(path, ())
        for name in old:
            self._files[name] = tuple(each for each in self._files[name] if each != path)
            self._leading.pop(name, None)
        if old or definitions:
            self._longer.clear()
        self._definitions[path] = definitions
        alone = (path,)
        for name in definitions:
            files = self._files.setdefault(name, alone)
            if files is alone:
                self._names.append(name)
            else:
                self._files[name] = (*files, path)
                self._leading.pop(name, None)

    def _leads(self, name: bytes) -> bool:
        leads = self._leading.get(name)
        if leads is None:
            leads = self._leading[name] = not all(
                macro.leads_nowhere for path in self._files[name] for macro in self._definitions[path][name]
            )
        return leads
