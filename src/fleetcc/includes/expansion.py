"""What a macro-valued name can be, when a macro can be any of the definitions that were seen, or none.

Every way is followed at once: a state is what has been expanded and what is still to be, and ways that come
to the same state go on as one, so that the many variants of a preprocessor library's macros cost little.
Within one expansion a macro may be taken to be different things at different places, which no compiler
would do; that only adds names.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final

from fleetcc.includes.macros import IDENTIFIER, Macro, Tokens, tokenize

# Boost.MPL's most demanding headers take some 3,000 steps; a step takes some 3 microseconds.
MAX_STEPS: Final = 40_000
MAX_RESULTS: Final = 4_000
_MAX_DEPTH: Final = 60
_MAX_TOKENS: Final = 3_000

# Marks a word that is not to be expanded any more: a macro's name in its own body.
_PAINT: Final = b"\0"
_PASTE: Final = b"\1##"
_OPT: Final = b"__VA_OPT__"


class TooManyWaysError(Exception):
    """The name can be too many things."""


class Expander:
    """Expands with one set of definitions; `lookup` answers for a word with all of its definitions."""

    def __init__(self, lookup: Callable[[bytes], Sequence[Macro]]) -> None:
        self._lookup = lookup
        self._macros: dict[bytes, Sequence[Macro]] = {}
        self._known: dict[Tokens, frozenset[Tokens]] = {}
        self._steps = 0
        self._depth = 0

    def expand(self, text: bytes) -> list[Tokens]:
        """All that this text can become; raises TooManyWaysError."""
        self._steps = 0
        results = self._expand(tokenize(text))
        return sorted({tuple(token.lstrip(_PAINT) for token in result if token) for result in results})

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
            for state in self._ways(done, rest[at], rest[at + 1 :]):
                self._steps += 1
                if self._steps > MAX_STEPS or len(results) > MAX_RESULTS or len(state[1]) > _MAX_TOKENS:
                    raise TooManyWaysError
                if state not in seen:
                    seen.add(state)
                    work.append(state)
        return results

    def _ways(self, done: Tokens, name: bytes, rest: Tokens) -> Iterator[tuple[Tokens, Tokens]]:
        call = _call(rest)
        stays = call is None  # a name that was called and is no macro makes no header's name
        for macro in self.macros(name):
            if macro.parameters is None:
                stays = True
                for body in self._bodies(macro, name, []):
                    yield done, body + rest
            elif call is not None:
                arguments, after = call
                fitting = _fit(macro, arguments)
                if fitting is not None:
                    for body in self._bodies(macro, name, fitting):
                        yield done, body + after
        if stays:
            yield (*done, name), rest

    def _bodies(self, macro: Macro, name: bytes, arguments: list[Tokens]) -> Iterator[Tokens]:
        raw = dict(zip(macro.parameters or (), arguments, strict=True))
        body = _without_options(macro, raw)
        plain = [each for each in raw if _is_plain(body, each)]
        for choice in product(*(sorted(self._expand(raw[each])) for each in plain)):
            yield _substitute(body, name, raw, dict(zip(plain, choice, strict=True)), macro)


def _call(rest: Tokens) -> tuple[list[Tokens], Tokens] | None:
    """The arguments that follow a name, and what follows them; None when the name is not called."""
    at = 0
    while at < len(rest) and rest[at] in {b" ", b""}:
        at += 1
    if at == len(rest) or rest[at] != b"(":
        return None
    arguments: list[Tokens] = []
    depth, begin = 0, at + 1
    for here in range(at, len(rest)):
        token = rest[here]
        if token == b"(":
            depth += 1
        elif token == b")":
            depth -= 1
        if depth == 0 or (depth == 1 and token == b","):
            arguments.append(_trim(rest[begin:here]))
            begin = here + 1
        if depth == 0:
            return arguments, rest[begin:]
    return None


def _fit(macro: Macro, arguments: list[Tokens]) -> list[Tokens] | None:
    """The arguments, one for each parameter; None when there is another number of them."""
    count = len(macro.parameters or ())
    if macro.variadic is not None:
        fixed, rest = arguments[: count - 1], arguments[count - 1 :]
        joined = tuple(token for each in rest for token in (*each, b","))[:-1]
        fitting = [*fixed, joined]
    else:
        fitting = [] if count == 0 and arguments == [()] else arguments
    return fitting if len(fitting) == count else None


def _trim(tokens: Tokens) -> Tokens:
    while tokens and tokens[0] == b" ":
        tokens = tokens[1:]
    while tokens and tokens[-1] == b" ":
        tokens = tokens[:-1]
    return tokens


def _without_options(macro: Macro, raw: dict[bytes, Tokens]) -> Tokens:
    """The body with what __VA_OPT__(...) holds in its place, or nothing."""
    body = macro.body
    while _OPT in body:
        at = body.index(_OPT)
        call = _call(body[at + 1 :])
        if call is None:
            return body
        inner = tuple(token for each in call[0] for token in (*each, b","))[:-1]
        body = body[:at] + (inner if raw.get(macro.variadic or b"") else ()) + call[1]
    return body


def _neighbours(body: Tokens, at: int) -> tuple[bytes, bytes]:
    before = next((token for token in reversed(body[:at]) if token != b" "), b"")
    after = next((token for token in body[at + 1 :] if token != b" "), b"")
    return before, after


def _is_plain(body: Tokens, parameter: bytes) -> bool:
    """Whether a parameter stands somewhere without # or ##, and so is expanded first."""
    for at, token in enumerate(body):
        if token == parameter:
            before, after = _neighbours(body, at)
            if before not in {b"#", b"%:", b"##", b"%:%:"} and after not in {b"##", b"%:%:"}:
                return True
    return False


