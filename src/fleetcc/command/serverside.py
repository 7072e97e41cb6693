"""What a server makes of a request's argv: one source to compile with options that harm nobody, or no.

The gate is an allow-list: an option that the tables do not know is refused, and so is every one that
could run a program, load code, or name a file to write. Knows nothing of the client's analysis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.directives import Prepared
from fleetcc.command.languages import kind_of, suffix_of
from fleetcc.command.names import parse_compiler_name
from fleetcc.command.options import ROWS, STAGES, Option, OptionTable, Role, takes_next
from fleetcc.command.outputs import derived_output
from fleetcc.command.passthrough import assembler_obstacle, clang_row, llvm_obstacle, preprocessor_row
from fleetcc.model import Family, Form, Language, Reason

_OTHER_COMPILER_NAMES: Final = frozenset({b"c89-gcc", b"c99-gcc"})

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


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """One compile that a server may run."""

    compiler: bytes
    arguments: tuple[bytes, ...]  # options without source, output, stage and language
    stage: bytes  # -c or -S
    source: bytes  # the client's word
    output: bytes  # the client's word, or as a compiler derives it
    language: Language
    suffix: bytes  # for the temporary input, whose stem should be the client's
    form: Form


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a server does not run this."""

    sentence: str


def is_compiler_name(name: bytes) -> bool:
    """Is this a bare gcc or clang driver's name, with any target prefix and version suffix?"""
    return name in _OTHER_COMPILER_NAMES or parse_compiler_name(name) is not None


def understand(argv: Sequence[bytes], form: Form = Form.EXPANDED) -> ServerCommand | Refused:
    """Find source, output and stage as distccd does, and check every other word."""
    if not argv or not argv[0] or argv[0][:1] == b"-":
        return Refused("no compiler where argv[0] was expected")
    check = _Check(form)
    try:
        check.run(argv[1:])
        return check.command(argv[0])
    except _NotServedError as error:
        return Refused(error.args[0])


def server_argv(
    command: ServerCommand,
    program: bytes,
    input_path: bytes,
    output_path: bytes,
    prepared: Prepared | None = None,
) -> list[bytes]:
    """The command line to run; a prepared source needs an absolute path in the working directory."""
    argv = [program, *command.arguments]
    if prepared is not None:
        folder = input_path.rpartition(b"/")[0]
        maps = _prefix_maps(command.arguments)
        argv += (
            b"-nostdinc",
            b"-fdebug-prefix-map=" + folder + b"=" + _remap(prepared.directory, maps),
            # The compiler takes the last map that matches, so the file's own comes after its folder's.
            b"-fdebug-prefix-map=" + input_path + b"=" + _remap(prepared.name, maps),
        )
    argv += (command.stage, input_path, b"-o", output_path)
    return argv


