"""Which files a failed compiler's words are about: those that it says it did not find.

Its messages may be in any language, but nearly all have the form `where: what: name: reason`, and the name is
the last but one field; alone it may be the last one. What clang says otherwise is never translated. Errors of
the user's own seldom name a file that is here and was not sent, so such a compile is not run twice.
"""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

# Of a flood of errors only the beginning is of interest: what is not found is fatal.
_MOST_BYTES: Final = 64 << 10
# Each is looked for in every directory of the search path.
_MOST_NAMES: Final = 500
# ASCII ones, and those of UTF-8 locales; any other byte may belong to a name.
_MARKS: Final = "'\"`<>‘’‚“”„‹›«»「」『』"  # noqa: RUF001 - these very marks
_QUOTES: Final = re.compile(b"|".join(mark.encode() for mark in _MARKS))
_QUOTED: Final = re.compile(rb"['\"]([^'\"]+)['\"]")
_UNTRANSLATED: Final = re.compile(rb"file not found|[Nn]o such file|[Cc]an't open|Could not (?:find|read)")
_BLANKS: Final = 6  # words in a field that may still be a name or lead to one


def named_files(stderr: bytes, cwd: bytes, searched: Iterable[bytes]) -> Iterator[bytes]:
    """Absolute paths that the messages may mean; most do not exist."""
    directories = [os.path.join(cwd, directory) for directory in (b"", *searched)]
    for name in islice(dict.fromkeys(_names(stderr[:_MOST_BYTES])), _MOST_NAMES):
        if name.startswith(b"/"):
            yield name
        else:
            yield from (os.path.join(directory, name) for directory in directories)


def _names(text: bytes) -> Iterator[bytes]:
    for line in text.splitlines():
        fields = line.split(b": ")
        if len(fields) < 2:
            continue
        if fields[-2].count(b" ") <= _BLANKS:
            yield from _words(fields[-2])
        if b" " not in fields[-1].strip() or _UNTRANSLATED.search(line):
            yield from _words(fields[-1])


def _words(field: bytes) -> Iterator[bytes]:
    """Each of them, and all together or in quotes: names may have blanks."""
    plain = _QUOTES.sub(b" ", field)
    found = (*plain.split(), plain.strip(), *_QUOTED.findall(field))
    yield from (word for word in found if word and b"\0" not in word)
