"""Jobs as stretches of time, and on lanes that nothing overlaps."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.lanes import HERE, QUEUE, covered_seconds, end_of, laid, levels, pieces, stretches
from tests.support.past_builds import START, local, record, remote


def test_a_job_waits_in_the_queue_and_then_is_on_its_host() -> None:
    queue, host = pieces(remote(1, "b1:3632", waits=0.5))

    assert (queue.place, [each.state for each in queue.stretches]) == (QUEUE, ["scanning", "waiting"])
    assert (host.place, [each.state for each in host.stretches]) == (
        "b1:3632",
        ["uploading", "compiling", "returning"],
    )
    assert queue.end == host.start


def test_a_job_that_failed_on_a_host_is_there_twice() -> None:
    steps = [("waiting", 0.1, ""), ("compiling", 1, "b1"), ("waiting", 0.2, ""), ("compiling", 2, "b2")]

    places = [piece.place for piece in pieces(record(1, 0, steps, host="b2"))]

    assert places == [QUEUE, "b1", QUEUE, "b2"]


def test_what_waits_for_this_machine_is_told_apart() -> None:
    waiting = stretches(local(1, waits=0.5))[1]

    assert (waiting.state, waiting.place, waiting.is_for_here) == ("waiting", QUEUE, True)
    assert not any(each.is_for_here for each in stretches(remote(1, waits=0.5)))


def test_text_that_is_made_while_a_host_waits_holds_that_hosts_slot() -> None:
    steps = [
        ("uploading", 0.1, "b1"),
        ("preprocessing", 1, "b1"),
        ("uploading", 0.1, "b1"),
        ("compiling", 1, "b1"),
    ]

    assert [piece.place for piece in pieces(record(1, 0, steps, host="b1"))] == ["b1"]


def test_a_job_is_compared_here_and_not_on_its_host() -> None:
    steps = [("compiling", 1, "b1"), ("verifying", 1, "b1")]

    assert [piece.place for piece in pieces(record(1, 0, steps, host="b1"))] == ["b1", HERE]


def test_a_record_without_phases_is_still_drawn() -> None:
    assert [piece.place for piece in pieces(record(1, 0, [], seconds=2, host="b1"))] == ["b1"]
    assert [piece.place for piece in pieces(record(1, 0, [], state="cancelled"))] == [QUEUE]


def test_the_lane_is_the_slot() -> None:
    places = laid([remote(1, slot=2), remote(2, slot=0)])

    assert [lane for lane, _ in places["b1:3632"]] == [2, 0]


def test_two_jobs_of_one_slot_at_once_get_two_lanes() -> None:
    places = laid([remote(1, slot=0, agent="a1"), remote(1, slot=0, agent="a2")])

    assert sorted(lane for lane, _ in places["b1:3632"]) == [0, 1]


def test_a_number_of_a_slot_that_cannot_be_costs_nothing() -> None:
    places = laid([remote(1, slot=2_000_000_000), remote(2)])

    assert [lane for lane, _ in places["b1:3632"]] == [0, 1]


@given(
    st.lists(
        st.builds(
            lambda job, at, slot, waits, runs: remote(job, slot=slot, at=at, waits=waits, runs=runs),
            st.integers(1, 1000), st.floats(0, 10), st.integers(-1, 4), st.floats(0, 5), st.floats(0, 5),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_nothing_overlaps_on_a_lane(records) -> None:
    ends: dict[tuple[str, int], float] = defaultdict(float)
    for place, found in laid(records).items():
        for lane, piece in found:
            assert piece.start >= ends[place, lane]
            assert piece.end > piece.start
            ends[place, lane] = piece.end


def test_levels_count_what_is_there() -> None:
    found = [
        (level.start, level.end, level.counts["a"])
        for level in levels([("a", 0, 2), ("a", 1, 3), ("a", 5, 6)])
    ]

    assert found == [(0, 1, 1), (1, 2, 2), (2, 3, 1), (3, 5, 0), (5, 6, 1)]


def test_covered_time_counts_once() -> None:
    assert covered_seconds([(0, 2), (1, 3), (5, 6)]) == 4
    assert covered_seconds([]) == 0


def test_the_end_is_where_the_last_phase_is_at_least() -> None:
    assert end_of(record(1, 2, [("planning", 1, ""), ("waiting", 1, "")], seconds=0.5)) == START + 2 + 1
