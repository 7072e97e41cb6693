"""Macro definitions of one file, and the words that they are made of."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.includes.text import BLANKS, readings, without_comments

# Words and punctuation; any run of blanks is one blank.
Tokens: TypeAlias = tuple[bytes, ...]

_WORD: Final = rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*"
_TOKEN: Final = re.compile(
    rb"(?:u8|[uUL])?\"(?:[^\"\\\n]|\\.)*\"|(?:u8|[uUL])?'(?:[^'\\\n]|\\.)*'|" + _WORD
    + rb"|\.?[0-9](?:[eEpP][+-]|[\w.$])*|##|%:%:|\.\.\.|[" + BLANKS + rb"]+|.",
    re.DOTALL,
)  # fmt: skip
IDENTIFIER: Final = re.compile(_WORD + rb"\Z")
_B: Final = rb"[" + BLANKS + rb"]*"
_DEFINE: Final = re.compile(
    rb"#" + _B + rb"define" + _B + rb"(" + _WORD + rb")(\([^)\n]*\))?([^\n]*)"
)
_NASTY: Final = re.compile(rb"#" + _B + rb"(?:define" + _B + rb")?/\*|%(?=:)")
# `name` is that of a definition
_DIRECTIVE: Final = re.compile(_B + rb"#" + _B + rb"(?:el)?(?:if|define" + _B + rb"(" + _WORD + rb"))(?![\w$])")
_COMMENT: Final = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)

@dataclass(frozen=True, slots=True)
class Macro:
    """One definition."""

    parameters: tuple[bytes, ...] | None  # None: like an object
    variadic: bytes | None  # the last parameter, when it takes all that is left
    body: Tokens


Definitions: TypeAlias = dict[bytes, tuple[Macro, ...]]


def tokenize(text: bytes) -> Tokens:
    """Cut text of one line into words."""
    return tuple(b" " if token[0] in b" \t\f\v\0\n" else token for token in _TOKEN.findall(text))


def definitions(data: bytes) -> Definitions:
    """Every definition in a file, conditional or not."""
    macros: dict[bytes, dict[Macro, None]] = {}
    for reading in readings(data):
        nasty = _NASTY.search(reading) or any(_opens_comment(found[3]) for found in _DEFINE.finditer(reading))
        for text in without_comments(reading) if nasty else (reading,):
            for found in _DEFINE.finditer(text):
                macros.setdefault(found[1], {})[_macro(found[2], found[3])] = None
    return {name: tuple(each) for name, each in macros.items()}


def uses(data: bytes, name: bytes) -> list[tuple[bytes | None, bytes]]:
    """Every argument with which directives call a macro, and which macro's definition the call is part of."""
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
    return found[1], _macro(found[2], body.partition(b"\n")[0] if equals else b"1")


def _opens_comment(body: bytes) -> bool:
    return body.rfind(b"/*") > body.rfind(b"*/")


def _macro(parameters: bytes | None, body: bytes) -> Macro:
    if b"/" in body:
        body = _COMMENT.sub(b" ", body)
    tokens = tokenize(body.strip(b" \t\f\v\0\n"))
    if parameters is None:
        return Macro(None, None, tokens)
    names = tuple(name.strip() for name in _COMMENT.sub(b" ", parameters[1:-1]).split(b","))
    if names == (b"",):
        names = ()
    variadic = None
    if names and names[-1].endswith(b"..."):
        variadic = names[-1][:-3].strip() or b"__VA_ARGS__"
        names = (*names[:-1], variadic)
    return Macro(names, variadic, tokens)
