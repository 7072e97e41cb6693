"""How wide text is on a terminal, and text cut to that: wide characters take two cells, marks none."""

import unicodedata
from typing import Final

ELLIPSIS: Final = "…"
_NO_WIDTH: Final = frozenset(("Mn", "Me", "Cf"))  # marks on the character before, and what is never seen


def width(text: str) -> int:
    """The cells that it takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis, in at most so many cells; nothing for 0 and less."""
    if width(text) <= most:
        return text
    if most <= 0:
        return ""
    taken, room = [], most - 1
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        taken.append(character)
    return "".join(taken) + ELLIPSIS


def cut_left(text: str, most: int) -> str:
    """The text, or an ellipsis and its end: of a path the end says more."""
    if width(text) <= most:
        return text
    if most <= 0:
        return ""
    first, room = len(text), most - 1
    while first and (room := room - _cells(text[first - 1])) >= 0:
        first -= 1
    while first < len(text) and not _cells(text[first]):  # a mark whose character is cut off
        first += 1
    return ELLIPSIS + text[first:]


def pad(text: str, exactly: int) -> str:
    """The text in exactly so many cells: cut, or filled with spaces."""
    text = cut(text, exactly)
    return text + " " * (exactly - width(text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
