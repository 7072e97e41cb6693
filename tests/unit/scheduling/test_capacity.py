"""Capacity under others' load and memory pressure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import UsageError
from fleetcc.scheduling.capacity import (
    Memory,
    decayed,
    default_load_limit,
    default_reserve,
    memory_allows,
    parse_size,
    slots_under_load,
)

GIB = 1 << 30


@pytest.mark.parametrize(
    ("load", "ours", "expected"),
    [
        (0.0, 0.0, 8),
        (8.0, 8.0, 8),  # all of it ours
        (10.0, 8.0, 8),  # a little of others fits into the limit
        (6.0, 0.0, 4),
        (50.0, 0.0, 1),  # never less than one
        (3.0, 8.0, 8),  # our compilers wait for files and cause less load than their number
    ],
)
def test_others_load_is_taken_off_the_slots(load, ours, expected):
    assert slots_under_load(8, default_load_limit(8, 8), load, ours) == expected


def test_load_limit_zero_switches_it_off():
    assert slots_under_load(8, 0.0, 1000.0, 0.0) == 8


def test_a_machine_with_fewer_slots_than_processors_has_room_for_others():
    assert slots_under_load(2, default_load_limit(2, 16), 16.0, 0.0) == 2


@given(st.integers(1, 64), st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0.1, 1e3))
def test_capacity_stays_between_one_and_the_slots(slots, load, ours, limit):
    assert 1 <= slots_under_load(slots, limit, load, ours) <= slots


def test_the_average_follows_the_count_like_the_kernels_load():
    assert decayed(0.0, 4, 60.0) == pytest.approx(4 * (1 - 0.36788), abs=1e-3)
    assert decayed(4.0, 0, 600.0) == pytest.approx(0.0, abs=1e-3)
    assert decayed(2.0, 2, 17.0) == 2.0
    assert decayed(2.0, 5, -1.0) == 2.0


@pytest.mark.parametrize(
    ("available", "pressure", "running", "allowed"),
    [
        (2 * GIB, 0.0, 3, True),
        (GIB - 1, 0.0, 3, False),
        (2 * GIB, 60.0, 3, False),
        (GIB // 4, 60.0, 0, True),  # nothing of ours to wait for
        (GIB // 4 - 1, 0.0, 0, False),
    ],
)
def test_memory_allows_one_more(available, pressure, running, allowed):
    assert memory_allows(Memory(8 * GIB, available, pressure), GIB, running) is allowed


def test_reserve_zero_switches_memory_off():
    assert memory_allows(Memory(GIB, 0, 100.0), 0, 5)


def test_the_default_reserve_fits_every_size_of_machine():
    assert default_reserve(100 * GIB) == 5 * GIB
    assert default_reserve(4 * GIB) == 256 << 20
    assert default_reserve(512 << 20) == 128 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500M", 500 << 20),
        ("2g", 2 * GIB),
        ("10%", GIB),
        ("1.5GiB", 3 * GIB // 2),
        ("4096", 4096),
        ("0", 0),
        ("2GB", 2 * GIB),
    ],
)
def test_reserves_are_read(text, expected):
    assert parse_size("memory reserve", text, 10 * GIB) == expected


@pytest.mark.parametrize("text", ["", "lots", "-1", "100%", "-5%", "1e999", "nan", "2X"])
def test_other_reserves_are_refused_with_what_was_expected(text):
    with pytest.raises(UsageError, match="500M, 2G or 10%"):
        parse_size("memory reserve", text, 10 * GIB)
