"""The option tables: that they are whole, and that the right row is found."""

from collections import Counter

import pytest

from fleetcc.command.options import ROWS, STAGES, TABLES, Role, Row, Shape
from fleetcc.command.serverwalk import RULES
from fleetcc.command.walk import _HANDLERS
from fleetcc.model import Family, Reason

FAMILIES = [Family.GCC, Family.CLANG]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_option_has_two_rows(family: Family) -> None:
    times = Counter((row.name, row.shape is Shape.JOINED) for row in ROWS[family])
    assert [name for (name, _), count in times.items() if count > 1] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reason_is_given_exactly_where_the_job_stays(family: Family) -> None:
    for row in ROWS[family]:
        assert (row.role is Role.LOCAL) == (row.reason is not None), row


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_begins_with_a_hyphen_and_is_found_by_its_own_name(family: Family) -> None:
    for row in ROWS[family]:
        assert row.name.startswith(b"-")
        found = TABLES[family].find(row.name)
        assert found is not None
        assert found.name == row.name


def test_every_role_has_a_handler_on_both_sides() -> None:
    direct = {Role.BOTH, Role.PREPROCESS}
    assert set(_HANDLERS) | direct == set(Role)
    assert set(RULES) == set(Role)


def test_every_stage_has_its_short_spelling() -> None:
    stages = {row.name for rows in ROWS.values() for row in rows if row.role is Role.STAGE}
    assert stages == set(STAGES)


@pytest.mark.parametrize(
    ("word", "name", "role"),
    [
        (b"-Wall", b"-W", Role.BOTH),
        (b"-Wp,-DX", b"-Wp,", Role.FOR_PREPROCESSOR_LIST),
        (b"-Wa,--x", b"-Wa,", Role.FOR_ASSEMBLER_LIST),
        (b"-Wl,-z", b"-Wl,", Role.PREPROCESS),
        (b"-fPIC", b"-f", Role.BOTH),
        (b"-fplugin-arg-x=1", b"-fplugin", Role.LOCAL),
        (b"-fprofile-arcs", b"-fprofile-arcs", Role.LOCAL),
        (b"-include", b"-include", Role.INCLUDE),
        (b"-include-pch", b"-include-pch", Role.LOCAL),
        (b"-isystem/x", b"-isystem", Role.PREPROCESS),
        (b"-MD", b"-MD", Role.DEPENDENCIES),
        (b"-MFx", b"-MF", Role.DEPENDENCY_FILE),
        (b"-ofile", b"-o", Role.OUTPUT),
        (b"-dumpversion", b"-dumpversion", Role.LOCAL),
        (b"-march=native", b"-march=native", Role.LOCAL),
        (b"-march=native2", b"-m", Role.BOTH),
        (b"-gsplit-dwarf=single", b"-gsplit-dwarf", Role.LOCAL),
    ],
)
def test_the_whole_word_wins_then_the_longest_beginning(word: bytes, name: bytes, role: Role) -> None:
    row = TABLES[Family.GCC].find(word)
    assert row is not None
    assert (row.name, row.role) == (name, role)


@pytest.mark.parametrize(
    "word", [b"-qwerty", b"--no-such-thing", b"-MDfoo", b"-cx", b"-gfoo", b"-###x", b"-"]
)
def test_what_no_row_covers_is_unknown(word: bytes) -> None:
    assert TABLES[Family.GCC].find(word) is None


def test_only_clang_ends_options_with_two_hyphens() -> None:
    assert TABLES[Family.GCC].find(b"--") is None
    assert TABLES[Family.CLANG].find(b"--") == Row(b"--", Shape.WHOLE, Role.END_OF_OPTIONS)


def test_link_time_code_stays_for_gcc_and_travels_for_clang_by_its_longer_name() -> None:
    assert TABLES[Family.GCC].find(b"-flto=auto").reason is Reason.LINK_TIME  # type: ignore[union-attr]
    assert TABLES[Family.CLANG].find(b"-flto=thin").role is Role.BOTH  # type: ignore[union-attr]
