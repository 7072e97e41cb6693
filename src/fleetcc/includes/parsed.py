"""What one version of one file asks for, as values."""

from dataclasses import dataclass, field
from enum import Enum

from fleetcc.includes.closure import Doubt


class Kind(Enum):
    """How a name is looked up, and what becomes of its file."""

    INCLUDE = "include"
    NEXT = "include_next"
    PROBE = "__has_include"  # looked up like an include, but its text does not matter
    PROBE_NEXT = "__has_include_next"
    EMBED = "embed"
    ASSEMBLER = ".include"
    BINARY = ".incbin"
    LINE = "#line"  # a file whose lines messages show


class Dialect(Enum):
    """What a file is read as."""

    SOURCE = "source"  # the unit itself, which may declare a module
    C = "c"
    ASSEMBLER = "assembler"  # with the C preprocessor
    PLAIN_ASSEMBLER = "plain-assembler"  # what .include names


@dataclass(frozen=True, slots=True)
class Computed:
    """A name to be found by expanding macros."""

    kind: Kind
    operand: bytes
    line: int
    # The macro in whose body a __has_include stands: the names are where it is used.
    wrapper: bytes | None = None


@dataclass(slots=True, eq=False)
class Parsed:
    """The names in one version of a file, each once, in order."""

    quoted: dict[bytes, None] = field(default_factory=dict)
    angled: dict[bytes, None] = field(default_factory=dict)
    others: dict[tuple[Kind, bytes, bool], None] = field(default_factory=dict)  # True: "..."
    computed: dict[Computed, None] = field(default_factory=dict)
    doubts: list[tuple[Doubt, int, bytes]] = field(default_factory=list)
    imports: list[tuple[int, bytes]] = field(default_factory=list)  # of modules, where the language has them

    @property
    def is_special(self) -> bool:
        """Whether plain names do not say it all."""
        return bool(self.computed or self.doubts or self.imports)
