"""The two command lines of preprocessed mode."""

import shlex

from fleetcc.command.analysis import Compilation, analyze
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.model import Compiler, Family, Form

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"x86_64-linux-gnu-gcc-12")
CLANG = Compiler(Family.CLANG, (14, 0, 6), b"x86_64-linux-gnu", b"clang-14")


def accepted(line: str, compiler: Compiler = GCC) -> Compilation:
    argv = [word.encode() for word in shlex.split(line)]
    verdict = analyze(argv, compiler, {}, lambda _: None)
    assert isinstance(verdict, Compilation), verdict
    return verdict


def test_the_preprocessor_gets_everything_but_stage_and_output() -> None:
    found = accepted("gcc -DX -O2 -c src/a.c -o obj/a.o -Iinc")
    assert preprocess_argv(found, Form.EXPANDED) == b"gcc -DX -O2 -Iinc -E src/a.c".split()


def test_debug_information_takes_its_directory_along() -> None:
    found = accepted("gcc -g -c a.c")
    assert preprocess_argv(found, Form.EXPANDED) == b"gcc -g -fworking-directory -E a.c".split()
    assert preprocess_argv(found, Form.DIRECTIVES) == (
        b"gcc -g -fworking-directory -fdirectives-only -E a.c".split()
    )


def test_a_named_language_is_named_to_the_preprocessor_alone() -> None:
    found = accepted("gcc -x c++ -c odd.name")
    assert preprocess_argv(found, Form.EXPANDED) == b"gcc -x c++ -E odd.name".split()
    assert remote_argv(found, Form.EXPANDED, b"g") == b"g -c odd.ii -o odd.o".split()


def test_a_server_gets_base_names_and_one_source_word_last() -> None:
    found = accepted("gcc -DX -I i.c -O2 -Wall -c src/a.c -o obj/a.o -MD -MF d")
    assert remote_argv(found, Form.EXPANDED, b"gcc-12") == b"gcc-12 -O2 -Wall -c a.i -o a.o".split()


def test_the_directives_form_names_its_source_as_spelled() -> None:
    found = accepted("gcc -DX -g -c src/a.c -o obj/a.o")
    sent = remote_argv(found, Form.DIRECTIVES, b"gcc-12")
    assert sent == b"gcc-12 -g -c src/a.c -o a.o".split()


def test_clang_is_told_the_directory_unless_the_user_told_it() -> None:
    found = accepted("clang -g -c a.c", CLANG)
    assert b"-fdebug-compilation-dir=/here" in remote_argv(found, Form.EXPANDED, b"clang", b"/here")
    found = accepted("clang -g -fdebug-compilation-dir=. -c a.c", CLANG)
    assert b"-fdebug-compilation-dir=/here" not in remote_argv(found, Form.EXPANDED, b"clang", b"/here")
