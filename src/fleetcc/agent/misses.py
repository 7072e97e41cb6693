"""Which files a failed compiler's words are about: those that it says it did not find.

Its messages may be in any language, but all have the form `where: what: name: reason`, and the name is the
last but one field. What clang and the assembler say otherwise is never translated. Errors of the user's own
seldom name a file that is here and was not sent, so a compile that only has those is not run twice.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

# Of a flood of errors only the beginning is of interest: what is not found is fatal.
_MOST_BYTES: Final = 64 << 10
_QUOTES: Final = re.compile(rb"['\"`\x80-\xff<>]+")
_UNTRANSLATED: Final = re.compile(rb"file not found|No such file or directory|[Cc]an't open")
_BLANKS: Final = 6  # words in a field that may still be a name or lead to one


def named_files(stderr: bytes, cwd: bytes, searched: Iterable[bytes]) -> Iterator[bytes]:
    """Absolute paths that the messages may mean; most do not exist."""
    directories = [os.path.join(cwd, directory) for directory in (b"", *searched)]
    for name in dict.fromkeys(_names(stderr[:_MOST_BYTES])):
        if name.startswith(b"/"):
            yield name
        else:
            yield from (os.path.join(directory, name) for directory in directories)


def _names(text: bytes) -> Iterator[bytes]:
    for line in text.splitlines():
        fields = line.split(b": ")
        if len(fields) >= 2 and fields[-2].count(b" ") <= _BLANKS:
            yield from _words(fields[-2])
        if _UNTRANSLATED.search(line):
            yield from _words(fields[-1])


def _words(field: bytes) -> Iterator[bytes]:
    plain = _QUOTES.sub(b" ", field)
    yield from (word for word in plain.split() if b"\0" not in word)
