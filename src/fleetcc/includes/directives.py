"""Finds every name in a file that a compiler may open. Conditionals are not evaluated.

Ordinary files take one search for directives and a few for rare words. Whatever can hide or make a
directive (comments beside it, raw strings, digraphs) sends a file through `text.without_comments` first.
"""

import re
from collections.abc import Sequence
from typing import Final

from fleetcc.includes.closure import Doubt
from fleetcc.includes.parsed import Computed, Dialect, Kind, Parsed
from fleetcc.includes.text import (
    BLANKS,
    has_digraphs,
    has_raw_strings,
    readings,
    without_comments,
    without_comments_in_assembler,
)

_B: Final = rb"[" + BLANKS + rb"]*"
_WORD: Final = rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*"
_NAME: Final = rb"(?:\"([^\"\n]*)\"|<([^>\n]*)>|(?=([^\n]*)))"

# All begin with a literal character or word, which `re` finds with memchr or the like.
_DIRECTIVE: Final = re.compile(
    rb"#" + _B + rb"+(?:(include_next|include|import|embed|__include_macros)(?![\w$])" + _B + _NAME
    + rb"|(pragma" + _B + rb"clang" + _B + rb"module[^\n]*)|/\*)"
)  # fmt: skip
_PROBE: Final = re.compile(
    rb"__has_(include_next|include|embed)(?:__)?(?![\w$])" + _B + rb"(\(?)" + _B + _NAME
)
_DEPENDENCY: Final = re.compile(
    rb"GCC[ \t\f\v\0]+dependency" + _B + rb"(?:\\?\"([^\"\\\n]*)|<([^>\n]*)>|(?=([^\n]*)))"
)
_IN_C: Final = re.compile(rb"\.(incbin|include)(?![\w$])" + _B + rb"(?:\\\"([^\"\\\n]+)\\\"|(?=([^\n]*)))")
_IN_ASSEMBLER: Final = re.compile(
    rb"\.(incbin|include)(?![\w$])" + _B + rb"(?:\"([^\"\\\n]+)\"|(?=([^\n]*)))"
)
_ASSEMBLER_NAME: Final = re.compile(rb"\.inc(?:bin|lude)(?![\w$])")
_DEFINE: Final = re.compile(_B + rb"#" + _B + rb"define" + _B + rb"(" + _WORD + rb")")

_IMPORT: Final = re.compile(
    rb"^" + _B + rb"(?:(?:export[ \t]+)?import(?![\w$])" + _B
    + rb"(?:<[^>\n]+>|\"[^\"\n]+\"|:?" + _B + rb"[A-Za-z_][\w.:]*)"
    rb"|@" + _B + rb"import[ \t]+[\w.]+)[^;\n(){}=]*;",
    re.MULTILINE,
)  # fmt: skip
# A module declaration is a unit's first, after `module;` and directives.
_MODULE: Final = re.compile(
    rb"(?>(?:\s+|//[^\n]*|/\*.*?\*/|module\s*;|#[^\n]*)*)(?:export\s+)?module\s+[\w.:]+[^;\n(){}=]*;",
    re.DOTALL,
)

_MARKER: Final = re.compile(rb"#[ \t]*(?:line[ \t]+)?\d+[ \t]+\"")  # what `_LINE_NAME` begins with
_LINE_NAME: Final = re.compile(rb'^[ \t]*#[ \t]*(?:line[ \t]+)?\d+[ \t]+"((?:[^"\\\n]|\\.)+)"', re.MULTILINE)
_ESCAPE: Final = re.compile(rb"\\(.)")
_KINDS: Final = {b"embed": Kind.EMBED, b"include_next": Kind.NEXT}
_PROBE_KINDS: Final = {b"embed": Kind.EMBED, b"include_next": Kind.PROBE_NEXT, b"include": Kind.PROBE}


