"""The dependency file of a compile in pump mode, with its lines broken as the local compiler breaks them.

A stock host's compiler counts the name of the host's folder in every absolute name, so it breaks the lines
elsewhere; what it says is the same. gcc begins a new line before a name that would end beyond column 72,
clang before one that would leave no room for ` \\` within 77.
"""

import re
from typing import Final

from fleetcc.model import Family

_GCC_COLUMNS: Final = 72
_CLANG_COLUMNS: Final = 75
_BREAK: Final = b" \\\n"
_BROKEN: Final = re.compile(rb" \\\n +")
# In such names compilers write other bytes than they count.
_PLAIN: Final = re.compile(rb"[!-~\x80-\xff]+")
_QUOTED: Final = re.compile(rb"[\\$#]")


def local_rule(rule: bytes, family: Family) -> bytes | None:
    """The whole file as it would be here; None where that cannot be told."""
    one_line = _BROKEN.sub(b" ", rule)
    first, newline, phony = one_line.partition(b"\n")
    if not newline or _QUOTED.search(one_line):
        return None
    targets, colon, names = first.partition(b": ")
    if not colon or not targets:
        return None
    words = (*targets.split(b" "), *names.split(b" "))
    if not all(map(_PLAIN.fullmatch, words)):
        return None
    write = _gcc if family is Family.GCC else _clang
    return write(targets.split(b" "), names.split(b" ")) + b"\n" + phony


def names_in(rule: bytes) -> list[bytes]:
    """The files that a rule names, which came out of `local_rule`."""
    first = _BROKEN.sub(b" ", rule).partition(b"\n")[0]
    return first.partition(b": ")[2].split(b" ")


def _gcc(targets: list[bytes], names: list[bytes]) -> bytes:
    text, column = targets[0], len(targets[0])
    for index, name in enumerate([*targets[1:], *names], 1):
        if index == len(targets):
            text += b":"
            column += 1
        if column + len(name) > _GCC_COLUMNS:
            text += _BREAK
            column = 0
        text += b" " + name
        column += 1 + len(name)
    return text


def _clang(targets: list[bytes], names: list[bytes]) -> bytes:
    text, column = targets[0], len(targets[0])
    for target in targets[1:]:
        if column + len(target) + 2 > _CLANG_COLUMNS:
            text += _BREAK + b"  " + target
            column = len(target) + 2
        else:
            text += b" " + target
            column += len(target) + 1
    text += b":"
    column += 1
    for name in names:
        if column + len(name) + 1 + 2 > _CLANG_COLUMNS:
            text += _BREAK + b"  " + name
            column = len(name) + 3
        else:
            text += b" " + name
            column += len(name) + 1
    return text
