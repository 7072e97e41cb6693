"""Macro definitions of one file, and the words that they are made of."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Final, TypeAlias

from fleetcc.includes.text import BLANKS, has_digraphs, has_raw_strings, readings, without_comments

# Words and punctuation; any run of blanks is one blank.
Tokens: TypeAlias = tuple[bytes, ...]

_WORD: Final = rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*"
_TOKEN: Final = re.compile(
    rb"(?:u8|[uUL])?\"(?:[^\"\\\n]|\\.)*\"|(?:u8|[uUL])?'(?:[^'\\\n]|\\.)*'|" + _WORD
    + rb"|\.?[0-9](?:[eEpP][+-]|[\w.$])*|##|%:%:|\.\.\.|[" + BLANKS + rb"]+|.",
    re.DOTALL,
)  # fmt: skip
IDENTIFIER: Final = re.compile(_WORD + rb"\Z")
IDENTIFIERS: Final = re.compile(_WORD)
_PASTES: Final = frozenset({b"##", b"%:%:"})
_HASHES: Final = frozenset({b"#", b"%:"})
_B: Final = rb"[" + BLANKS + rb"]*"
# The name of a definition and what follows it; or nothing, for a line that begins with # and is else only a
# comment (Boost.PP has many); or any other comment behind a #, where it may hide a definition.
_DEFINE: Final = re.compile(
    rb"#" + _B + rb"+(?:define" + _B + rb"+(?:(" + _WORD + rb")([^\n]*)|(/\*))"
    rb"|(?:(?<=#)(?<![^\n]#)|(?<=# )(?<![^\n]# ))/\*(?!/)(?>.*?\*/)" + _B + rb"(?![^\n])|(/\*))",
    re.DOTALL,
)  # fmt: skip
_PARAMETERS: Final = re.compile(rb"\([^)\n]*\)")
# `name` is that of a definition
_DIRECTIVE: Final = re.compile(
    _B + rb"#" + _B + rb"(?:el)?(?:if|define" + _B + rb"(" + _WORD + rb"))(?![\w$])"
)
_COMMENT: Final = re.compile(rb"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)


class Piece(Enum):
    """What becomes of a token of a definition's body."""

    WORD = "word"
    SELF = "self"  # the macro's own name, which is not expanded again
    PLAIN = "plain"  # a parameter: its argument, expanded
    RAW = "raw"  # beside ##: its argument as it was written
    STRING = "string"  # after #
    PASTE = "paste"  # ##


class Macro:
    """One definition, taken apart only when an expansion comes to it."""

    def __init__(self, name: bytes, parameters: bytes | None, text: bytes) -> None:
        self._name = name
        self._parameters = parameters  # with the parentheses; None: like an object
        self._text = text
        self.reach: object = None  # remembered by `reach.reach_of`

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Macro) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[bytes, bytes | None, bytes]:
        return self._name, self._parameters, self._text

    @cached_property
    def parameters(self) -> Tokens | None:
        """Their names; None for a macro like an object."""
        if self._parameters is None:
            return None
        names = tuple(
            name.strip(b" \t\f\v\0") for name in _COMMENT.sub(b" ", self._parameters[1:-1]).split(b",")
        )
        if names[-1].endswith(b"..."):
            return (*names[:-1], names[-1][:-3].strip() or b"__VA_ARGS__")
        return () if names == (b"",) else names

    @property
    def variadic(self) -> bytes | None:
        """The last parameter, when it takes all arguments that are left."""
        return self.parameters[-1] if self.parameters and b"..." in (self._parameters or b"") else None

    @cached_property
    def pieces(self) -> "Pieces":
        """The body."""
        text = _COMMENT.sub(b" ", self._text) if b"/" in self._text else self._text
        return _pieces(self._name, self.parameters, tokenize(text.strip(b" \t\f\v\0\n")))

    @cached_property
    def plain(self) -> Tokens:
        """The parameters that are expanded before they are put in."""
        return tuple(dict.fromkeys(token for piece, token in self.pieces if piece is Piece.PLAIN))

    @property
    def leads_nowhere(self) -> bool:
        """Whether its body is just numbers, signs and parameters."""
        text = self._text
        if b'"' in text or b"<" in text or b"#" in text:
            return False
        if self._parameters is None:
            return IDENTIFIERS.search(text) is None
        return set(IDENTIFIERS.findall(text)).issubset(self.parameters or ())


Pieces: TypeAlias = tuple[tuple[Piece, bytes], ...]


def _pieces(name: bytes, parameters: Tokens | None, body: Tokens) -> Pieces:
    names = frozenset(parameters or ())
    words = [token for token in body if token != b" "]
    pieces: list[tuple[Piece, bytes]] = []
    at = 0  # in words
    for token in body:
        if token == b" ":
            pieces.append((Piece.WORD, token))
            continue
        before = words[at - 1] if at else b""
        after = words[at + 1] if at + 1 < len(words) else b""
        at += 1
        if token in _PASTES:
            pieces.append((Piece.PASTE, token))
        elif token in names and before in _HASHES:
            pieces.append((Piece.STRING, token))
        elif token in names:
            pieces.append((Piece.RAW if before in _PASTES or after in _PASTES else Piece.PLAIN, token))
        elif token not in _HASHES or after not in names:
            pieces.append((Piece.SELF if token == name else Piece.WORD, token))
    return tuple(pieces)


