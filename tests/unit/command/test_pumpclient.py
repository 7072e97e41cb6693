"""What is sent to a stock distccd in pump mode."""

import pytest

from fleetcc.command.analysis import Compilation, analyze
from fleetcc.command.pumpclient import PumpTerms, pump_terms, pump_words
from fleetcc.model import Compiler, Family


def sent(*words: bytes, output: bytes = b"t.o", family: Family = Family.GCC) -> tuple[bytes, ...] | None:
    return pump_words((b"gcc", *words), b"gcc-12", output, family)


def test_words_stay_and_the_output_comes_last():
    assert sent(b"-Ia", b"-DX", b"-iquote", b"b", b"-c", b"t.c", b"-o", b"x.o", output=b"x.o") == (
        b"gcc-12", b"-Ia", b"-DX", b"-iquote", b"b", b"-c", b"t.c", b"-o", b"x.o",
    )  # fmt: skip


def test_a_stage_is_spelled_as_distccd_knows_it():
    assert sent(b"--compile", b"t.c") == (b"gcc-12", b"-c", b"t.c", b"-o", b"t.o")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((b"-MD", b"-MF", b"x.d"), (b"-MD", b"-c", b"t.c", b"-MQt.o")),
        ((b"-MMD", b"-MFx.d", b"-MP"), (b"-MMD", b"-MP", b"-c", b"t.c", b"-MQt.o")),
        ((b"-MD", b"-MT", b"a", b"-MQ", b"b"), (b"-MD", b"-MTa", b"-MQb", b"-c", b"t.c")),
        ((b"-Wp,-MMD,x.d",), (b"-MMD", b"-c", b"t.c", b"-MQt.o")),
        ((b"-Wp,-DX,-UY",), (b"-DX", b"-UY", b"-c", b"t.c")),
        ((b"-Wp,-MD,x.d,-MT,a",), (b"-MD", b"-MTa", b"-c", b"t.c")),
    ],
)
def test_dependency_options_are_such_that_the_rule_is_right(words, expected):
    assert sent(*words, b"-c", b"t.c") == (b"gcc-12", *expected, b"-o", b"t.o")


def test_the_preprocessors_own_rule_is_for_an_object_in_the_working_directory():
    assert sent(b"-Wp,-MD,x.d", b"-c", b"d/t.c", b"-o", b"o/u.o", output=b"o/u.o") == (
        b"gcc-12", b"-MD", b"-c", b"d/t.c", b"-MQt.o", b"-o", b"o/u.o",
    )  # fmt: skip


def test_a_value_that_looks_like_a_source_is_joined_to_its_option():
    assert sent(b"-D", b"x.c", b"-I", b"d.o", b"-c", b"t.c") == (
        b"gcc-12", b"-Dx.c", b"-Id.o", b"-c", b"t.c", b"-o", b"t.o",
    )  # fmt: skip


@pytest.mark.parametrize("words", [(b"--include", b"x.c"), (b"-MF",), (b"-I",)])
def test_what_distccd_would_misread_is_not_sent(words):
    assert sent(b"-c", b"t.c", *words) is None


def test_an_option_of_clang_keeps_its_value():
    assert sent(b"-target", b"x86_64", b"-c", b"t.c", family=Family.CLANG) == (
        b"gcc-12", b"-target", b"x86_64", b"-c", b"t.c", b"-o", b"t.o",
    )  # fmt: skip


# -- which commands may go


def terms(line: str, family: Family = Family.GCC, variable: bytes = b"X") -> PumpTerms | None:
    argv = line.encode().split()
    compiler = Compiler(family, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
    compilation = analyze(argv, compiler, {}, lambda _: None)
    assert isinstance(compilation, Compilation), compilation
    return pump_terms(compilation, argv[1:], {variable: b""})


@pytest.mark.parametrize(
    "line",
    [
        "gcc -O2 -Wall -std=c11 -fPIC -DX=1 -U Y -Ia -I /b -iquote c -include d.h -MMD -MP -MT x -c t.c -o o",
        "gcc -Wp,-MD,x.d -Wa,--noexecstack -pthread -nostdinc -S t.c",
        "gcc -g -g0 -ffile-prefix-map=/a=b -c t.c++",
    ],
)
def test_ordinary_commands_may_go(line):
    assert terms(line) is not None


@pytest.mark.parametrize(
    "line",
    [
        "gcc -g -c t.c",
        "gcc -c t.i",
        "gcc -x c -c t.c",
        "gcc -c t.m",
        "gcc -c t.CPP",
        "gcc --sysroot=/x -c t.c",
        "gcc -isysroot /x -c t.c",
        "gcc -isystem rel -c t.c",
        "gcc -idirafter rel -c t.c",
        "gcc --include-directory=/x -c t.c",
        "gcc -iprefix /x -iwithprefix y -c t.c",
        "gcc -MMD -MG -c t.c",
        "gcc -Xpreprocessor -DX -c t.c",
        "gcc -Wa,-mrelax-relocations=no -c t.c",
        "gcc -fsanitize=thread -c t.c",
        "gcc -DT=__TIMESTAMP__ -c t.c",
        "gcc -Wp,-DT=__DATE__ -c t.c",
    ],
)
def test_what_a_host_would_see_otherwise_may_not_go(line):
    assert terms(line) is None


def test_clangs_inner_words_may_not_go():
    assert terms("clang -O2 -c t.c", Family.CLANG) is not None
    assert terms("clang -Xclang -fno-validate-pch -c t.c", Family.CLANG) is None


@pytest.mark.parametrize("name", [b"CPATH", b"C_INCLUDE_PATH", b"CPLUS_INCLUDE_PATH"])
def test_variables_with_directories_keep_a_job_from_it(name):
    assert terms("gcc -c t.c", variable=name) is None


def test_the_users_directories_are_told_from_the_compilers_own():
    found = terms("gcc -m32 -Ia -isystem /b -nostdinc -idirafter/c -iquote d -std=c99 -c t.c")
    assert found == PumpTerms((b"/b", b"/c"), (b"-m32", b"-nostdinc", b"-std=c99", b"-c"))


def test_without_an_output_the_rule_is_for_an_object_whatever_the_stage():
    assert sent(b"-MD", b"-S", b"d/t.c", output=b"t.s") == (
        b"gcc-12", b"-MD", b"-S", b"d/t.c", b"-MQt.o", b"-o", b"t.s",
    )  # fmt: skip
