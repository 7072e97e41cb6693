"""The meanings of options in replica mode: that the table is whole and agrees with the other one."""

import pytest

from fleetcc.command.options import ROWS, TABLES, takes_next
from fleetcc.command.replica_options import _CLANG, _COMMON, MEANINGS, Part
from fleetcc.command.replica_parts import _HANDLERS
from fleetcc.model import Family

FAMILIES = [Family.GCC, Family.CLANG]


def test_every_name_is_an_option_of_some_compiler() -> None:
    known = {row.name for rows in ROWS.values() for row in rows}
    named = [name.encode() for names, _ in (*_COMMON, *_CLANG) for name in names.split()]
    assert [name for name in named if name not in known] == []
    assert [name for name in named if named.count(name) > 1] == []


def test_every_part_has_a_handler() -> None:
    assert set(_HANDLERS) == set(Part)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_option_of_preprocessed_mode_takes_its_value_in_the_same_way(family: Family) -> None:
    for row in ROWS[family]:
        found = MEANINGS[family].find(row.name)
        assert found is not None, row
        assert takes_next(found[0], row.name) == takes_next(TABLES[family].find(row.name) or row, row.name), (
            row
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_stays_has_a_reason(family: Family) -> None:
    for row in ROWS[family]:
        found = MEANINGS[family].find(row.name)
        assert found is not None
        assert (found[1].part is Part.STAYS) == (found[1].reason is not None), row


@pytest.mark.parametrize(
    ("family", "word", "part"),
    [
        (Family.GCC, b"-fprofile-use", Part.PROFILE),
        (Family.CLANG, b"-fprofile-use", Part.PROFILE_FILE),
        (Family.GCC, b"-fprofile-arcs", Part.ORDINARY),
        (Family.GCC, b"-fprofile-abs-path", Part.ORDINARY),
        (Family.GCC, b"-grecord-gcc-switches", Part.ORDINARY),
        (Family.CLANG, b"-grecord-gcc-switches", Part.RECORDS),
        (Family.GCC, b"-fdump-tree-all", Part.WRITTEN),
        (Family.GCC, b"-fplugin-arg-x=1", Part.STAYS),
        (Family.GCC, b"-save-temps=obj", Part.ORDINARY),
        (Family.CLANG, b"-ccc-print-phases", Part.STAYS),
    ],
)
def test_the_longest_name_decides(family: Family, word: bytes, part: Part) -> None:
    found = MEANINGS[family].find(word)
    assert found is not None
    assert found[1].part is part


def test_what_no_row_covers_is_unknown() -> None:
    assert MEANINGS[Family.GCC].find(b"-qwerty") is None
