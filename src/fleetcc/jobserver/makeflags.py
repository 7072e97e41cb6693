"""The variable MAKEFLAGS: by it GNU make, and tools that follow it, learn of a jobserver. Pure.

It is a command line in one text: first the letters of options without a value, without a hyphen, or
nothing; then options with values; after ` -- ` assignments. A blank that belongs to a word has a backslash.
"""

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(r"(?:\\.|\S)+", re.DOTALL)
_AUTH: Final = re.compile(r"--jobserver-(?:auth|fds)=(.*)", re.DOTALL)
# Letters of options without a value, which may stand together, and -j with its number at their end.
_LETTERS: Final = re.compile(r"(-?[BLRSbdeikmnpqrstvw]*)j\d*")
_LONG_COUNT: Final = re.compile(r"--jobs(?:=\d*)?")
_PAIR: Final = re.compile(r"(\d+),(\d+)")


def with_jobserver(flags: str, word: str, count: int, option: str = "auth") -> str:
    """Take this jobserver, whatever was said of one or of -j before; the rest stays."""
    options, assignments = _parts(flags)
    letters = ""
    if options and not options[0].startswith("-") and "=" not in options[0]:
        letters = _LETTERS.sub(r"\1", options.pop(0))
    told = [f"-j{count}", f"--jobserver-{option}={word}"]
    return " ".join([letters, *_without_count(options), *told, *assignments])


def _without_count(options: list[str]) -> Iterator[str]:
    after_count = False
    for each in options:
        was_after, after_count = after_count, each in {"-j", "--jobs"}
        cluster = _LETTERS.fullmatch(each)
        if cluster and cluster[1] not in {"", "-"}:
            yield cluster[1]
        is_told = cluster or _AUTH.fullmatch(each) or _LONG_COUNT.fullmatch(each)
        if not is_told and not (was_after and each.isdigit()):
            yield each


def jobserver_of(flags: str) -> str:
    """Which jobserver is told of, as `fifo:PATH` or `R,W`; empty: none."""
    found = [match[1] for each in _parts(flags)[0] if (match := _AUTH.fullmatch(each))]
    return found[-1] if found else ""


def descriptors_of(word: str) -> tuple[int, int] | None:
    """The descriptors of the form `R,W`."""
    pair = _PAIR.fullmatch(word)
    return (int(pair[1]), int(pair[2])) if pair else None


def _parts(flags: str) -> tuple[list[str], list[str]]:
    words = _WORD.findall(flags)
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end:]