def _prefix_maps(arguments: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    maps = []
    for word in arguments:
        if word.startswith((b"-fdebug-prefix-map=", b"-ffile-prefix-map=")):
            old, _, new = word.partition(b"=")[2].rpartition(b"=")
            maps.append((old, new))
    return maps


def _remap(path: bytes, maps: Sequence[tuple[bytes, bytes]]) -> bytes:
    """What the client's own maps make of a path: the last one that matches counts."""
    for old, new in reversed(maps):
        if path.startswith(old):
            return new + path[len(old) :]
    return path


class _NotServedError(Exception):
    """Carries the sentence."""


class _Check:
    """One walk over a request's words."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.arguments: list[bytes] = []
        self.stages: list[bytes] = []
        self.sources: list[tuple[bytes, bytes | None]] = []
        self.output: bytes | None = None
        self.language: bytes | None = None
        self.architectures = 0
        self.clang_value = False
        self.no_more_options = False

    def run(self, words: Sequence[bytes]) -> None:
        """Check all words; raises _NotServedError."""
        rest = iter(words)
        for word in rest:
            if self.no_more_options or word[:1] != b"-" or word == b"-":
                self._plain_word(word)
                continue
            row = _TABLE.find(word)
            if row is None:
                raise _NotServedError(f"option {word!r} is not one that this server knows")
            value: bytes | None = word[len(row.name) :]
            spelled: tuple[bytes, ...] = (word,)
            if takes_next(row, word):
                value = next(rest, None)
                if value is None:
                    raise _NotServedError(f"option {word!r} lacks its value")
                spelled = (word, value)
            assert value is not None
            _RULES[row.role](self, Option(row, spelled, value))

    def command(self, compiler: bytes) -> ServerCommand:
        """What the words amount to; raises _NotServedError."""
        if not self.stages:
            raise _NotServedError("neither -c nor -S, so this is no compile")
        if len(self.sources) != 1:
            raise _NotServedError(f"{len(self.sources)} sources where one was expected")
        source, named = self.sources[0]
        kind = kind_of(source, named, cxx_driver=b"++" in compiler)
        if isinstance(kind, Reason):
            raise _NotServedError(f"{source!r}: {kind.text}")
        stage = b"-S" if b"-S" in self.stages else b"-c"
        if self.form is Form.DIRECTIVES and (kind.preprocessed or named is not None):
            raise _NotServedError(f"{source!r} cannot be of the directives form")
        return ServerCommand(
            compiler=compiler,
            arguments=tuple(self.arguments),
            stage=stage,
            source=source,
            output=self.output if self.output is not None else derived_output(source, stage),
            language=kind.language,
            # The base name of an unexpanded source can enter the object (_GLOBAL__sub_I_name.cpp).
            suffix=suffix_of(source) if self.form is Form.DIRECTIVES else kind.language.value.encode(),
            form=self.form,
        )

    def _plain_word(self, word: bytes) -> None:
        if word.endswith(b".o") and self.output is None:
            # Old clients may name the object without -o before it (distcc-compat.md 5.2).
            self.output = word
        elif word[:1] == b"@":
            raise _NotServedError(f"response file {word!r}")
        else:
            self.sources.append((word, self.language))


# -- one rule per role


def _keep(check: _Check, option: Option) -> None:
    names_a_file = b"/" in option.value and option.row.name in {b"-f", b"-m"}
    if names_a_file and not option.spelled[0].startswith(_TEXT_VALUES):
        raise _NotServedError(f"option {option.spelled[0]!r} names a file")
    check.arguments += option.spelled


def _keep_for_preprocessed(check: _Check, option: Option) -> None:
    # Without effect on preprocessed text; a source would obey.
    if check.form is not Form.EXPANDED and option.row.name != b"-fmacro-prefix-map=":
        raise _NotServedError(f"option {option.spelled[0]!r} in a job of the directives form")
    check.arguments += option.spelled


def _stage(check: _Check, option: Option) -> None:
    check.stages.append(STAGES[option.row.name])


def _output(check: _Check, option: Option) -> None:
    if check.output is not None or option.value in {b"", b"-"}:
        raise _NotServedError(f"output {option.value!r}")
    check.output = option.value


def _language(check: _Check, option: Option) -> None:
    check.language = None if option.value == b"none" else option.value


def _architecture(check: _Check, option: Option) -> None:
    check.architectures += 1
    if check.architectures > 1:
        raise _NotServedError(Reason.SEVERAL_ARCHITECTURES.text)
    check.arguments += option.spelled


def _assembler(check: _Check, option: Option) -> None:
    words = option.value.split(b",") if option.row.role is Role.FOR_ASSEMBLER_LIST else [option.value]
    for word in words:
        if assembler_obstacle(word) is not None:
            raise _NotServedError(f"assembler option {word!r}")
    check.arguments += option.spelled


def _preprocessor(check: _Check, option: Option) -> None:
    inner = preprocessor_row(option.value, Family.CLANG)
    if inner.role is not Role.PREPROCESS or takes_next(inner, option.value):
        raise _NotServedError(f"preprocessor option {option.value!r}")
    _keep_for_preprocessed(check, option)


def _clang(check: _Check, option: Option) -> None:
    if check.clang_value:
        check.clang_value = False
        if option.value == b"native" or b"/" in option.value:
            raise _NotServedError(f"clang option value {option.value!r}")
    else:
        inner = clang_row(option.value)
        if inner.role is not Role.BOTH or b"/" in option.value:
            raise _NotServedError(f"clang option {option.value!r}")
        check.clang_value = takes_next(inner, option.value)
    check.arguments += option.spelled


def _llvm(check: _Check, option: Option) -> None:
    if llvm_obstacle(option.value) is not None:
        raise _NotServedError(f"LLVM option {option.value!r}")
    check.arguments += option.spelled


def _end_of_options(check: _Check, _option: Option) -> None:
    check.no_more_options = True


def _refuse(check: _Check, option: Option) -> None:
    if option.row.reason in _HARMLESS or option.spelled[0] in _HARMLESS_WORDS:
        check.arguments += option.spelled
        return
    text = option.row.reason.text if option.row.reason is not None else "writes dependencies"
    raise _NotServedError(f"option {option.spelled[0]!r}: {text}")


_RULES: Final[dict[Role, Callable[[_Check, Option], None]]] = {
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
