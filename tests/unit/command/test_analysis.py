"""What a command line is taken for, where no compiler is needed to know."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.command.analysis import Compilation, Depfile, LocalOnly, analyze
from fleetcc.model import Compiler, Family, Form, Language, Reason

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"x86_64-linux-gnu-gcc-12")
OLD_GCC = Compiler(Family.GCC, (10, 2, 1), b"x86_64-linux-gnu", b"gcc-10")
CLANG = Compiler(Family.CLANG, (14, 0, 6), b"x86_64-linux-gnu", b"clang-14")


def judge(line: str, compiler: Compiler = GCC, *variables: bytes) -> Compilation | LocalOnly:
    argv = [word.encode() for word in shlex.split(line)]
    return analyze(argv, compiler, dict.fromkeys(variables, b"x"), lambda _: None)


def accepted(line: str, compiler: Compiler = GCC) -> Compilation:
    verdict = judge(line, compiler)
    assert isinstance(verdict, Compilation), verdict
    return verdict


def test_a_plain_compile_is_taken_apart() -> None:
    found = accepted("gcc -O2 -Iinc -MD -c src/a.c -o obj/a.o")
    assert found.source == b"src/a.c"
    assert found.output == b"obj/a.o"
    assert found.stage == b"-c"
    assert found.language is Language.C
    assert found.depfile == Depfile(b"obj/a.d")
    assert found.compile_options == (b"-O2",)
    assert found.preprocess_options == (
        b"-O2", b"-Iinc", b"-MD", b"-MF", b"/dev/fd/3", b"-MQ", b"obj/a.o",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "compiler", "exact", "approximate"),
    [
        ("gcc -c a.c", GCC, (Form.EXPANDED,), ()),
        ("gcc -Wall -c a.c", GCC, (Form.DIRECTIVES, Form.EXPANDED), ()),
        ("gcc -Wall -c a.c", OLD_GCC, (Form.EXPANDED,), ()),
        ("gcc -g -c a.c", GCC, (Form.DIRECTIVES,), (Form.EXPANDED,)),
        ("gcc -g -c a.c", OLD_GCC, (), (Form.EXPANDED,)),
        ("clang -g -c a.c", CLANG, (), (Form.EXPANDED,)),
        ("gcc -g -g0 -c a.c", GCC, (Form.EXPANDED,), ()),
        ("gcc -g0 -g -c a.c", GCC, (Form.DIRECTIVES,), (Form.EXPANDED,)),
        ("gcc -g -fopenmp -c a.c", GCC, (), (Form.EXPANDED,)),
        ("gcc -g -c a.i", GCC, (Form.EXPANDED,), ()),
        ("gcc -fsanitize=undefined -c a.c", GCC, (Form.DIRECTIVES,), (Form.EXPANDED,)),
        ("gcc -fsanitize=address -fno-sanitize=all -c a.c", GCC, (Form.EXPANDED,), ()),
    ],
)
def test_the_forms_keep_the_bytes(
    line: str, compiler: Compiler, exact: tuple[Form, ...], approximate: tuple[Form, ...]
) -> None:
    found = accepted(line, compiler)
    assert (found.exact_forms, found.approximate_forms) == (exact, approximate)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gcc -c a.c -o x.o -o y.o", Reason.UNKNOWN_OPTION),
        ("gcc -Wp,-MFx -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -Wp,-MD,x -MD -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -MD -Wp,-MD,x -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -Wp,-fno-such -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -Wp,-MD -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -Xpreprocessor -MD -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -Xpreprocessor -P -c a.c", Reason.NO_LINE_MARKERS),
        ("gcc -Xassembler -alh -c a.c", Reason.LISTING),
        ("gcc -Wa,-march=native -c a.c", Reason.NATIVE_CPU),
        ("gcc -Wa,-I,x -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc --param x.c -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -c a.c -fplugin=x -E", Reason.PREPROCESS_ONLY),
        ("gcc -fplugin=x a.o -o a", Reason.LINKING),
        ("gcc -c a.c -MD -MF /dev/null", Reason.STDOUT_OUTPUT),
        ("gcc -c dir/", Reason.UNKNOWN_LANGUAGE),
        ("gcc -c .c", Reason.UNKNOWN_LANGUAGE),
        ("gcc -c a.cppm", Reason.MODULES),
        ("gcc -c tmp.conftest.c", Reason.CONFIGURE_PROBE),
        ("gcc -c dir/conftest.cpp", Reason.CONFIGURE_PROBE),
    ],
)
def test_what_cannot_travel_says_why(line: str, reason: Reason) -> None:
    verdict = judge(line)
    assert isinstance(verdict, LocalOnly), verdict
    assert verdict.reason is reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("clang -Xclang -plugin -Xclang x -c a.c", Reason.PLUGIN),
        ("clang -Xclang -emit-pch -c a.c", Reason.UNKNOWN_OPTION),
        ("clang -Xclang -target-cpu -Xclang native -c a.c", Reason.NATIVE_CPU),
        ("clang -Xclang -include-pch -Xclang x.pch -c a.c", Reason.PRECOMPILED_HEADER),
        ("clang -mllvm -load=x.so -c a.c", Reason.SIDE_OUTPUT),
        ("clang -mllvm=-x -c a.c", Reason.UNKNOWN_OPTION),
        ("clang -c -- -a.c", Reason.UNKNOWN_LANGUAGE),
        ("clang -c a.m", Reason.UNKNOWN_LANGUAGE),
    ],
)
def test_what_cannot_travel_with_clang_says_why(line: str, reason: Reason) -> None:
    verdict = judge(line, CLANG)
    assert isinstance(verdict, LocalOnly), verdict
    assert verdict.reason is reason


def test_an_unknown_compiler_stays() -> None:
    assert judge("tcc -c a.c", Compiler(Family.UNKNOWN, (), b"", None)) == LocalOnly(
        Reason.UNKNOWN_COMPILER, b"tcc"
    )


@pytest.mark.parametrize("name", [b"DEPENDENCIES_OUTPUT", b"SUNPRO_DEPENDENCIES"])
def test_dependencies_asked_by_the_environment_stay(name: bytes) -> None:
    verdict = judge("gcc -c a.c", GCC, name)
    assert verdict == LocalOnly(Reason.DEPENDENCY_ENVIRONMENT, name)


def test_forced_includes_are_named_however_they_are_given() -> None:
    assert accepted("gcc -include a.h -includeb.h --include=c.h -c a.c").forced_includes == (
        b"a.h", b"b.h", b"c.h",
    )  # fmt: skip
    found = accepted("clang -Xclang -include -Xclang d.h -c a.c", CLANG)
    assert found.forced_includes == (b"d.h",)
    assert found.compile_options == ()


def test_response_files_that_include_each_other_stay() -> None:
    verdict = analyze([b"gcc", b"@x"], GCC, {}, {b"x": b"@x @x"}.get)
    assert isinstance(verdict, LocalOnly)
    assert verdict.reason is Reason.RESPONSE_FILE


WORDS = st.sampled_from(
    b"-c -S -o -x c++ a.c b.i -MD -MF -Wp, -Wp,-MD, -Xclang -include -g - -- @f -I -D X -E -arch "
    b"-Wa,-a -mllvm -fplugin=x -std= -W".split(b" ")
)


@given(st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=12), st.sampled_from([GCC, CLANG]))
def test_any_words_get_a_verdict(words: list[bytes], compiler: Compiler) -> None:
    verdict = analyze([b"cc", *words], compiler, {}, {b"f": b"-c a.c"}.get)
    if isinstance(verdict, Compilation):
        assert verdict.exact_forms or verdict.approximate_forms
        assert verdict.source in verdict.argv
    else:
        assert verdict.reason
