"""One walk over the words of a request, with a rule for each role: what a server takes, and what it refuses.

The gate is an allow-list: an option that the tables do not know is refused, and so is every one that
could run a program, load code, or name a file to write.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from fleetcc.command.options import ROWS, STAGES, Option, OptionTable, Role, takes_next
from fleetcc.command.passthrough import assembler_obstacle, clang_row, llvm_obstacle, preprocessor_row
from fleetcc.model import Family, Form, Reason

# A server learns the family only when it runs the compiler, so it knows the options of both.
_TABLE: Final = OptionTable((*ROWS[Family.CLANG], *ROWS[Family.GCC]))

# Reasons to stay that matter to the client alone: nothing is written, run or read.
_HARMLESS: Final = frozenset(
    {Reason.SOURCE_NEEDED, Reason.NO_LINE_MARKERS, Reason.RECORDS_COMMAND, Reason.LINK_TIME}
)
_HARMLESS_WORDS: Final = frozenset({b"-v", b"-Q", b"-time"})

# Options whose value may look like a path, because it is only text.
_TEXT_VALUES: Final = (
    b"-fdebug-prefix-map=", b"-ffile-prefix-map=", b"-fmacro-prefix-map=", b"-fcoverage-prefix-map=",
    b"-fdebug-compilation-dir=", b"-ffile-compilation-dir=", b"-frandom-seed=", b"-fdebug-default-version=",
)  # fmt: skip


class NotServedError(Exception):
    """Carries the sentence."""


class Walk:
    """One walk over a request's words."""

    def __init__(self, form: Form, rules: "Rules") -> None:
        self.form = form
        self.words: list[
            Option | bytes
        ] = []  # everything that a compiler shall be told, in the client's order
        self.arguments: list[bytes] = []
        self.stages: list[bytes] = []
        self.sources: list[tuple[bytes, bytes | None]] = []
        self.output: bytes | None = None
        self.language: bytes | None = None
        self.architectures = 0
        self.clang_value = False
        self.no_more_options = False
        self._rules = rules

    def run(self, words: Sequence[bytes]) -> None:
        """Check all words; raises NotServedError."""
        rest = iter(words)
        for word in rest:
            if self.no_more_options or word[:1] != b"-" or word == b"-":
                self._plain_word(word)
                continue
            row = _TABLE.find(word)
            if row is None:
                raise NotServedError(f"option {word!r} is not one that this server knows")
            value: bytes | None = word[len(row.name) :]
            spelled: tuple[bytes, ...] = (word,)
            if takes_next(row, word):
                value = next(rest, None)
                if value is None:
                    raise NotServedError(f"option {word!r} lacks its value")
                spelled = (word, value)
            assert value is not None
            option = Option(row, spelled, value)
            self._rules[row.role](self, option)
            self.words.append(option)

    def _plain_word(self, word: bytes) -> None:
        if word.endswith(b".o") and self.output is None:
            # Old clients may name the object without -o before it (distcc-compat.md 5.2).
            self.output = word
        elif word[:1] == b"@":
            raise NotServedError(f"response file {word!r}")
        else:
            self.sources.append((word, self.language))
            self.words.append(word)


# -- one rule per role


def _keep(walk: Walk, option: Option) -> None:
    names_a_file = b"/" in option.value and option.row.name in {b"-f", b"-m"}
    if names_a_file and not option.spelled[0].startswith(_TEXT_VALUES):
        raise NotServedError(f"option {option.spelled[0]!r} names a file")
    walk.arguments += option.spelled


def _keep_for_preprocessed(walk: Walk, option: Option) -> None:
    # Without effect on preprocessed text; a source would obey.
    if walk.form is not Form.EXPANDED and option.row.name != b"-fmacro-prefix-map=":
        raise NotServedError(f"option {option.spelled[0]!r} in a job of the directives form")
    walk.arguments += option.spelled


def _stage(walk: Walk, option: Option) -> None:
    walk.stages.append(STAGES[option.row.name])


def _output(walk: Walk, option: Option) -> None:
    if walk.output is not None or option.value in {b"", b"-"}:
        raise NotServedError(f"output {option.value!r}")
    walk.output = option.value


def _language(walk: Walk, option: Option) -> None:
    walk.language = None if option.value == b"none" else option.value


def _architecture(walk: Walk, option: Option) -> None:
    walk.architectures += 1
    if walk.architectures > 1:
        raise NotServedError(Reason.SEVERAL_ARCHITECTURES.text)
    walk.arguments += option.spelled


def _assembler(walk: Walk, option: Option) -> None:
    words = option.value.split(b",") if option.row.role is Role.FOR_ASSEMBLER_LIST else [option.value]
    for word in words:
        if assembler_obstacle(word) is not None:
            raise NotServedError(f"assembler option {word!r}")
    walk.arguments += option.spelled


def _preprocessor(walk: Walk, option: Option) -> None:
    inner = preprocessor_row(option.value, Family.CLANG)
    if inner.role is not Role.PREPROCESS or takes_next(inner, option.value):
        raise NotServedError(f"preprocessor option {option.value!r}")
    _keep_for_preprocessed(walk, option)


def _clang(walk: Walk, option: Option) -> None:
    if walk.clang_value:
        walk.clang_value = False
        if option.value == b"native" or b"/" in option.value:
            raise NotServedError(f"clang option value {option.value!r}")
    else:
        inner = clang_row(option.value)
        if inner.role is not Role.BOTH or b"/" in option.value:
            raise NotServedError(f"clang option {option.value!r}")
        walk.clang_value = takes_next(inner, option.value)
    walk.arguments += option.spelled


def _llvm(walk: Walk, option: Option) -> None:
    if llvm_obstacle(option.value) is not None:
        raise NotServedError(f"LLVM option {option.value!r}")
    walk.arguments += option.spelled


def _end_of_options(walk: Walk, _option: Option) -> None:
    walk.no_more_options = True


def _refuse(walk: Walk, option: Option) -> None:
    if option.row.reason in _HARMLESS or option.spelled[0] in _HARMLESS_WORDS:
        walk.arguments += option.spelled
        return
    text = option.row.reason.text if option.row.reason is not None else "writes dependencies"
    raise NotServedError(f"option {option.spelled[0]!r}: {text}")


Rule: TypeAlias = Callable[[Walk, Option], None]
Rules: TypeAlias = Mapping[Role, Rule]

RULES: Final[Rules] = {
    Role.BOTH: _keep,
    Role.PREPROCESS: _keep_for_preprocessed,
    Role.INCLUDE: _keep_for_preprocessed,
    Role.STAGE: _stage,
    Role.OUTPUT: _output,
    Role.LANGUAGE: _language,
    Role.ARCHITECTURE: _architecture,
    Role.FOR_ASSEMBLER: _assembler,
    Role.FOR_ASSEMBLER_LIST: _assembler,
    Role.FOR_PREPROCESSOR: _preprocessor,
    Role.FOR_PREPROCESSOR_LIST: _refuse,
    Role.FOR_CLANG: _clang,
    Role.FOR_LLVM: _llvm,
    Role.DEPENDENCIES: _refuse,
    Role.DEPENDENCY_FILE: _refuse,
    Role.DEPENDENCY_TARGET: _refuse,
    Role.END_OF_OPTIONS: _end_of_options,
    Role.LOCAL: _refuse,
}
