"""The command line that a client in pump mode sends to a stock distccd, whose preprocessor it is for.

distcc's client sends the user's words nearly as they are. distccd then looks for source and output among
them, takes the word after an exact `-MT` for the target of the rule that it corrects, and asks for a
dependency file itself (distcc-compat 2.5, 2.7, 5). So targets go joined to their option: distccd passes
those by, and the compiler writes the rule that it would have written here, with all of its targets.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.languages import SUFFIXES, suffix_of
from fleetcc.command.options import STAGES, TABLES, Role, Row, Shape, takes_next
from fleetcc.command.outputs import derived_output
from fleetcc.command.verdict import Compilation
from fleetcc.model import Family, Language

_LIST: Final = b"-Wp,"
# In cc1's own language, which -Wp speaks, these name the file.
_WITH_FILE: Final = frozenset((b"-MD", b"-MMD"))
_LIST_WITH_FILE: Final = (b"-Wp,-MD,", b"-Wp,-MMD,")
_DEPENDENCY_ROLES: Final = frozenset((Role.DEPENDENCIES, Role.DEPENDENCY_TARGET))

_PASSED_ROLES: Final = frozenset(
    (Role.BOTH, Role.STAGE, Role.OUTPUT, Role.DEPENDENCIES, Role.DEPENDENCY_FILE, Role.DEPENDENCY_TARGET)
)
# For the preprocessor: what needs no file of this machine, or one whose name distccd knows to be a path.
_PASSED: Final = frozenset(
    (
        b"-D", b"-U", b"-I", b"-iquote", b"-isystem", b"-idirafter", b"-include", b"-imacros", b"-MP",
        b"-undef", b"-trigraphs", b"-nostdinc", b"-nostdinc++", b"-nostdlibinc", b"-nobuiltininc",
        b"-fmax-include-depth=", b"-fmacro-prefix-map=", b"-finput-charset=",
        b"-l", b"-L", b"-Wl,",
    )
)  # fmt: skip
# By these distccd finds the source among the words.
_SOURCES: Final = frozenset(b"c cc cpp cxx cp c++ C".split())
_DIRECTORIES: Final = frozenset((b"-I", b"-iquote", b"-isystem", b"-idirafter"))
_SYSTEM_DIRECTORIES: Final = frozenset((b"-isystem", b"-idirafter"))
# The server's compiler says this of itself, of its clock or of its folder.
SELF_WORDS: Final = re.compile(rb"__(?:TIMESTAMP|DATE|TIME|BASE_FILE)__")
# They bring directories that the include paths of a command do not show.
_SEARCH_VARIABLES: Final = (b"CPATH", b"C_INCLUDE_PATH", b"CPLUS_INCLUDE_PATH")


@dataclass(frozen=True, slots=True)
class PumpTerms:
    """What has to be known of a command that may go in pump mode."""

    system: tuple[bytes, ...]  # directories that its options call system directories, absolute
    own_words: tuple[bytes, ...]  # those of its search words that say where the compiler looks by itself


def pump_terms(
    compilation: Compilation, search_words: Sequence[bytes], environment: Mapping[bytes, bytes]
) -> PumpTerms | None:
    """Say whether a server's compiler, run elsewhere on the same files, would make the same of them.

    None: not, as far as the command tells. What the files themselves tell is another question.
    """
    if (
        compilation.preprocessed_input
        or compilation.debug
        or suffix_of(compilation.source) not in _SOURCES
        or compilation.language not in {Language.C, Language.CXX}
        or any(name in environment for name in _SEARCH_VARIABLES)
    ):
        return None
    options = list(_options(list(_without_lists(compilation.argv[1:])), compilation.family))
    if not all(_is_passed(*option) for option in options):
        return None
    system = tuple([value for row, _, value in options if row.name in _SYSTEM_DIRECTORIES])
    own: list[bytes] = []
    for row, word, value in _options(search_words, compilation.family):
        if row.name not in _DIRECTORIES:
            own += (word, value) if takes_next(row, word) else (word,)
    return PumpTerms(system, tuple(own))


def _options(words: Sequence[bytes], family: Family) -> Iterator[tuple[Row, bytes, bytes]]:
    """Each option's row, first word and value; of a command whose words are all known."""
    find, rest = TABLES[family].find, iter(words)
    for word in rest:
        row = find(word) if word.startswith(b"-") and word != b"-" else None
        if row is not None:
            yield row, word, next(rest, b"") if takes_next(row, word) else word[len(row.name) :]


def _is_passed(row: Row, word: bytes, value: bytes) -> bool:
    if row.name not in _PASSED and row.role not in _PASSED_ROLES and word != b"-Wa,--noexecstack":
        return False
    if row.name in _SYSTEM_DIRECTORIES and not value.startswith(b"/"):
        return False  # gcc calls their headers by the shorter of two names, one of which is absolute
    if word.startswith(b"-fsanitize"):
        return False
    return SELF_WORDS.search(value) is None


def pump_words(
    argv: Sequence[bytes], compiler: bytes, output: bytes, family: Family
) -> tuple[bytes, ...] | None:
    """What to send for this command, whose compiler the host shall call `compiler`.

    `output` is what the user's compiler would write. None: a word of it would be taken for something else.
    """
    table = TABLES[family]
    words: list[bytes] = [compiler]
    roles: set[Role] = set()
    source = output
    rest = iter(list(_without_lists(argv[1:])))
    for word in rest:
        row = table.find(word) if word.startswith(b"-") and word != b"-" else None
        if row is None:
            words.append(word)
            source = word
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
        # The driver tells the preprocessor what -o says, but not to one that is asked by -Wp.
        is_told = Role.OUTPUT in roles and not any(word.startswith(_LIST_WITH_FILE) for word in argv)
        words.append(b"-MQ" + (output if is_told else derived_output(source, b"-c")))
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
