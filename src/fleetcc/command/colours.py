"""Colours of diagnostics: a compiler looks whether its stderr is a terminal; one elsewhere is told."""

from collections.abc import Mapping, Sequence
from typing import Final

# Takes part in no output but the messages; gcc and clang both know it.
_ALWAYS: Final = b"-fdiagnostics-color=always"
# Whoever says one of these has decided.
_DECIDING: Final = (
    b"-fdiagnostics-color", b"-fno-diagnostics-color", b"-fcolor-diagnostics",
    b"-fno-color-diagnostics", b"-fdiagnostics-format=", b"-fansi-escape-codes",
    # These record the command line in the object.
    b"-frecord-gcc-switches", b"-frecord-command-line", b"-grecord-command-line",
)  # fmt: skip


def for_terminal(argv: Sequence[bytes], environment: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """The command as a compiler must be told it that does not see the terminal its messages go to."""
    terminal = environment.get(b"TERM", b"dumb")
    if terminal == b"dumb" or environment.get(b"GCC_COLORS") == b"" or environment.get(b"NO_COLOR"):
        return tuple(argv)
    if any(word.startswith(_DECIDING) for word in argv):
        return tuple(argv)
    return (argv[0], _ALWAYS, *argv[1:])
