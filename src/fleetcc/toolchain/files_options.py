"""Which words of a command line decide what files a compiler consists of, and what they would be anywhere.

A compiler is asked in a folder of its own, so a path that is relative to the job's directory is made absolute
first. What a word means for the job itself is said in `command.options`, not here.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

# Words that choose a target, a processor, a sub-program, or a place where one is looked for.
_WHOLE: Final = frozenset(
    (b"-integrated-as", b"-no-integrated-as", b"-fintegrated-as", b"-fno-integrated-as",
     b"-gsplit-dwarf", b"-no-canonical-prefixes", b"-canonical-prefixes")
)  # fmt: skip
_BEGINNINGS: Final = (
    b"-m", b"--target=", b"-gsplit-dwarf=", b"-ccc-", b"-rtlib=",
)  # fmt: skip
# The same with a value in the next word.
_SEPARATE: Final = frozenset((b"-target", b"-arch", b"-ccc-gcc-name"))
# Those whose value is a path, in the next word or joined; the long ones join with `=` only.
_SHORT_PATHS: Final = (b"-B", b"-isysroot")
_LONG_PATHS: Final = (
    b"--sysroot", b"--gcc-toolchain", b"--gcc-install-dir", b"-gcc-toolchain", b"-resource-dir", b"--config",
    b"-specs", b"--specs", b"--prefix",
)  # fmt: skip
# Words of the same beginnings that are no option of this kind: an operand of -mllvm is asked as one.
_WITH_OPERAND: Final = frozenset((b"-mllvm", b"-mthread-model"))

_CHARSETS: Final = (b"-finput-charset=", b"-fexec-charset=", b"-fwide-exec-charset=")
_LOADING: Final = (b"-fplugin", b"-fpass-plugin", b"-wrapper", b"-iplugindir")

_ANY: Final = (*_WHOLE, *_BEGINNINGS, *_SEPARATE, *_SHORT_PATHS, *_LONG_PATHS)

NATIVE: Final = frozenset((b"-march=native", b"-mtune=native", b"-mcpu=native"))


def relevant_options(words: tuple[bytes, ...], cwd: bytes) -> tuple[bytes, ...]:
    """The deciding words, in their order, with absolute paths."""
    if not any(word.startswith(_ANY) for word in words):  # as it mostly is
        return ()
    return tuple(_deciding(iter(words), cwd))


def asked_charset(words: Iterable[bytes]) -> bool:
    """Is the source, or what the program will hold, in another character set than UTF-8?"""
    return any(
        word.startswith(_CHARSETS) and not word.lower().endswith((b"=utf-8", b"=utf8")) for word in words
    )


def loads_code(words: Iterable[bytes]) -> bytes:
    """The first word that has the compiler load or run what is not part of it; empty: none."""
    return next((word for word in words if word.startswith(_LOADING)), b"")


def _deciding(words: Iterator[bytes], cwd: bytes) -> Iterator[bytes]:
    for word in words:
        name, equals, value = word.partition(b"=")
        if word in _WITH_OPERAND:
            next(words, b"")
        elif word in _SEPARATE:
            yield from (word, next(words, b""))
        elif name in _LONG_PATHS:
            path = value if equals else next(words, b"")
            yield from (
                (name + b"=" + _absolute(name, path, cwd),) if equals else (word, _absolute(name, path, cwd))
            )
        elif short := next((short for short in _SHORT_PATHS if word.startswith(short)), b""):
            yield short + os.path.join(cwd, word[len(short) :] or next(words, b""))
        elif word in _WHOLE or word.startswith(_BEGINNINGS):
            yield word


def _absolute(name: bytes, path: bytes, cwd: bytes) -> bytes:
    bare = (
        name.lstrip(b"-") in (b"specs", b"config") and b"/" not in path
    )  # looked for in the compiler's folders
    return path if bare else os.path.join(cwd, path)
