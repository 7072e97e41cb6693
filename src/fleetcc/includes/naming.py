"""What a macro-valued name can be.

A header's name mostly stands somewhere as a whole, and macros only choose between such names (Boost.PP). Then
the names in all definitions that the operand can lead to will do: see `Reach`. Only where names are put
together with # or within <...> (Boost.MPL) are all expansions followed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fleetcc.includes.expansion import Expander, TooManyWaysError, header_names
from fleetcc.includes.macros import IDENTIFIERS, Macro, Tokens
from fleetcc.includes.reach import Reach, reach_of

# What compilers define themselves looks so; their values are not known here.
FOREIGN: Final = re.compile(rb"__[A-Za-z0-9]\w*|\b(?:_[A-Z]\w*|linux|unix|i386|sparc|mips|vax|sun)\b")
FILE: Final = b"__FILE__"

# All definitions of a word; and all macros whose names begin with it.
Defined: TypeAlias = Callable[[bytes], list[Macro]]
Longer: TypeAlias = Callable[[bytes], Sequence[bytes]]


@dataclass(slots=True)
class Answer:
    """What an operand can become, and the definitions that this rests on."""

    names: dict[tuple[bytes, bool], None] = field(default_factory=dict)  # True: "..."
    doubt: bool = False
    too_many: bool = False
    macros: dict[bytes, list[Macro]] = field(default_factory=dict)
    longer: dict[bytes, Sequence[bytes]] = field(default_factory=dict)


class Naming:
    """One operand, being answered."""

    def __init__(self, operand: bytes, spellings: Iterable[bytes], defined: Defined, longer: Longer) -> None:
        self._operand = operand
        self._file = [Macro(FILE, None, b'"' + each + b'"') for each in spellings]
        self._all_defined = defined
        self._all_longer = longer
        self._answer = Answer()

    def answer(self) -> Answer:
        """Find the names."""
        if self._collect():
            self._answer.names = {}
            self._expand()
        return self._answer

    def _defined(self, word: bytes) -> list[Macro]:
        macros = self._answer.macros.get(word)
        if macros is None:
            macros = self._answer.macros[word] = self._all_defined(word)
        return macros or (self._file if word == FILE else [])

    def _longer(self, word: bytes) -> Sequence[bytes]:
        names = self._answer.longer.get(word)
        if names is None:
            names = self._answer.longer[word] = self._all_longer(word)
        return names

    def _collect(self) -> bool:
        """Take the names in all definitions that the operand can lead to. Are there others?"""
        work = [reach_of(Macro(b"", None, self._operand))]
        seen: set[bytes] = set()
        pastes = False
        while work:
            reach = work.pop()
            if reach.stringizes or not self._take(reach):
                return True
            new = reach.words - seen
            if pastes:
                new = new.union(*map(self._longer, new)) - seen
            elif reach.pastes:  # from now on a word stands for all that begin with it
                pastes = True
                new = new.union(*map(self._longer, seen | new)) - seen
            seen |= new
            work += [reach_of(macro) for word in sorted(new) for macro in self._defined(word)]
        return False

    def _take(self, reach: Reach) -> bool:
        """Take the names that stand in a body; False when it makes some that do not."""
        names = self._answer.names
        names.update(dict.fromkeys((name, True) for name in reach.quoted))
        for angle in reach.angles:
            if angle.before is None or self._defined(angle.before):
                if angle.name is None or any(map(self._defined, IDENTIFIERS.findall(angle.name))):
                    return False
                names[angle.name, False] = None
        return True

    def _expand(self) -> None:
        """Follow all expansions."""
        answer = self._answer
        try:
            results = Expander(self._defined).expand(self._operand)
        except TooManyWaysError:
            answer.too_many = True
            return
        answer.names = dict.fromkeys(name for result in results for name in header_names(result))
        answer.doubt = any(self._is_open(result) for result in results)

    def _is_open(self, result: Tokens) -> bool:
        """Whether an expansion that is no header's name might be one, were the compiler's macros known."""
        if header_names(result) or not result:
            return False
        text = b"".join(result)
        return text != self._operand and FOREIGN.search(text) is not None and not self._defined(result[0])
