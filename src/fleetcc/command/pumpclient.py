"""The command line that a client in pump mode sends to a stock distccd, whose preprocessor it is for.

distcc's client sends the user's words nearly as they are. distccd then looks for source and output among
them, takes the word after an exact `-MT` for the target of the rule that it corrects, and asks for a
dependency file itself (distcc-compat 2.5, 2.7, 5). So targets go joined to their option: distccd passes
those by, and the compiler writes the rule that it would have written here, with all of its targets.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from fleetcc.command.languages import SUFFIXES, suffix_of
from fleetcc.command.options import STAGES, TABLES, Role, Shape, takes_next
from fleetcc.command.outputs import derived_output
from fleetcc.model import Family

_LIST: Final = b"-Wp,"
# In cc1's own language, which -Wp speaks, these name the file.
_WITH_FILE: Final = frozenset((b"-MD", b"-MMD"))
_LIST_WITH_FILE: Final = (b"-Wp,-MD,", b"-Wp,-MMD,")
_DEPENDENCY_ROLES: Final = frozenset((Role.DEPENDENCIES, Role.DEPENDENCY_TARGET))


def pump_words(
    argv: Sequence[bytes], compiler: bytes, output: bytes, family: Family
) -> tuple[bytes, ...] | None:
    """What to send for this command, whose compiler the host shall call `compiler`.

    `output` is what the user's compiler would write. None: a word of it would be taken for something else.
    """
    table = TABLES[family]
    words: list[bytes] = [compiler]
    roles: set[Role] = set()
    target = output  # what a driver makes of -o
    rest = iter(list(_without_lists(argv[1:])))
    for word in rest:
        row = table.find(word) if word.startswith(b"-") and word != b"-" else None
        if row is None:
            words.append(word)
            if any(other.startswith(_LIST_WITH_FILE) for other in argv):
                target = derived_output(word, b"-c")  # the preprocessor knows no -o
            continue
        roles.add(row.role)
        value = next(rest, None) if takes_next(row, word) else word[len(row.name) :]
        if value is None:
            return None
        match row.role:
            case Role.OUTPUT | Role.DEPENDENCY_FILE:
                pass
            case Role.DEPENDENCY_TARGET:
                words.append(row.name + value)
            case Role.STAGE:
                words.append(STAGES[row.name])
            case _ if not takes_next(row, word):
                words.append(word)
            case _ if not _is_misread(value):
                words += (word, value)
            case _ if row.shape is Shape.EITHER:
                words.append(word + value)
            case _:
                return None
    if roles & _DEPENDENCY_ROLES == {Role.DEPENDENCIES}:
        words.append(b"-MQ" + target)
    return (*words, b"-o", output)


def _without_lists(words: Sequence[bytes]) -> Iterator[bytes]:
    """The words, with those of `-Wp,` on their own; the names of dependency files among them are left out."""
    for word in words:
        if not word.startswith(_LIST):
            yield word
            continue
        inner = iter(word[len(_LIST) :].split(b","))
        for found in inner:
            yield found
            if found in _WITH_FILE:
                next(inner, None)


def _is_misread(value: bytes) -> bool:
    """Would distccd take the value of an option for a source or an output?"""
    return suffix_of(value) in SUFFIXES or value.endswith(b".o")
