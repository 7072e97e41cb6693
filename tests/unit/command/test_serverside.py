"""The server's gate: what it runs, and that it cannot be talked round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.command.directives import Prepared
from fleetcc.command.serverside import Refused, ServerCommand, is_compiler_name, server_argv, understand
from fleetcc.model import Form, Language


def accepted(line: str, form: Form = Form.EXPANDED) -> ServerCommand:
    command = understand(line.encode().split(), form)
    assert isinstance(command, ServerCommand), command
    return command


def test_a_preprocessed_compile_is_understood() -> None:
    command = accepted("gcc -O2 -Wall -c a.i -o a.o")
    assert (command.compiler, command.source, command.output) == (b"gcc", b"a.i", b"a.o")
    assert (command.language, command.suffix, command.form) == (Language.C, b"i", Form.EXPANDED)
    assert (
        server_argv(command, b"/usr/bin/gcc", b"t.i", b"o") == b"/usr/bin/gcc -O2 -Wall -c t.i -o o".split()
    )


@pytest.mark.parametrize(
    ("source", "suffix"),
    [("a.c", b"i"), ("a.cc", b"ii"), ("a.cpp", b"ii"), ("a.m", b"mi"), ("a.mm", b"mii"), ("a.ii", b"ii")],
)
def test_a_stock_client_names_its_source_and_sends_it_preprocessed(source: str, suffix: bytes) -> None:
    assert accepted(f"gcc -c {source} -o a.o").suffix == suffix


def test_a_missing_output_is_derived() -> None:
    assert accepted("gcc -c dir/a.c").output == b"a.o"
    assert accepted("gcc -S dir/a.c").output == b"a.s"


def test_words_that_stock_clients_keep_are_let_pass() -> None:
    accepted("gcc -iquote x -isysroot / --sysroot=/ -includeh.h -imacrosm.h -idirafterx -c a.c -o a.o")
    accepted("clang -target x86_64-pc-linux-gnu -framework Cocoa -Xlinker -s -nostdlib -c a.c -o a.o")
    accepted("gcc -P -std=c99 -pthread -pipe -fPIC -m64 -g -Os -c a.c -o a.o")


def test_an_unexpanded_source_keeps_its_suffix_and_gets_the_clients_names() -> None:
    command = accepted("g++ -g -c src/a.cpp -o a.o", Form.DIRECTIVES)
    assert (command.form, command.suffix) == (Form.DIRECTIVES, b"cpp")
    argv = server_argv(
        command, b"/usr/bin/g++", b"/job/a.cpp", b"o", Prepared(b"", b"src/a.cpp", b"/home/me")
    )
    assert argv == [
        b"/usr/bin/g++", b"-g", b"-nostdinc", b"-fdebug-prefix-map=/job=/home/me",
        b"-fdebug-prefix-map=/job/a.cpp=src/a.cpp", b"-c", b"/job/a.cpp", b"-o", b"o",
    ]  # fmt: skip


def test_the_clients_own_prefix_maps_apply_to_its_names_first() -> None:
    line = "gcc -g -fdebug-prefix-map=/home=/h -ffile-prefix-map=/home/me=/m -c /home/me/a.c -o a.o"
    command = accepted(line, Form.DIRECTIVES)
    argv = server_argv(command, b"gcc", b"/job/a.c", b"o", Prepared(b"", b"/home/me/a.c", b"/home/you"))
    assert b"-fdebug-prefix-map=/job=/h/you" in argv
    assert b"-fdebug-prefix-map=/job/a.c=/m/a.c" in argv


@pytest.mark.parametrize(
    "words",
    [
        "-wrapper /bin/sh,-c,id",
        "-B/tmp",
        "-B /tmp",
        "--prefix=/tmp",
        "-specs=/tmp/x",
        "-specs /tmp/x",
        "--specs=/tmp/x",
        "--specs /tmp/x",
        "@/tmp/x",
        "--config /tmp/x",
        "--config=/tmp/x",
        "-fplugin=/tmp/x.so",
        "-fplugin-arg-x-y=z",
        "-fpass-plugin=x.so",
        "-iplugindir=/tmp",
        "-Xclang -load -Xclang /tmp/x.so",
        "-Xclang -plugin -Xclang x",
        "-Xclang -add-plugin -Xclang x",
        "-Xclang -o -Xclang /tmp/x",
        "-Xclang -fplugin=x.so",
        "-Xclang -mllvm -Xclang -load=x.so",
        "-Xclang -Xclang /tmp/x.so",
        "-mllvm -load=/tmp/x.so",
        "-mllvm=-load=x.so",
        "-mllvm -info-output-file=x",
        "-Wa,-o,/tmp/x",
        "-Wa,--MD,x",
        "-Wa,-alh=x",
        "-Wa,@/tmp/x",
        "-Xassembler -o",
        "-Xassembler @x",
        "-Wp,-MD,/tmp/x",
        "-Wp,-o,/tmp/x",
        "-Xpreprocessor -MD",
        "-MD",
        "-MF /tmp/x",
        "-MF/tmp/x",
        "-MJ x",
        "-save-temps",
        "-dumpdir /tmp/x",
        "-dumpbase /tmp/x",
        "-fdump-tree-all=/tmp/x",
        "-da",
        "-aux-info /tmp/x",
        "-ftime-trace=/tmp/x",
        "-fprofile-use=/tmp/x",
        "-fprofile-generate",
        "--coverage",
        "-fcrash-diagnostics-dir=/tmp",
        "-resource-dir /tmp",
        "-resource-dir=/tmp",
        "--gcc-toolchain=/tmp",
        "-gcc-toolchain /tmp",
        "-ccc-gcc-name x",
        "-ccc-install-dir /tmp",
        "--driver-mode=cl",
        "-fuse-ld=/tmp/x",
        "--ld-path=/tmp/x",
        "-fmodules",
        "-fmodule-map-file=/tmp/x",
        "-fmodules-cache-path=/tmp/x",
        "-fopt-info-all=x",
        "-fsave-optimization-record",
        "-foptimization-record-file=/tmp/x",
        "-fdiagnostics-add-output=sarif:file=x",
        "-fcallgraph-info",
        "-fstack-usage",
        "-fself-test=/tmp/x",
        "-fsanitize-ignorelist=/tmp/x",
        "-fvisibility=/tmp/x",
        "-serialize-diagnostics /tmp/x",
        "-cc1",
        "-cc1as",
        "-###",
        "-E",
        "-M",
        "-fsyntax-only",
        "-march=native",
        "-gsplit-dwarf",
        "-include-pch x",
        "-arch a -arch b",
        "-working-directory /tmp",
        "-ivfsoverlay /tmp/x",
        "-no-such-option",
        "--for-linker x",
        "-x assembler",
        "-x c-header",
        "-x ada",
        "b.c",
        "-o b.o",
        "-",
        "-I",
        "--fleetcc-form=directives",
    ],
)
def test_an_option_that_runs_loads_or_writes_something_is_refused(words: str) -> None:
    line = f"gcc -O2 {words} -c a.i -o a.o" if words != "-I" else "gcc -c a.i -o a.o -I"
    assert isinstance(understand(line.encode().split()), Refused)
    assert isinstance(understand(line.replace("gcc", "clang").encode().split()), Refused)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-c",
        "gcc",
        "gcc -c",
        "gcc a.i",
        "gcc -c a.i b.i",
        "gcc -c a.o",
        "gcc -c a.s",
        "gcc -c a.h",
        "gcc -c a.i -o",
        "gcc -c a.i -o -",
    ],
)
def test_what_is_no_single_compile_is_refused(line: str) -> None:
    assert isinstance(understand(line.encode().split()), Refused)


@pytest.mark.parametrize(
    "line",
    [
        "gcc -c a.i -o a.o",
        "gcc -x c -c a.c -o a.o",
        "gcc -I/etc -c a.c -o a.o",
        "gcc -include /etc/passwd -c a.c -o a.o",
        "gcc -DX -c a.c -o a.o",
    ],
)
def test_what_the_preprocessor_would_read_is_refused_for_an_unexpanded_source(line: str) -> None:
    assert isinstance(understand(line.encode().split(), Form.DIRECTIVES), Refused)


@pytest.mark.parametrize(
    "name", ["gcc", "g++", "cc", "c++", "clang", "clang++", "x86_64-linux-gnu-g++-12", "clang-14", "c99-gcc"]
)
def test_driver_names_are_compiler_names(name: str) -> None:
    assert is_compiler_name(name.encode())


@pytest.mark.parametrize("name", ["", "sh", "gcc-ar", "/usr/bin/gcc", "../gcc", "gcc-12 ", "x/gcc", "ld"])
def test_other_names_are_not(name: str) -> None:
    assert not is_compiler_name(name.encode())


@given(st.lists(st.binary(max_size=12), max_size=8))
def test_any_words_are_understood_or_refused(words: list[bytes]) -> None:
    assert isinstance(understand([b"gcc", *words]), ServerCommand | Refused)