def parse(data: bytes, dialect: Dialect, texts: Sequence[bytes] | None = None) -> Parsed:
    """Read a file's bytes; nothing in them is an error. `texts` are its readings, for whoever has them."""
    parsed = Parsed()
    for text in readings(data) if texts is None else texts:
        if dialect is Dialect.PLAIN_ASSEMBLER:
            _assembler_names(text, parsed, data, dialect)
        else:
            _read(text, parsed, data, dialect)
    # Over-approximated, as comments are not looked at: it only costs a file that exists.
    if _MARKER.search(data) is not None:
        parsed.others |= dict.fromkeys((Kind.LINE, name, True) for name in marked_files(data))
    return parsed


def marked_files(text: bytes) -> tuple[bytes, ...]:
    """The names in line markers and #line directives, each once; most are files, `<built-in>` is none."""
    names = dict.fromkeys(_LINE_NAME.findall(text))
    return tuple(_ESCAPE.sub(rb"\1", name) for name in names if not name.endswith(b"//"))


def _read(text: bytes, parsed: Parsed, data: bytes, dialect: Dialect) -> None:
    found = _sure_directives(text, dialect)
    probing = b"__has_" in text
    if found is not None and not _has_rare_words(text, probing=probing):
        _includes(found, parsed, data)
        if probing:
            _probes(text, parsed, data)
    else:
        in_assembler = dialect is Dialect.ASSEMBLER
        for clean in without_comments_in_assembler(text) if in_assembler else without_comments(text):
            _read_clean(clean, parsed, data, dialect)
    if dialect is Dialect.SOURCE and (module := _MODULE.match(text)):
        parsed.imports.append((_line(data, b"module"), module[0].split(b"\n")[-1].strip()))


def _read_clean(text: bytes, parsed: Parsed, data: bytes, dialect: Dialect) -> None:
    found = [each for each in _DIRECTIVE.finditer(text) if _begins_line(text, each.start())]
    _includes(found, parsed, data)
    _probes(text, parsed, data)
    _assembler_names(text, parsed, data, dialect)
    for pragma in _DEPENDENCY.finditer(text):
        _add(parsed, Kind.PROBE, pragma.groups(), data)
    for module in _IMPORT.finditer(text):
        parsed.imports.append((_line(data, module[0].strip()), module[0].strip()))


def _has_rare_words(text: bytes, *, probing: bool) -> bool:
    """Whether it may say more than includes and plain probes. Each search takes some 0.5 ms a megabyte."""
    return (
        _ASSEMBLER_NAME.search(text) is not None
        or (probing and any(_is_computed(found, text) for found in _PROBE.finditer(text)))
        or (b"dependency" in text and _DEPENDENCY.search(text) is not None)
        or (b"import" in text and _IMPORT.search(text) is not None)
    )


def _sure_directives(text: bytes, dialect: Dialect) -> list[re.Match[bytes]] | None:
    """The text's directives; None when only taking out comments and raw strings can tell them."""
    if has_digraphs(text) or (dialect is not Dialect.ASSEMBLER and has_raw_strings(text)):
        return None
    found = []
    told = 0  # up to here it is known that no comment is open
    for match in _DIRECTIVE.finditer(text):
        start = match.start()
        last = match.lastindex
        if start < told:  # in a comment
            continue
        if last == 4 and b"/*" in match[4]:
            return None
        if start and text[start - 1] != 10 and not _begins_line(text, start):
            if last is None or b"*/" in text[text.rfind(b"\n", 0, start) + 1 : start]:
                return None
            continue
        opened = text.rfind(b"/*", told, start)
        if opened >= 0 and text.find(b"*/", opened + 2, start) < 0:
            return None
        if last is not None:
            told = start
            found.append(match)
            continue
        closed = text.find(b"*/", match.end())
        if closed < 0 or not _ends_line(text, closed + 2):
            return None
        told = closed + 2  # a # with nothing but a comment
    return found