def _substitute(
    body: Tokens, name: bytes, raw: dict[bytes, Tokens], expanded: dict[bytes, Tokens], macro: Macro
) -> Tokens:
    out: list[bytes] = []
    for at, token in enumerate(body):
        before, after = _neighbours(body, at)
        pasted = before in {b"##", b"%:%:"} or after in {b"##", b"%:%:"}
        if token in raw:
            if before in {b"#", b"%:"}:
                while out and out.pop() not in {b"#", b"%:"}:
                    pass
                out.append(_stringized(raw[token]))
            else:
                out += (raw[token] or (b"",)) if pasted else expanded[token]
        elif token in {b"##", b"%:%:"}:
            out.append(_PASTE)
        else:
            out.append(_PAINT + token if token == name else token)
    return _paste(out, raw.get(macro.variadic or b"") == ()) if _PASTE in out else tuple(out)


def _stringized(tokens: Tokens) -> bytes:
    return b'"' + b"".join(_trim(tokens)).replace(_PAINT, b"") + b'"'


def _paste(tokens: list[bytes], no_rest: bool) -> Tokens:  # noqa: FBT001 - private
    """Join the words on both sides of each ##."""
    out: list[bytes] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token != _PASTE:
            out.append(token)
            continue
        while out and out[-1] == b" ":
            out.pop()
        while at < len(tokens) and tokens[at] == b" ":
            at += 1
        left = out.pop() if out else b""
        right = tokens[at] if at < len(tokens) else b""
        at += 1
        if left == b"," and right == b"":
            out += () if no_rest else (left,)  # GNU: the comma before an empty rest goes with it
        elif left == b",":
            out += (left, right)
        else:
            out += tokenize((left + right).replace(_PAINT, b"")) or (b"",)
    return tuple(out)


_HEADER: Final = re.compile(rb"\"([^\"\n]*)\"|<([^>\n]*)>")


def header_names(tokens: Tokens) -> list[tuple[bytes, bool]]:
    """The names that a compiler may take an expanded operand for, and whether each is a "..." one."""
    found = _HEADER.match(b"".join(_trim(tokens)))
    if found is None:
        return []
    if found[1] is not None:
        return [(found[1], True), (found[1].replace(b" ", b""), True)]
    # How many blanks remain between the words differs.
    return [(found[2].strip(), False), (found[2], False), (found[2].replace(b" ", b""), False)]
