"""What the command line of a build tool says about its number of jobs. Pure; a table for each tool."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a tool's command line is read: options of one letter may stand together."""

    count: str = "j"
    with_value: str = ""  # letters whose value is the rest of the word or the next word; not `count`
    long_count: tuple[str, ...] = ()
    long_value: tuple[str, ...] = ()  # whose value is the next word


MAKE: Final = Grammar(
    with_value="CEfIloW", long_count=("--jobs",),
    long_value=("--directory", "--eval", "--file", "--makefile", "--include-dir", "--old-file",
                "--assume-old", "--what-if", "--new-file", "--assume-new"),
)  # fmt: skip
BMAKE: Final = Grammar(with_value="CDdfIJmTVv")
NINJA: Final = Grammar(with_value="Cdfkltw")
CMAKE_BUILD: Final = Grammar(
    with_value="t", long_count=("--parallel",), long_value=("--build", "--preset", "--target", "--config"),
)  # fmt: skip
MESON: Final = Grammar(with_value="Cl", long_count=("--jobs",), long_value=("--load-average", "--ninja-args"))


def counts_jobs(arguments: Sequence[str], grammar: Grammar) -> bool:
    """Whether the user has said how many jobs shall run."""
    return any(letter == grammar.count for letter, _ in options_of(arguments, grammar))


def value_of(arguments: Sequence[str], grammar: Grammar, letter: str, otherwise: str) -> str:
    """The last value of an option of one letter."""
    found = [value for name, value in options_of(arguments, grammar) if name == letter]
    return found[-1] if found else otherwise


def options_of(arguments: Sequence[str], grammar: Grammar) -> Iterator[tuple[str, str]]:
    """Each option of one letter and its value, long ones of the table too; until `--`."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name in grammar.long_count:
                yield grammar.count, value
            elif name in grammar.long_value and not equals:
                next(words, None)
        elif word.startswith("-") and word != "-":
            yield from _cluster(word[1:], words, grammar)


def _cluster(letters: str, words: Iterator[str], grammar: Grammar) -> Iterator[tuple[str, str]]:
    for place, letter in enumerate(letters):
        if letter == grammar.count:
            yield letter, letters[place + 1 :]
            return
        elif letter in grammar.with_value:
            yield letter, letters[place + 1 :] or next(words, "")
            return
        else:
            yield letter, ""
