"""Who is told that messages go to a terminal."""

import pytest

from fleetcc.command.colours import for_terminal

COMMAND = (b"gcc", b"-c", b"a.c")


def test_a_compiler_elsewhere_is_told() -> None:
    assert for_terminal(COMMAND, {b"TERM": b"xterm"}) == (b"gcc", b"-fdiagnostics-color=always", *COMMAND[1:])


@pytest.mark.parametrize("environment", [{}, {b"TERM": b"dumb"}, {b"TERM": b"vt", b"GCC_COLORS": b""},
                                         {b"TERM": b"vt", b"NO_COLOR": b"1"}])  # fmt: skip
def test_an_environment_without_colours_has_none(environment: dict[bytes, bytes]) -> None:
    assert for_terminal(COMMAND, environment) == COMMAND


@pytest.mark.parametrize("word", [b"-fdiagnostics-color=never", b"-fno-color-diagnostics",
                                  b"-fdiagnostics-format=json", b"-frecord-gcc-switches"])  # fmt: skip
def test_a_command_that_has_decided_is_left_alone(word: bytes) -> None:
    argv = (*COMMAND, word)
    assert for_terminal(argv, {b"TERM": b"xterm"}) == argv
