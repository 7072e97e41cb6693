"""What the scanner answers: the files of one translation unit, and what it could not find out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from fleetcc.includes.disk import Stamp


class Doubt(Enum):
    """Why the files of a unit may not be all; the first word is the stable name, for counters.

    `preprocessor_knows`: the compiler's own `-M` lists what may be missing; otherwise nothing does.
    """

    def __init__(self, slug: str, text: str, preprocessor_knows: bool) -> None:  # noqa: FBT001 - a table's column
        self.slug = slug
        self.text = text
        self.preprocessor_knows = preprocessor_knows

    COMPUTED_INCLUDE = ("computed-include", "a name that depends on the compiler's own macros", True)
    TOO_MANY_NAMES = ("too-many-names", "a name that can be too many things", True)
    UNREADABLE = ("unreadable", "a file that cannot be read", True)
    HEADER_MAP = ("header-map", "a search directory that is a file", True)
    COMPUTED_PROBE = ("computed-probe", "a __has_include of a name that cannot be told", False)
    ASSEMBLER_FILE = ("assembler-file", "an .incbin or .include of a name that cannot be told", False)
    MODULES = ("modules", "a module or a header unit", False)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """One thing that the scanner could not find out."""

    reason: Doubt
    detail: str  # "file:line: what"


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """Every file that the unit's compiler may read, and more. The same object: nothing has changed."""

    files: Mapping[bytes, Stamp]  # by absolute path as the compiler spells it, `..` kept; the source first
    directories: frozenset[bytes]  # absolute; every directory that was consulted, existing or not
    unresolved: tuple[Unresolved, ...]
