"""Walks a command line once and sorts its words: what the preprocessor needs, what the compiler needs.

Knows no policy: whatever stands in the way is noted as an obstacle, and `analysis` weighs them.
"""

from collections.abc import Callable, Sequence
from typing import Final

from fleetcc.command.options import STAGES, TABLES, Option, Role, Row, Shape, Trait, takes_next
from fleetcc.command.passthrough import assembler_obstacle, clang_row, llvm_obstacle, preprocessor_row
from fleetcc.model import Family, Reason

# The launcher gives the preprocessor a memory file there.
DEPENDENCY_PATH: Final = b"/dev/fd/3"

# A server's scanner takes such words for its source or output, wherever they stand.
_MISLEADING: Final = tuple(
    b"." + suffix for suffix in b"i ii c cc cpp cxx cp c++ C m mm mi mii M o s S".split()
)


class Walk:
    """The words of one command line, sorted."""

    __slots__ = (
        "architectures",
        "asks_dependencies",
        "clang_value",
        "compile",
        "depfile",
        "family",
        "forced_includes",
        "has_dependency_target",
        "inputs",
        "listed_depfile",
        "named_language",
        "no_more_options",
        "obstacles",
        "output",
        "preprocess",
        "stages",
        "table",
        "traits",
    )  # fmt: skip

    def __init__(self, family: Family) -> None:
        self.family = family
        self.table = TABLES[family]
        self.preprocess: list[bytes] = []
        self.compile: list[bytes] = []
        self.inputs: list[tuple[bytes, bytes | None]] = []  # word, language that -x names
        self.obstacles: list[tuple[Reason, bytes]] = []
        self.stages: list[bytes] = []
        self.traits: list[Trait] = []
        self.forced_includes: list[bytes] = []
        self.output: bytes | None = None
        self.depfile: bytes | None = None
        self.listed_depfile: bytes | None = None  # out of -Wp,-MD,FILE
        self.asks_dependencies = False
        self.has_dependency_target = False
        self.named_language: bytes | None = None
        self.architectures = 0
        self.clang_value: Row | None = None  # the last -Xclang word awaits its value in the next one
        self.no_more_options = False

    def run(self, arguments: Sequence[bytes]) -> None:
        """Take all words after the compiler's name."""
        words = iter(arguments)
        find = self.table.find
        preprocess, compile_, traits = self.preprocess, self.compile, self.traits
        for word in words:
            if self.no_more_options or word[:1] != b"-" or word == b"-":
                self.inputs.append((word, self.named_language))
                continue
            row = find(word)
            if row is None:
                self.stop(Reason.UNKNOWN_OPTION, word)
                continue
            shape, role = row.shape, row.role
            if shape is Shape.SEPARATE or (shape is Shape.EITHER and len(word) == len(row.name)):
                value = next(words, None)
                if value is None:
                    self.stop(Reason.UNKNOWN_OPTION, word)
                    return
                spelled: tuple[bytes, ...] = (word, value)
            else:
                value = word[len(row.name) :]
                spelled = (word,)
            if row.trait:
                traits.append(row.trait)
            if role is Role.BOTH:
                preprocess += spelled
                compile_ += spelled
                if len(spelled) == 2:
                    self.check_misleading(value)
            elif role is Role.PREPROCESS:
                preprocess += spelled
            else:
                _HANDLERS[role](self, Option(row, spelled, value))

    def stop(self, reason: Reason, word: bytes) -> None:
        """Note why the job must stay."""
        self.obstacles.append((reason, word))

    def check_misleading(self, value: bytes) -> None:
        """Keep a command here whose option value a server would take for its source."""
        if value.endswith(_MISLEADING) and value[:1] != b"-":
            self.stop(Reason.UNKNOWN_OPTION, value)


# -- one function per role


def _local(walk: Walk, option: Option) -> None:
    assert option.row.reason is not None
    walk.stop(option.row.reason, option.spelled[0])


def _include(walk: Walk, option: Option) -> None:
    walk.preprocess += option.spelled
    walk.forced_includes.append(option.value)


def _stage(walk: Walk, option: Option) -> None:
    walk.stages.append(STAGES[option.row.name])


def _output(walk: Walk, option: Option) -> None:
    if walk.output is not None:
        walk.stop(Reason.UNKNOWN_OPTION, option.spelled[0])
    walk.output = option.value


def _language(walk: Walk, option: Option) -> None:
    walk.named_language = None if option.value == b"none" else option.value
    if walk.inputs:
        # The driver warns that it has no effect; the preprocessor's own command has it before the source.
        walk.stop(Reason.UNKNOWN_OPTION, option.spelled[0])


