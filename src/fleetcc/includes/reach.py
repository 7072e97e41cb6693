"""What text can lead to by expansion, without expanding it."""

import re
from dataclasses import dataclass
from typing import Final

from fleetcc.includes.macros import IDENTIFIERS, Macro, Piece

_WORD: Final = IDENTIFIERS.pattern
# A < that may begin a name, with the word before it; behind other signs it cannot be the first of all.
_ANGLE: Final = re.compile(
    rb"(?:(?<![\w$\x80-\xff\0])(?P<before>"
    + _WORD
    + rb")|(?P<open>\A|[(,)\0])) *<(?![<=])(?:(?P<name>[^<>\n\0\1]+)>)?"
)


@dataclass(frozen=True, slots=True)
class Angle:
    """A < that may begin a name."""

    before: bytes | None  # the word before it: if that is no macro, it cannot be the beginning
    name: bytes | None  # None: closed elsewhere, or with a parameter between


@dataclass(frozen=True, slots=True)
class Reach:
    """What a definition's body can lead to, however often it is expanded."""

    words: frozenset[bytes]
    quoted: tuple[bytes, ...]  # names that stand in it as "..."
    angles: tuple[Angle, ...]
    stringizes: bool  # makes strings that stand nowhere
    pastes: bool  # makes words that stand nowhere


def reach_of(macro: Macro) -> Reach:
    """The reach of one definition."""
    if macro.reach is None:
        macro.reach = _reach(macro)
    assert isinstance(macro.reach, Reach)
    return macro.reach


def _reach(macro: Macro) -> Reach:
    spelled = []
    quoted = []
    for piece, token in macro.pieces:
        if piece not in {Piece.WORD, Piece.SELF}:
            spelled.append(b"\0")
        elif token[-1:] in {b'"', b"'"} and len(token) > 1:
            spelled.append(b"\1")
            quoted += [token[1:-1]] if token[:1] == b'"' else []
        else:
            spelled.append(token)
    text = b"".join(spelled)
    angles = {Angle(found["before"], found["name"]) for found in _ANGLE.finditer(text)}
    return Reach(
        words=frozenset(IDENTIFIERS.findall(_without_names(text))),
        quoted=tuple(quoted),
        angles=tuple(angles),
        stringizes=any(piece is Piece.STRING for piece, _ in macro.pieces),
        pastes=any(piece is Piece.PASTE for piece, _ in macro.pieces),
    )


def _without_names(text: bytes) -> bytes:
    """The text without the names that surely stand in <...>: their words are looked at with the name."""
    return _ANGLE.sub(
        lambda found: found[0] if found["open"] is None or found["name"] is None else found["open"], text
    )
