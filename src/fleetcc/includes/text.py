"""A file's bytes up to translation phase 3: lines joined, and where it matters comments taken out."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

# What separates words within a line, in a character class; gcc takes NUL for a blank as well.
BLANKS: Final = rb" \t\f\v\0"

_BOM: Final = b"\xef\xbb\xbf"
# Both compilers take blanks between the backslash and the end of the line for a slip and join the lines.
_SPLICE: Final = re.compile(rb"\\[" + BLANKS + rb"]*\n")
_TRIGRAPH: Final = re.compile(rb"\?\?([=/'()!<>-])")
_TRIGRAPHS: Final = dict(
    zip((bytes([c]) for c in b"=/'()!<>-"), (bytes([c]) for c in b"#\\^[]|{}~"), strict=True)
)
# What `_RAW` begins with, or nearly; a lone quote at its head is found by memchr.
_RAW_QUOTE: Final = re.compile(rb"\"(?<=R\")(?:(?<![\w$]R\")|(?<=[8uUL]R\"))[^ ()\\\t\v\f\n\"]{0,16}\(")
_DIGRAPH: Final = re.compile(rb"%(?=:)")

_SKIPPED: Final = rb"(?:[" + BLANKS + rb"]|/\*.*?\*/)*"
_RAW: Final = (
    rb"(?<![A-Za-z0-9_$])(?:u8|[uUL])?(?P<raw>R\"(?P<ends>[^ ()\\\t\v\f\n\"]{0,16})\(.*?\)(?P=ends)\")|"
)
_LEXEME: Final = (
    rb"(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))"
    # The name in a directive is no string: no escapes, and no comment begins in it.
    rb"|[#](?P<hash>)"
    + _SKIPPED
    + rb"(?P<word>include_next|include|import|embed)"
    + _SKIPPED
    + rb"(?P<header><[^>\n]*>|\"[^\"\n]*\")"
    rb"|__has_(?:include_next|include|embed)(?:__)?["
    + BLANKS
    + rb"]*\(["
    + BLANKS
    + rb"]*(?:<[^>\n]*>|\"[^\"\n]*\")"
    rb"|\"(?:[^\"\\\n]|\\[^\n])*\"?"
    rb"|(?<![A-Za-z0-9_$])[0-9][\w.]*(?:'\w[\w.]*)+"  # 1'000: no character begins there
    rb"|'(?:[^'\\\n]|\\[^\n])*'?"
    rb"|(?P<digraph>%:)"
)
_WITH_RAW: Final = re.compile(_RAW + _LEXEME, re.DOTALL)
_WITHOUT_RAW: Final = re.compile(_LEXEME, re.DOTALL)


def readings(data: bytes) -> list[bytes]:
    """The text with its lines joined; several where compilers and their options differ in what it is."""
    if data[:3] == _BOM:
        data = data[3:]
    texts = [data]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        texts = [data]
        if b"\r" in data:  # alone it ends a line for clang, and is no blank for gcc
            texts = [data.replace(b"\r", b"\1"), data.replace(b"\r", b"\n")]
    texts += [
        _TRIGRAPH.sub(lambda found: _TRIGRAPHS[found[1]], text)
        for text in texts
        if b"?" in text and _TRIGRAPH.search(text)
    ]
    return [_SPLICE.sub(b"", text) if b"\\" in text else text for text in texts]


def has_raw_strings(text: bytes) -> bool:
    """Whether there may be one."""
    return _RAW_QUOTE.search(text) is not None


def has_digraphs(text: bytes) -> bool:
    """Whether there may be one for a #."""
    return _DIGRAPH.search(text) is not None


@lru_cache(maxsize=1)  # a file's names and its macros are looked for one after the other
def without_comments(text: bytes) -> Sequence[bytes]:
    """The text with a blank for each comment, and every raw string as an ordinary one.

    Two of them when it depends on the language standard where a raw string ends. `text` has its lines joined.
    """
    if not has_raw_strings(text):
        return [_WITHOUT_RAW.sub(_plain, text)]
    doubtful = False

    def replace(found: re.Match[bytes]) -> bytes:
        nonlocal doubtful
        raw = found["raw"]
        if raw is None:
            return _plain(found)
        head, newline, _ = raw.partition(b"\n")
        # R"(" is a whole string where there are no raw ones.
        doubtful = doubtful or (newline != b"" and head.count(b'"') > 1)
        return b'"' + raw[2:-1].replace(b"\n", b" ").replace(b'"', b'\\"') + b'"'

    texts = [_WITH_RAW.sub(replace, text)]
    if doubtful:
        texts.append(_WITHOUT_RAW.sub(_plain, text))
    return texts


def without_comments_in_assembler(text: bytes) -> Sequence[bytes]:
    """The same for an assembler source, which has no raw strings."""
    return [_WITHOUT_RAW.sub(_plain, text)]


def _plain(found: re.Match[bytes]) -> bytes:
    if found["comment"] is not None:
        return b" "
    if found["header"] is not None:
        return b"#" + found["word"] + b" " + found["header"]
    if found["digraph"] is not None:
        return b"#"
    return found[0]
