"""Makes a source out of what `gcc -E -fdirectives-only` wrote elsewhere, for a compiler here.

The text begins with the client's name for the source (`# 0 "name"`) and its directory (`# 1 "/cwd//"`),
then all built-in macros, which the compiler here defines itself, then those of the command line, then the
source with its includes in place and its macros not expanded. Lines keep their lengths, so columns stay.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source to compile, and what debug information shall call it."""

    text: bytes
    name: bytes  # as the client spelled it
    directory: bytes  # the client's working directory


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this text cannot be compiled here with the bytes that the client would get."""

    sentence: str


# Their values would be this machine's, or are lost with the include stack; .incbin reads a file.
_HERE_ONLY: Final = (
    b"__TIMESTAMP__", b"__BASE_FILE__", b"__DATE__", b"__TIME__", b"__INCLUDE_LEVEL__", b".incbin",
)  # fmt: skip

_HEAD: Final = re.compile(rb'# \d+ "((?:[^"\\\n]|\\.)*)"\n# 1 "((?:[^"\\\n]|\\.)*)//"\n')
_COMMAND_LINE: Final = re.compile(rb'^# \d+ "<command-line>"\n', re.MULTILINE)
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
# What the preprocessor leaves of these would warn, or mean this file instead of an included one.
_MAIN_FILE_PRAGMA: Final = re.compile(rb"[ \t]*#[ \t]*pragma[ \t]+(?:once|GCC[ \t]+system_header)\b")
_RAW_STRING: Final = re.compile(rb'R"([^ ()\\\t\v\f\r\n]{0,16})\(')


def prepare(text: bytes) -> Prepared | Refusal:
    """Turn the client's text into a source; takes some milliseconds for megabytes."""
    head = _HEAD.match(text)
    if head is None:
        return Refusal("the text does not begin with the source's name and directory")
    body = _COMMAND_LINE.search(text, head.end())
    if body is None:
        return Refusal("the text does not say where the command line's macros begin")
    for word in _HERE_ONLY:
        if text.find(word, body.end()) >= 0:
            return Refusal(f"{word.decode()} would have another value here than at the client")
    name, directory = (_unescape(part) for part in head.groups())
    if b"=" in name or b"=" in directory:
        return Refusal("a name with an equals sign cannot be mapped for debug information")
    rest = _blank_pragmas(text, body.end())
    if isinstance(rest, Refusal):
        return rest
    markers = b'# 0 "%s"\n# 0 "<built-in>"\n# 0 "<command-line>"\n' % head[1]
    return Prepared(markers + rest, name, directory)


def _unescape(quoted: bytes) -> bytes:
    if b"\\" not in quoted:
        return quoted
    return _ESCAPE.sub(_unescape_one, quoted)


def _unescape_one(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return bytes((int(escaped, 8) & 255,)) if escaped.isdigit() else escaped


def _blank_pragmas(text: bytes, start: int) -> bytes | Refusal:
    """Put spaces in place of pragmas that only make sense in an included file."""
    pieces: list[bytes] = []
    done = start
    position = text.find(b"pragma", start)
    while position >= 0:
        line = text.rfind(b"\n", start, position) + 1 or start
        found = _MAIN_FILE_PRAGMA.match(text, line)
        if found is not None and line >= done:
            if _in_raw_string(text, start, line):
                return Refusal("a raw string seems to hold a pragma")
            pieces += (text[done:line], b" " * (found.end() - line))
            done = found.end()
        position = text.find(b"pragma", position + 6)
    pieces.append(text[done:])
    return b"".join(pieces)


def _in_raw_string(text: bytes, start: int, position: int) -> bool:
    """Could this place be inside a raw string? Taken generously: comments and strings are not told apart."""
    for opening in _RAW_STRING.finditer(text, start, position):
        end = text.find(b")" + opening[1] + b'"', opening.end())
        if end < 0 or end > position:
            return True
    return False
