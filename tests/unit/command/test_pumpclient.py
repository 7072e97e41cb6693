"""What is sent to a stock distccd in pump mode."""

import pytest

from fleetcc.command.pumpclient import pump_words
from fleetcc.model import Family


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
