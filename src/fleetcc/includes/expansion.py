"""What a macro-valued name can be, when a macro can be any of the definitions that were seen, or none.

Every way is followed at once: a state is what has been expanded and what is still to be, and ways that come
to the same state go on as one, so that the many variants of a preprocessor library's macros cost little.
Within one expansion a macro may be taken to be different things at different places, which no compiler
would do; that only adds names.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from typing import Final, TypeAlias

from fleetcc.includes.macros import IDENTIFIER, Macro, Tokens, tokenize
from fleetcc.includes.substitution import HOLE, PAINT, PastedHoleError, call_of, fit, hole, substitute, trim

# Boost.MPL's names take some hundred steps and give some thousand results; a step takes some 20 microseconds.
MAX_STEPS: Final = 5_000
MAX_RESULTS: Final = 8_000
_MAX_DEPTH: Final = 60
_MAX_TOKENS: Final = 1_000

# Their meaning depends on what is around them.
_SIGNS: Final = frozenset({b"(", b")", b",", b"#", b"##", b"%:", b"%:%:"})

# Texts, and definitions.
_Sorted: TypeAlias = tuple[tuple[bytes, ...], Sequence[Macro]]


class TooManyWaysError(Exception):
    """The name can be too many things."""


class Expander:
    """Expands with one set of definitions; `lookup` answers for a word with all of its definitions."""

    def __init__(self, lookup: Callable[[bytes], Sequence[Macro]]) -> None:
        self._lookup = lookup
        self._macros: dict[bytes, Sequence[Macro]] = {}
        self._known: dict[Tokens, frozenset[Tokens]] = {}
        self._sorts: dict[bytes, _Sorted] = {}
        self._pasted: set[bytes] = set()
        self._steps = 0
        self._depth = 0

    def expand(self, text: bytes) -> list[Tokens]:
        """All that this text can become; raises TooManyWaysError."""
        self._steps = 0
        while True:
            try:
                expanded = self._expand(tokenize(text))
                break
            except PastedHoleError as error:  # what is joined with others must be followed after all
                self._known = {}
                self._sorts = {}
                self._pasted.update(error.args[0])
        results: set[Tokens] = set()
        for result in expanded:
            for tokens in self._filled(tuple(token.lstrip(PAINT) for token in result if token)):
                results.add(tokens)
                if len(results) > MAX_RESULTS:
                    raise TooManyWaysError
        return sorted(results)

    def _filled(self, tokens: Tokens) -> Iterator[Tokens]:
        """The tokens with every value in the place of each hole."""
        names = sorted({name for token in tokens for name in HOLE.findall(token)})
        for values in product(*(self._sorted(name)[0] for name in names)):
            yield _fill(tokens, dict(zip(names, values, strict=True)))

    def _sorted(self, name: bytes) -> "_Sorted":
        """What a macro can become wherever it stands, and the definitions that depend on what is around."""
        known = self._sorts.get(name)
        if known is not None:
            return known
        self._sorts[name] = ((), self.macros(name))  # while its own words are looked at
        values: dict[bytes, None] = {}
        followed = []
        for macro in self.macros(name):
            words = [self._texts(token) for _, token in macro.pieces]
            if macro.parameters is not None or name in self._pasted or not all(words):
                followed.append(macro)
            else:
                values.update(dict.fromkeys(b"".join(each) for each in islice(product(*words), MAX_RESULTS)))
            if len(values) >= MAX_RESULTS:
                raise TooManyWaysError
        if values:
            values[name] = None  # it may be no macro yet, or no more
        self._sorts[name] = (tuple(values), followed)
        return self._sorts[name]

    def _texts(self, token: bytes) -> tuple[bytes, ...]:
        if token in _SIGNS:
            return ()
        if not self.macros(token):
            return (token,)
        values, followed = self._sorted(token)
        return () if followed else values

    def macros(self, word: bytes) -> Sequence[Macro]:
        """The definitions of a word; none for one that is no macro."""
        macros = self._macros.get(word)
        if macros is None:
            macros = self._lookup(word) if IDENTIFIER.match(word) else ()
            self._macros[word] = macros
        return macros

    def _expand(self, tokens: Tokens) -> frozenset[Tokens]:
        known = self._known.get(tokens)
        if known is not None:
            return known
        if self._depth > _MAX_DEPTH:
            raise TooManyWaysError
        self._depth += 1
        try:
            results = self._known[tokens] = frozenset(self._follow(tokens))
        finally:
            self._depth -= 1
        return results

    def _follow(self, tokens: Tokens) -> set[Tokens]:
        results: set[Tokens] = set()
        work: list[tuple[Tokens, Tokens]] = [((), tokens)]
        seen = set(work)
        while work:
            done, rest = work.pop()
            at = next((at for at, token in enumerate(rest) if self.macros(token)), len(rest))
            done += rest[:at]
            if at == len(rest):
                results.add(done)
                continue
            if self._sorted(rest[at])[0]:
                work.append(((*done, hole(rest[at])), rest[at + 1 :]))
            for state in self._ways(done, rest[at], rest[at + 1 :]):
                self._steps += 1
                if self._steps > MAX_STEPS or len(results) > MAX_RESULTS or len(state[1]) > _MAX_TOKENS:
                    raise TooManyWaysError
                if state not in seen:
                    seen.add(state)
                    work.append(state)
        return results

    def _ways(self, done: Tokens, name: bytes, rest: Tokens) -> Iterator[tuple[Tokens, Tokens]]:
        call = call_of(rest)
        values, macros = self._sorted(name)
        # A name that was called and is no macro makes no header's name.
        stays = not values and (call is None or any(macro.parameters is None for macro in macros))
        for macro in macros:
            if macro.parameters is None:
                for body in self._bodies(macro, []):
                    yield done, body + rest
            elif call is not None:
                arguments, after = call
                fitting = fit(macro, arguments)
                if fitting is not None:
                    for body in self._bodies(macro, fitting):
                        yield done, body + after
        if stays:
            yield (*done, name), rest

    def _bodies(self, macro: Macro, arguments: list[Tokens]) -> Iterator[Tokens]:
        raw = dict(zip(macro.parameters or (), arguments, strict=True))
        for choice in product(*(sorted(self._expand(raw[each])) for each in macro.plain)):
            yield substitute(macro, raw, dict(zip(macro.plain, choice, strict=True)))


def _fill(tokens: Tokens, texts: dict[bytes, bytes]) -> Tokens:
    return tuple(HOLE.sub(lambda found: texts[found[1]], token) for token in tokens)


_HEADER: Final = re.compile(rb"\"([^\"\n]*)\"|<([^>\n]*)>")


def header_names(tokens: Tokens) -> list[tuple[bytes, bool]]:
    """The names that a compiler may take an expanded operand for, and whether each is a "..." one."""
    found = _HEADER.match(b"".join(trim(tokens)))
    if found is None:
        return []
    if found[1] is not None:
        return [(found[1], True), (found[1].replace(b" ", b""), True)]
    # How many blanks remain between the words differs.
    return [(found[2].strip(), False), (found[2], False), (found[2].replace(b" ", b""), False)]
