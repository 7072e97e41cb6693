"""One line of progress."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.cells import width
from fleetcc.monitor.events import Hello, Host, Job, Local
from fleetcc.monitor.picture import HERE, Picture
from fleetcc.monitor.progress import bar, progress_line, short_name


def a_build(names=("b1:3632", "b2.example.com:3632"), slots=4) -> Picture:
    picture = Picture()
    hosts = tuple(Host(host=name, time=0.0, state="up", slots=slots) for name in names)
    local = Local(time=0.0, slots=2)
    picture.take(Hello(source="agent", program="fleetcc", pid=1, time=0.0, local=local, hosts=hosts))
    for number in range(30):
        picture.take(Job(job=number, time=9.0, state="done", host=names[0], reason="remote"))
    for slot in range(3):
        picture.take(Job(job=100 + slot, time=9.0, state="compiling", host=names[0], slot=slot))
    picture.take(Job(job=200, time=9.0, state="compiling", host=HERE, slot=0))
    picture.take(Job(job=201, time=9.0, state="waiting"))
    return picture


def test_the_line_says_what_a_person_asks():
    assert progress_line(a_build(), 10.0, 120) == (
        "fleetcc  30 done  3 running on 1 host  1 waiting  1 here  3.0/s  b1 ###.  b2 ...."
    )


def test_failed_jobs_are_told_when_there_are_any():
    picture = a_build()
    picture.take(Job(job=300, time=9.5, state="failed"))

    assert "30 done  1 failed  3 running" in progress_line(picture, 10.0, 120)


def test_parts_without_room_are_left_out_whole():
    assert progress_line(a_build(), 10.0, 60) == "fleetcc  30 done  3 running on 1 host  1 waiting  1 here"
    assert progress_line(a_build(), 10.0, 16) == "fleetcc  30 done"
    assert progress_line(a_build(), 10.0, 10) == "fleetcc  …"
    assert progress_line(a_build(), 10.0, 0) == ""


def test_before_the_first_event_there_is_a_line_too():
    line = progress_line(Picture(), 0.0, 80)
    assert line == "fleetcc  0 done  0 running on 0 hosts  0 waiting  0 here  0.0/s"


def test_wide_characters_count_as_the_terminal_counts_them():
    picture = a_build(names=("建造:3632", "b2:3632"))
    whole = progress_line(picture, 10.0, 200)

    assert "  建造 ###.  b2 ...." in whole
    assert width(whole) == len(whole) + 2
    assert progress_line(picture, 10.0, width(whole)) == whole
    assert progress_line(picture, 10.0, width(whole) - 1).endswith("建造 ###.")


@given(st.text(max_size=20), st.integers(0, 120))
def test_no_host_name_makes_the_line_too_wide_or_breaks_it(name, most):
    line = progress_line(a_build(names=(name or "x", "b2:3632")), 10.0, most)

    assert width(line) <= most
    assert line.isprintable()


@pytest.mark.parametrize(
    ("slots", "running", "drawn"),
    [(4, 0, "...."), (4, 4, "####"), (64, 1, "#" + "." * 15), (64, 64, "#" * 16), (0, 0, "")],
)
def test_a_bar_has_a_cell_for_each_slot_and_shares_them_on_big_hosts(slots, running, drawn):
    picture = Picture()
    picture.take(Host(host="h", time=0.0, state="up", slots=slots))
    for number in range(running):
        picture.take(Job(job=number, time=0.0, state="compiling", host="h", slot=number))

    assert bar(picture.hosts["h"]) == drawn


def test_a_host_that_is_down_has_a_mark():
    picture = Picture()
    picture.take(Host(host="h", time=0.0, state="down", slots=4))

    assert bar(picture.hosts["h"]) == "!"


@pytest.mark.parametrize(
    ("host", "short"),
    [
        ("b1:3632", "b1"), ("b1.example.com:3632", "b1"), ("b1.example.com:4000", "b1:4000"),
        ("10.0.0.7:3632", "10.0.0.7"), ("10.0.0.7:99", "10.0.0.7:99"), ("[::1]:3632", "[::1]"),
        ("localhost", "localhost"), ("b\x1b1:3632", "b\\x1b1"),
    ],
)  # fmt: skip
def test_names_are_as_short_as_people_say_them(host, short):
    assert short_name(host) == short
