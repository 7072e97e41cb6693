"""Makes a source out of what `gcc -E -fdirectives-only` wrote elsewhere, for a compiler here.

The text begins with the client's name for the source (`# 0 "name"`) and its directory (`# 1 "/cwd//"`),
then all built-in macros, which the compiler here defines itself, then those of the command line, then the
source with its includes in place and its macros not expanded. gcc has itself obeyed, and put blanks in place
of, the pragmas that speak of an included file (`once`, `GCC system_header`).
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


# Their values would be this machine's, or are lost with the include stack.
_HERE_ONLY: Final = re.compile(rb"__(?:TIME(?:STAMP)?|DATE|BASE_FILE|INCLUDE_LEVEL)__")

_HEAD: Final = re.compile(rb'# \d+ "((?:[^"\\\n]|\\.)*)"\n# 1 "((?:[^"\\\n]|\\.)*)//"\n')
_COMMAND_LINE: Final = re.compile(rb'^# \d+ "<command-line>"\n', re.MULTILINE)
# Servers shorten longer names.
_MAX_NAME: Final = 100
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)


# What gcc's -fdirectives-only obeys or drops without a trace in its text, so that the compiler which gets
# the text does not: pragmas whose words it expands (a whole line vanishes: gcc bug 88475), and those that
# change what macros mean.
_LOST_PRAGMA: Final = re.compile(
    rb"(?:#|%:|\?\?=)[^\n]{0,200}?\bpragma\b(?:[^\n]*\\\r?\n)*[^\n]*?"
    rb"\b(?:message|redefine_extname|poison|push_macro|pop_macro|longcall)\b"
)
_ENTERED: Final = re.compile(rb'\n# 1 "((?:[^"\\\n]|\\.)*)" 1')


def included_files(text: bytes) -> list[bytes]:
    """The files whose text this is, the source first, by the names in line markers."""
    head = _HEAD.match(text)
    names = [head[1]] if head is not None else []
    names += _ENTERED.findall(text)
    return [_unescape(name) for name in dict.fromkeys(names)]


def loses_pragmas(source: bytes) -> bool:
    """Has this file a pragma that a text of the directives form would lose? Such a job needs another form."""
    return b"pragma" in source and _LOST_PRAGMA.search(source) is not None


def prepare(text: bytes) -> Prepared | Refusal:
    """Turn the client's text into a source; takes some milliseconds for megabytes."""
    head = _HEAD.match(text)
    if head is None:
        return Refusal("the text does not begin with the source's name and directory")
    body = _COMMAND_LINE.search(text, head.end())
    if body is None:
        return Refusal("the text does not say where the command line's macros begin")
    name, directory = (_unescape(part) for part in head.groups())
    difference = _difference(text, body.end(), name, directory)
    if difference is not None:
        return Refusal(difference)
    markers = b'# 0 "%s"\n# 0 "<built-in>"\n# 0 "<command-line>"\n' % head[1]
    return Prepared(markers + text[body.end() :], name, directory)


def _difference(text: bytes, start: int, name: bytes, directory: bytes) -> str | None:
    """What would not be as at the client, in a sentence."""
    found = _HERE_ONLY.search(text, start)
    if found is not None:
        return f"{found[0].decode()} would have another value here than at the client"
    if text.find(b".incbin", start) >= 0:
        return ".incbin reads a file of the client"
    if b"=" in name or b"=" in directory:
        return "a name with an equals sign cannot be mapped for debug information"
    if not _is_plain(name.rpartition(b"/")[2]):
        return "a source of this name would leave another name in the object"
    return None


def _is_plain(base: bytes) -> bool:
    """May a server give its file this name, as far as the object tells (_GLOBAL__sub_I_name.cpp)?

    The compiler writes `_` for every other special character, so those may change on the way.
    """
    return len(base) <= _MAX_NAME and b"$" not in base and base[:1] not in {b".", b"-"}


def _unescape(quoted: bytes) -> bytes:
    if b"\\" not in quoted:
        return quoted
    return _ESCAPE.sub(_unescape_one, quoted)


def _unescape_one(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return bytes((int(escaped, 8) & 255,)) if escaped.isdigit() else escaped
