"""Response files: `@file` becomes the words in it, as gcc and clang read them."""

from collections.abc import Callable, Sequence
from typing import Final

ReadFile = Callable[[bytes], bytes | None]

# libiberty stops at 2000 expansions; files that include each other never end otherwise.
MAX_EXPANSIONS: Final = 2000
MAX_WORDS: Final = 1_000_000

_SPACE: Final = frozenset(b" \t\n\v\f\r")
_BACKSLASH, _SINGLE, _DOUBLE = b"\\'\""


class EndlessResponseFilesError(Exception):
    """Response files that include each other."""


def expand(argv: Sequence[bytes], read_file: ReadFile) -> list[bytes]:
    """All words, with the files' words in place of `@file`; an unreadable file stays a word."""
    pending = list(reversed(argv))
    words: list[bytes] = []
    left = MAX_EXPANSIONS
    while pending:
        word = pending.pop()
        text = read_file(word[1:]) if word[:1] == b"@" and len(word) > 1 else None
        if text is None:
            words.append(word)
            continue
        left -= 1
        pending.extend(reversed(split(text)))
        if left < 0 or len(pending) > MAX_WORDS:
            raise EndlessResponseFilesError(word)
    return words


def split(text: bytes) -> list[bytes]:
    """The words of a response file: blanks separate, quotes join, a backslash keeps the next byte."""
    if not (b"\\" in text or b"'" in text or b'"' in text):
        return text.split()
    words: list[bytes] = []
    position, end = 0, len(text)
    while position < end:
        if text[position] in _SPACE:
            position += 1
            continue
        word, position = _word(text, position)
        words.append(word)
    return words


def _word(text: bytes, position: int) -> tuple[bytes, int]:
    word = bytearray()
    quote = 0
    end = len(text)
    while position < end:
        byte = text[position]
        if byte == _BACKSLASH:
            # A backslash counts in single quotes too, unlike in a shell; the last one of a file is nothing.
            word += text[position + 1 : position + 2]
            position += 2
            continue
        if quote:
            if byte == quote:
                quote = 0
            else:
                word.append(byte)
        elif byte in {_SINGLE, _DOUBLE}:
            quote = byte
        elif byte in _SPACE:
            break
        else:
            word.append(byte)
        position += 1
    return bytes(word), position
