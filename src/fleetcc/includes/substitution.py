"""One step of macro expansion: a call's arguments put into a definition's body."""

import re
from typing import Final

from fleetcc.includes.macros import Macro, Piece, Pieces, Tokens, tokenize

# Marks a word that is not to be expanded any more: a macro's name in its own body.
PAINT: Final = b"\0"
# Stands for any value of a macro that is the same wherever it stands, so that it is followed once.
HOLE: Final = re.compile(rb"\x02([^\x03]*)\x03")
_PASTE: Final = b"\1##"
_OPT: Final = b"__VA_OPT__"


class PastedHoleError(Exception):
    """A hole stands beside ##; the argument has the names of its macros."""


def hole(name: bytes) -> bytes:
    """The hole of a macro."""
    return b"\x02" + name + b"\x03"


def call_of(rest: Tokens) -> tuple[list[Tokens], Tokens] | None:
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
            arguments.append(trim(rest[begin:here]))
            begin = here + 1
        if depth == 0:
            return arguments, rest[begin:]
    return None


def fit(macro: Macro, arguments: list[Tokens]) -> list[Tokens] | None:
    """The arguments, one for each parameter; None when there is another number of them."""
    count = len(macro.parameters or ())
    if macro.variadic is not None:
        fixed, rest = arguments[: count - 1], arguments[count - 1 :]
        joined = tuple(token for each in rest for token in (*each, b","))[:-1]
        fitting = [*fixed, joined]
    else:
        fitting = [] if count == 0 and arguments == [()] else arguments
    return fitting if len(fitting) == count else None


def trim(tokens: Tokens) -> Tokens:
    """Without blanks at either end."""
    while tokens and tokens[0] == b" ":
        tokens = tokens[1:]
    while tokens and tokens[-1] == b" ":
        tokens = tokens[:-1]
    return tokens


def _pieces(macro: Macro, raw: dict[bytes, Tokens]) -> Pieces:
    """The body, with what __VA_OPT__(...) holds in its place, or nothing."""
    pieces = macro.pieces
    while (Piece.WORD, _OPT) in pieces:
        at = pieces.index((Piece.WORD, _OPT))
        end = _closing(pieces, at + 1)
        inner = pieces[at + 1 : end] if raw.get(macro.variadic or b"") else ()
        pieces = pieces[:at] + inner[1:] + pieces[end + 1 :]
    return pieces


def _closing(pieces: Pieces, start: int) -> int:
    depth = 0
    for at in range(start, len(pieces)):
        depth += (pieces[at][1] == b"(") - (pieces[at][1] == b")")
        if depth == 0 and pieces[at][1] == b")":
            return at
    return len(pieces)


def substitute(macro: Macro, raw: dict[bytes, Tokens], expanded: dict[bytes, Tokens]) -> Tokens:
    """The body with the arguments in it; `expanded` has those that are expanded first."""
    out: list[bytes] = []
    pasted = False
    for piece, token in _pieces(macro, raw):
        match piece:
            case Piece.WORD:
                out.append(token)
            case Piece.PLAIN:
                out += expanded[token]
            case Piece.RAW:
                out += raw[token] or (b"",)
            case Piece.STRING:
                out.append(_stringized(raw[token]))
            case Piece.SELF:
                out.append(PAINT + token)
            case Piece.PASTE:
                out.append(_PASTE)
                pasted = True
    return _paste(out, no_rest=raw.get(macro.variadic or b"") == ()) if pasted else tuple(out)


def _stringized(tokens: Tokens) -> bytes:
    return b'"' + b"".join(trim(tokens)).replace(PAINT, b"") + b'"'


def _paste(tokens: list[bytes], *, no_rest: bool) -> Tokens:
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
        elif b"\x02" in left + right:
            raise PastedHoleError(HOLE.findall(left + right))
        else:
            out += tokenize((left + right).replace(PAINT, b"")) or (b"",)
    return tuple(out)
