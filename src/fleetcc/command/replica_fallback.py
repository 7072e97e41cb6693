"""The options with which the compiler itself lists what a source includes (`cc -M`).

Asked only for sources that the scanner could not resolve, so nothing here is on a job's usual way.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fleetcc.command.options import Role, takes_next
from fleetcc.command.replica_options import MEANINGS, Use
from fleetcc.model import Family, Reason

# Everything that preprocessing can depend on; the rest would write files, or ask for something else.
_KEPT: Final = frozenset({Role.BOTH, Role.PREPROCESS, Role.INCLUDE, Role.ARCHITECTURE})
_KEPT_REASONS: Final = frozenset(
    {
        Reason.NATIVE_CPU, Reason.SPECS, Reason.OTHER_PROGRAMS, Reason.PRECOMPILED_HEADER, Reason.LOCAL_FILES,
        Reason.LINK_TIME, Reason.COVERAGE, Reason.PROFILE, Reason.SOURCE_NEEDED,
    }
)  # fmt: skip
# -MG makes up headers that are not there, -H prints them.
_DROPPED: Final = frozenset((b"-MP", b"-MG", b"-MV", b"-H"))
# The preprocessor itself takes these with a value.
_DEPENDENCIES: Final = frozenset((b"-MD", b"-MMD", b"-MF", b"-MT", b"-MQ"))
_HANDED_ON: Final = {Role.FOR_PREPROCESSOR: b"-Xpreprocessor", Role.FOR_CLANG: b"-Xclang"}

Spelled = tuple[bytes, ...]


def dependency_words(words: Sequence[bytes], family: Family) -> Spelled:
    """The options out of a command (response files expanded) without compiler, sources, outputs, stages."""
    found: list[bytes] = []
    # Words for another program are one command line of their own; they keep their order among themselves.
    handed_on: dict[Role, list[bytes]] = {role: [] for role in _HANDED_ON}
    for role, spelled in _options(words[1:], family):
        if role is Role.FOR_PREPROCESSOR_LIST:
            handed_on[Role.FOR_PREPROCESSOR] += spelled[0].split(b",")[1:]
        elif role in handed_on:
            handed_on[role].append(spelled[-1])
        else:
            found += spelled
    for role, prefix in _HANDED_ON.items():
        for _, spelled in _options(handed_on[role], family, inner=True):
            for word in spelled:
                found += (prefix, word)
    return tuple(found)


def _options(
    words: Iterable[bytes], family: Family, *, inner: bool = False
) -> Iterator[tuple[Role, Spelled]]:
    """The options to keep, each with its value; without what is no option, unless for another program."""
    rest = iter(words)
    for word in rest:
        if inner and word in _DEPENDENCIES:
            next(rest, None)
            continue
        known = MEANINGS[family].find(word) if word[:1] == b"-" else None
        if known is None:
            if inner or word[:1] == b"-" != word:
                yield Role.BOTH, (word,)
            continue
        row, meaning = known
        spelled = (word, next(rest, b"")) if takes_next(row, word) else (word,)
        if row.role is Role.END_OF_OPTIONS:
            return
        if word in _DROPPED or meaning.use & Use.WRITES:
            continue
        if row.role in _KEPT or row.reason in _KEPT_REASONS:
            yield Role.BOTH, spelled
        elif not inner and row.role in {*_HANDED_ON, Role.FOR_PREPROCESSOR_LIST}:
            yield row.role, spelled
