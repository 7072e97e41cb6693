"""Which words of a command line decide what a compiler consists of."""

import pytest

from fleetcc.toolchain.files_options import asked_charset, loads_code, relevant_options


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (b"-O2 -c x.c -o x.o -DM=1 -MD", b""),
        (b"-m32 -O2 -march=native", b"-m32 -march=native"),
        (b"--sysroot=../root -c", b"--sysroot=/job/../root"),
        (b"--sysroot ../root -c", b"--sysroot /job/../root"),
        (b"-isysroot root -Btools", b"-isysroot/job/root -B/job/tools"),
        (b"-B tools", b"-B/job/tools"),
        (b"-target arm-linux -fno-integrated-as", b"-target arm-linux -fno-integrated-as"),
        (b"--target=arm-linux", b"--target=arm-linux"),
        (b"-mllvm -msomething -mavx", b"-mavx"),
        (b"-specs=nano.specs -specs=./my.specs", b"-specs=nano.specs -specs=/job/./my.specs"),
        (b"-target", b"-target "),
    ],
)
def test_what_decides_is_kept_with_absolute_paths(words, expected):
    found = relevant_options(tuple(words.split()), b"/job")
    assert b" ".join(found) == expected


def test_a_character_set_other_than_utf_8_is_noticed():
    assert asked_charset([b"-finput-charset=latin1"])
    assert asked_charset([b"-O2", b"-fexec-charset=EBCDIC-US"])
    assert not asked_charset([b"-finput-charset=UTF-8", b"-O2"])


def test_code_that_is_loaded_is_noticed():
    assert loads_code([b"-O2", b"-fplugin=x.so"]) == b"-fplugin=x.so"
    assert loads_code([b"-O2"]) == b""