# What `_DEFINE` finds.
_Found: TypeAlias = tuple[bytes, bytes, bytes, bytes]


class Definitions(Mapping[bytes, tuple[Macro, ...]]):
    """The macros of one file by name, conditional or not; each is made when its name is first asked for."""

    def __init__(self) -> None:
        self._first: dict[bytes, bytes] = {}  # what follows each name; most have no other definition
        self._others: dict[bytes, dict[bytes, None]] = {}
        self._macros: dict[bytes, tuple[Macro, ...]] = {}

    def __getitem__(self, name: bytes) -> tuple[Macro, ...]:
        macros = self._macros.get(name)
        if macros is None:
            rests = (self._first[name], *self._others.get(name, ()))
            macros = self._macros[name] = tuple(_macro(name, rest) for rest in rests)
        return macros

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def add(self, found: Iterable[_Found]) -> None:
        """Have these as well."""
        for name, rest, _, _ in found:
            if name and self._first.setdefault(name, rest) != rest:
                self._others.setdefault(name, {})[rest] = None


def _macro(name: bytes, rest: bytes) -> Macro:
    parameters = _PARAMETERS.match(rest)
    return Macro(name, parameters[0], rest[parameters.end() :]) if parameters else Macro(name, None, rest)


def tokenize(text: bytes) -> Tokens:
    """Cut text of one line into words."""
    return tuple(b" " if token[0] in b" \t\f\v\0\n" else token for token in _TOKEN.findall(text))


def definitions(data: bytes, texts: Sequence[bytes] | None = None) -> Definitions:
    """Every definition in a file, conditional or not; `texts` are its readings, for whoever has them."""
    definitions = Definitions()
    for reading in readings(data) if texts is None else texts:
        found = _DEFINE.findall(reading)
        if _is_sure(reading, found):
            definitions.add(found)
        else:
            for text in without_comments(reading):
                definitions.add(_DEFINE.findall(text))
    return definitions


def _is_sure(text: bytes, found: Sequence[_Found]) -> bool:
    """Whether these are all definitions in a text that may have comments."""
    null = goes_on = False
    for name, rest, behind_define, behind_hash in found:
        if behind_define or behind_hash:
            return False
        null = null or not name
        goes_on = goes_on or (b"/*" in rest and rest.find(b"*/", rest.rfind(b"/*") + 2) < 0)
    return not (
        has_digraphs(text)
        or (null and has_raw_strings(text))  # the comment may be no comment, and hold definitions
        or (goes_on and any(_goes_on(text, each) for each in _DEFINE.finditer(text) if each[1]))
    )


def uses(data: bytes, name: bytes) -> list[tuple[bytes | None, bytes]]:
    """Every argument with which directives call a macro, and which macro's definition the call is part of."""
    if name not in data:  # most files have not; this takes a tenth of the time of the pattern
        return []
    found = []
    pattern = re.compile(rb"(?<![\w$])" + re.escape(name) + _B + rb"\(")
    if not pattern.search(data):
        return []
    for text in (text for reading in readings(data) for text in without_comments(reading)):
        for call in pattern.finditer(text):
            line = text[text.rfind(b"\n", 0, call.start()) + 1 : call.end()]
            directive = _DIRECTIVE.match(line)
            if directive is not None and directive[1] != name:
                rest = text[call.end() : _end_of_line(text, call.end())]
                found += [(directive[1], argument) for argument in _arguments(rest)]
    return found


def _end_of_line(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


def _arguments(text: bytes) -> list[bytes]:
    """The arguments up to the parenthesis that closes one opened before the text."""
    arguments, depth, begin = [], 0, 0
    for at, byte in enumerate(text):
        depth += (byte == 40) - (byte == 41)
        if depth < 0 or (depth == 0 and byte == 44):
            arguments.append(text[begin:at].strip())
            begin = at + 1
        if depth < 0:
            break
    return [argument for argument in arguments if argument]


def option_macro(definition: bytes) -> tuple[bytes, Macro] | None:
    """The macro of a -D; None when it is none."""
    head, equals, body = definition.partition(b"=")
    found = re.fullmatch(rb"\s*(" + _WORD + rb")(\(.*\))?\s*", head, re.DOTALL)
    if found is None:
        return None
    return found[1], Macro(found[1], found[2], body.partition(b"\n")[0] if equals else b"1")


def _goes_on(text: bytes, found: re.Match[bytes]) -> bool:
    """Whether a definition goes on in another line, behind a comment."""
    body = found[2]
    opened = body.rfind(b"/*")
    if opened < 0 or body.find(b"*/", opened + 2) >= 0:
        return False
    closed = text.find(b"*/", found.start(2) + opened + 2)
    return closed >= 0 and text[closed + 2 : _end_of_line(text, closed)].strip() != b""
