"""What a server makes of a command line in pump mode."""

import pytest

from fleetcc.command.serverpump import PumpCommand, pump_argv, understand_pump
from fleetcc.command.serverside import Refused


def command(*argv: bytes) -> PumpCommand:
    found = understand_pump(argv)
    assert isinstance(found, PumpCommand)
    return found


def run(*argv: bytes, root: bytes = b"") -> list[bytes]:
    return pump_argv(command(*argv), b"/bin/cc", b"/out.o", b"/out.d", root)


def test_words_keep_their_order_but_for_what_is_written():
    assert run(b"gcc", b"-Ia", b"-DX=1", b"-x", b"c", b"t.c", b"-c", b"-o", b"t.o", b"-iquote", b"/q") == [
        b"/bin/cc", b"-o", b"/out.o", b"-Ia", b"-DX=1", b"-x", b"c", b"t.c", b"-c", b"-iquote", b"/q",
    ]  # fmt: skip


def test_source_output_and_stage_are_known():
    facts = command(b"gcc", b"-S", b"d/t.c").facts
    assert (facts.source, facts.output, facts.stage) == (b"d/t.c", b"t.s", b"-S")


def test_what_follows_the_end_of_options_is_a_source():
    assert run(b"clang", b"-c", b"--", b"-t.c") == [b"/bin/cc", b"-o", b"/out.o", b"-c", b"--", b"-t.c"]


def test_an_object_without_its_option_is_the_output():
    assert run(b"gcc", b"-c", b"t.c", b"t.o") == [b"/bin/cc", b"-o", b"/out.o", b"-c", b"t.c"]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ((b"-MD", b"-MF", b"x.d", b"-MT", b"a", b"-MP"), [b"-MD", b"-MT", b"a", b"-MP"]),
        ((b"-MMD", b"-MFx.d", b"-MQ", b"a b"), [b"-MMD", b"-MQ", b"a b"]),
        ((b"-MD",), [b"-MQ", b"t.o", b"-MD"]),
        ((b"-MT", b"t.o"), [b"-MMD", b"-MT", b"t.o"]),
    ],
)
def test_a_dependency_file_is_written_where_the_server_wants_it(words, given):
    found = run(b"gcc", *words, b"-c", b"t.c", b"-o", b"t.o")
    assert found[:5] == [b"/bin/cc", b"-o", b"/out.o", b"-MF", b"/out.d"]
    assert found[5:] == [*given, b"-c", b"t.c"]


def test_without_dependency_options_there_is_no_dependency_file():
    assert not command(b"gcc", b"-c", b"t.c").wants_dependencies
    assert command(b"gcc", b"-c", b"t.c", b"-MT", b"t.o").wants_dependencies


def test_absolute_names_are_moved_below_a_root():
    assert run(
        b"gcc", b"-I/i", b"-I", b"/j", b"-Ik", b"-isystem/l", b"-include", b"/m.h", b"-iprefix", b"/n/",
        b"-iwithprefix", b"/o", b"--sysroot=/p", b"-ffile-prefix-map=/q=/r", b"-DP=/s", b"-c", b"/t.c",
        root=b"/R",
    ) == [
        b"/bin/cc", b"-ffile-prefix-map=/R=", b"-o", b"/out.o", b"-I/R/i", b"-I", b"/R/j", b"-Ik",
        b"-isystem/R/l",
        b"-include", b"/R/m.h", b"-iprefix", b"/R/n/", b"-iwithprefix", b"/o", b"--sysroot=/p",
        b"-ffile-prefix-map=/R/q=/r", b"-DP=/s", b"-c", b"/R/t.c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        (b"-wrapper", b"/bin/sh"),
        (b"-fplugin=x.so",),
        (b"-B/tmp",),
        (b"-specs=x",),
        (b"@x",),
        (b"-save-temps",),
        (b"-gsplit-dwarf",),
        (b"-fdump-tree-all",),
        (b"-march=native",),
        (b"-Wa,-adhln=x",),
        (b"-Wp,-MD,x",),
        (b"-MJ", b"x"),
        (b"-E",),
        (b"-M",),
        (b"--coverage",),
        (b"u.c",),
        (b"-MF",),
    ],
)
def test_what_could_harm_or_is_lost_is_refused(words):
    assert isinstance(understand_pump((b"gcc", b"-c", b"t.c", *words)), Refused)


@pytest.mark.parametrize("argv", [(), (b"",), (b"-c", b"t.c"), (b"gcc", b"t.c"), (b"gcc", b"-c")])
def test_what_is_no_compile_is_refused(argv):
    assert isinstance(understand_pump(argv), Refused)