def _begins_line(text: bytes, start: int) -> bool:
    return not text[text.rfind(b"\n", 0, start) + 1 : start].strip(b" \t\f\v\0")


def _ends_line(text: bytes, start: int) -> bool:
    end = text.find(b"\n", start)
    return not text[start : len(text) if end < 0 else end].strip(b" \t\f\v\0")


def _includes(found: list[re.Match[bytes]], parsed: Parsed, data: bytes) -> None:
    for match in found:
        word, quoted, angled, _, module = match.groups()
        if module is not None:
            parsed.imports.append((_line(data, module), module))
        elif word in _KINDS:
            _add(parsed, _KINDS[word], match.groups()[1:4], data)
        elif quoted is not None:
            parsed.quoted[quoted] = None
        elif angled is not None:
            parsed.angled[angled] = None
        elif word is not None:
            _add(parsed, Kind.INCLUDE, match.groups()[1:4], data)


def _add(parsed: Parsed, kind: Kind, names: tuple[bytes | None, ...], data: bytes) -> None:
    quoted, angled, operand = names
    if quoted is not None:
        parsed.others[kind, quoted, True] = None
    elif angled is not None:
        parsed.others[kind, angled, False] = None
    else:
        operand = (operand or b"").partition(b"//")[0].strip()
        if operand:
            parsed.computed[Computed(kind, operand, _line(data, operand))] = None


def _probes(text: bytes, parsed: Parsed, data: bytes) -> None:
    for found in _PROBE.finditer(text):
        kind = _PROBE_KINDS[found[1]]
        if _is_computed(found, text):
            define = _DEFINE.match(text, text.rfind(b"\n", 0, found.start()) + 1)
            wrapper = None if define is None else define[1]
            operand = within_parentheses(found[5])
            parsed.computed[Computed(kind, operand, _line(data, found[0]), wrapper)] = None
        elif found[5] is None:
            _add(parsed, kind, found.groups()[2:5], data)


def _is_computed(found: re.Match[bytes], text: bytes) -> bool:
    """Whether a probe has an operand that is no name."""
    rest = found[5]
    if rest is None or not (found[2] or rest.startswith(b"/*")) or not within_parentheses(rest):
        return False
    define = _DEFINE.match(text, text.rfind(b"\n", 0, found.start()) + 1)
    return define is None or not define[1].startswith(b"__has_")  # __has_include(x) 0, where there is none


def within_parentheses(text: bytes) -> bytes:
    """What stands before the parenthesis that closes one opened before the text."""
    depth = 0
    for at, byte in enumerate(text):
        depth += (byte == 40) - (byte == 41)
        if depth < 0:
            return text[:at].strip()
    return text.strip()


def _assembler_names(text: bytes, parsed: Parsed, data: bytes, dialect: Dialect) -> None:
    in_c = dialect in {Dialect.C, Dialect.SOURCE}
    for found in (_IN_C if in_c else _IN_ASSEMBLER).finditer(text):
        word, name, rest = found.groups()
        kind = Kind.BINARY if word == b"incbin" else Kind.ASSEMBLER
        if name is not None:
            parsed.others[kind, name, True] = None
        elif in_c and (text[found.start() - 1 : found.start()].isalnum() or not _names_file(kind, rest)):
            continue  # x.incbin, x.include(y)
        elif dialect is Dialect.ASSEMBLER and rest.strip():
            parsed.computed[Computed(kind, rest.strip(), _line(data, found[0]))] = None
        else:
            parsed.doubts.append((Doubt.ASSEMBLER_FILE, _line(data, found[0]), found[0] + rest))


def _names_file(kind: Kind, rest: bytes) -> bool:
    return kind is Kind.BINARY or rest[:2] == b'\\"'


def _line(data: bytes, what: bytes) -> int:
    """The line where this stands first; for people, so it need not be the very one."""
    return data.count(b"\n", 0, max(data.find(what), 0)) + 1