def _architecture(walk: Walk, option: Option) -> None:
    walk.architectures += 1
    if walk.architectures > 1:
        walk.stop(Reason.SEVERAL_ARCHITECTURES, option.value)
    walk.preprocess += option.spelled
    walk.compile += option.spelled


def _dependencies(walk: Walk, option: Option) -> None:
    walk.asks_dependencies = True
    walk.preprocess += option.spelled


def _dependency_file(walk: Walk, option: Option) -> None:
    walk.depfile = option.value
    walk.preprocess += (b"-MF", DEPENDENCY_PATH)


def _dependency_target(walk: Walk, option: Option) -> None:
    walk.has_dependency_target = True
    walk.preprocess += option.spelled


def _assembler(walk: Walk, option: Option) -> None:
    words = option.value.split(b",") if option.row.role is Role.FOR_ASSEMBLER_LIST else (option.value,)
    for word in words:
        reason = assembler_obstacle(word)
        if reason is not None:
            walk.stop(reason, word)
    walk.preprocess += option.spelled
    walk.compile += option.spelled


def _llvm(walk: Walk, option: Option) -> None:
    reason = llvm_obstacle(option.value)
    if reason is not None:
        walk.stop(reason, option.value)
    walk.preprocess += option.spelled
    walk.compile += option.spelled


def _clang(walk: Walk, option: Option) -> None:
    inner = walk.clang_value
    if inner is not None:
        walk.clang_value = None
        if inner.role is Role.INCLUDE:
            walk.forced_includes.append(option.value)
        if option.value == b"native":
            walk.stop(Reason.NATIVE_CPU, option.value)
        walk.check_misleading(option.value)
    else:
        inner = clang_row(option.value)
        if inner.role is Role.LOCAL:
            assert inner.reason is not None
            walk.stop(inner.reason, option.value)
        if inner.trait:
            walk.traits.append(inner.trait)
        walk.clang_value = inner if takes_next(inner, option.value) else None
    walk.preprocess += option.spelled
    if inner.role is Role.BOTH:
        walk.compile += option.spelled


def _preprocessor_word(walk: Walk, option: Option) -> None:
    inner = preprocessor_row(option.value, walk.family)
    # An option whose value would be the next -Xpreprocessor's is rare enough to stay.
    if inner.role is not Role.PREPROCESS or takes_next(inner, option.value):
        walk.stop(inner.reason or Reason.UNKNOWN_OPTION, option.value)
    if inner.trait:
        walk.traits.append(inner.trait)
    walk.preprocess += option.spelled


def _preprocessor_list(walk: Walk, option: Option) -> None:
    written = [b"-Wp"]
    words = iter(option.value.split(b","))
    for word in words:
        inner = preprocessor_row(word, walk.family)
        written.append(word)
        if inner.trait:
            walk.traits.append(inner.trait)
        has_next = takes_next(inner, word)
        following = next(words, None) if has_next else word[len(inner.name) :]
        if inner.role is Role.LOCAL or following is None:
            walk.stop(inner.reason or Reason.UNKNOWN_OPTION, option.spelled[0])
            return
        if inner.role is Role.DEPENDENCY_FILE:
            _listed_depfile(walk, word, following)
            following = DEPENDENCY_PATH
        elif inner.role is Role.DEPENDENCY_TARGET:
            walk.has_dependency_target = True
        elif inner.role is Role.INCLUDE:
            walk.forced_includes.append(following)
        if has_next:
            written.append(following)
    walk.preprocess.append(b",".join(written))


def _listed_depfile(walk: Walk, word: bytes, path: bytes) -> None:
    if walk.listed_depfile is not None:
        walk.stop(Reason.UNKNOWN_OPTION, b"-Wp," + word)
    walk.listed_depfile = path


def _end_of_options(walk: Walk, _option: Option) -> None:
    walk.no_more_options = True


_HANDLERS: Final[dict[Role, Callable[[Walk, Option], None]]] = {
    Role.INCLUDE: _include,
    Role.STAGE: _stage,
    Role.OUTPUT: _output,
    Role.LANGUAGE: _language,
    Role.DEPENDENCIES: _dependencies,
    Role.DEPENDENCY_FILE: _dependency_file,
    Role.DEPENDENCY_TARGET: _dependency_target,
    Role.ARCHITECTURE: _architecture,
    Role.FOR_PREPROCESSOR: _preprocessor_word,
    Role.FOR_PREPROCESSOR_LIST: _preprocessor_list,
    Role.FOR_ASSEMBLER: _assembler,
    Role.FOR_ASSEMBLER_LIST: _assembler,
    Role.FOR_CLANG: _clang,
    Role.FOR_LLVM: _llvm,
    Role.END_OF_OPTIONS: _end_of_options,
    Role.LOCAL: _local,
}
