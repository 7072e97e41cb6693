"""What the options mean that the driver hands to another program: -Wp, -Wa, -Xclang, -mllvm.

Such words bypass the driver's own checks, so only those that are listed travel; the rest stays here.
"""

from typing import Final

from fleetcc.command.options import TABLES, Role, Row, Shape
from fleetcc.model import Family, Reason

# -- assembler

# Words that change nothing but the code: no listing, no file, no debug information of the temporary source.
_ASSEMBLER_WORDS: Final = frozenset(
    {
        b"--32", b"--64", b"--divide", b"--execstack", b"--fatal-warnings", b"--keep-locals",
        b"--no-pad-sections", b"--no-warn", b"--noexecstack", b"--nocompress-debug-sections",
        b"--reduce-memory-overheads", b"--warn", b"--x32", b"-L", b"-W", b"-Z", b"-mbig-obj",
    }
)  # fmt: skip
_ASSEMBLER_BEGINNINGS: Final = (
    b"--compress-debug-sections", b"--elf-stt-common=", b"--generate-missing-build-notes=", b"--hash-size=",
    b"--size-check=", b"-m",
)  # fmt: skip


def assembler_obstacle(word: bytes) -> Reason | None:
    """Why one assembler option cannot travel; None when it can."""
    if word in _ASSEMBLER_WORDS:
        return None
    if word.endswith(b"=native"):
        return Reason.NATIVE_CPU
    if word.startswith(_ASSEMBLER_BEGINNINGS):
        return None
    if word.startswith((b"-a", b"--MD", b"--listing")):
        return Reason.LISTING
    return Reason.UNKNOWN_OPTION


# -- clang -cc1

_CLANG_WORDS: Final = frozenset(
    {
        b"-disable-O0-optnone", b"-disable-lifetime-markers", b"-disable-llvm-passes",
        b"-disable-llvm-verifier", b"-mrelax-all", b"-no-opaque-pointers", b"-opaque-pointers",
        b"-no-struct-path-tbaa",
    }
)  # fmt: skip
_CLANG_SEPARATE: Final = frozenset({b"-target-feature", b"-target-cpu", b"-tune-cpu"})
_CLANG_PLUGINS: Final = (b"-load", b"-plugin", b"-add-plugin")

_KEEP: Final = Row(b"", Shape.WHOLE, Role.BOTH)
_KEEP_SEPARATE: Final = Row(b"", Shape.SEPARATE, Role.BOTH)
_PLUGIN: Final = Row(b"", Shape.WHOLE, Role.LOCAL, Reason.PLUGIN)
_UNKNOWN: Final = Row(b"", Shape.WHOLE, Role.LOCAL, Reason.UNKNOWN_OPTION)


def clang_row(word: bytes) -> Row:
    """The meaning of WORD in `-Xclang WORD`: BOTH, PREPROCESS, INCLUDE or LOCAL."""
    if word in _CLANG_WORDS:
        return _KEEP
    if word in _CLANG_SEPARATE:
        return _KEEP_SEPARATE
    if word.startswith(_CLANG_PLUGINS):
        return _PLUGIN
    row = TABLES[Family.CLANG].find(word)
    if row is None or row.role not in {Role.BOTH, Role.PREPROCESS, Role.INCLUDE, Role.LOCAL}:
        return _UNKNOWN
    return row


# -- LLVM

_LLVM_HAZARDS: Final = (b"/", b"file", b"output", b"load", b"profile", b"dump", b"view", b"stats", b"print")


def llvm_obstacle(word: bytes) -> Reason | None:
    """Why WORD in `-mllvm WORD` cannot travel: it names files or prints."""
    if any(hazard in word for hazard in _LLVM_HAZARDS):
        return Reason.SIDE_OUTPUT
    return None if word.startswith(b"-") else Reason.UNKNOWN_OPTION


# -- preprocessor

# What cc1 itself takes: -MD and -MMD have their file as next word there.
_PREPROCESSOR_ROWS: Final = {
    b"-MD": Row(b"-MD", Shape.SEPARATE, Role.DEPENDENCY_FILE),
    b"-MMD": Row(b"-MMD", Shape.SEPARATE, Role.DEPENDENCY_FILE),
    b"-MF": Row(b"-MF", Shape.SEPARATE, Role.LOCAL, Reason.UNKNOWN_OPTION),
    b"-MT": Row(b"-MT", Shape.SEPARATE, Role.DEPENDENCY_TARGET),
    b"-MQ": Row(b"-MQ", Shape.SEPARATE, Role.DEPENDENCY_TARGET),
    b"-P": Row(b"-P", Shape.WHOLE, Role.LOCAL, Reason.NO_LINE_MARKERS),
}


def preprocessor_row(word: bytes, family: Family) -> Row:
    """The meaning of one word of -Wp, or -Xpreprocessor.

    PREPROCESS, INCLUDE, DEPENDENCY_FILE, DEPENDENCY_TARGET or LOCAL: other options would have to reach
    the remote compiler as well, which has no preprocessor to hand them to.
    """
    row = _PREPROCESSOR_ROWS.get(word)
    if row is not None:
        return row
    row = TABLES[family].find(word)
    return row if row is not None and row.role in _PREPROCESSOR_ROLES else _UNKNOWN


_PREPROCESSOR_ROLES: Final = frozenset({Role.PREPROCESS, Role.INCLUDE, Role.DEPENDENCY_TARGET, Role.LOCAL})
