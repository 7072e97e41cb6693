"""The waiting line and the choice between clients."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.scheduling.admission import REMEMBERED_CLIENTS, SLOW_UPLOAD_SECONDS, Claim, Line, Stage, choose


def claim(client, process="p1", ready=1, oldest=1.0, served=0.0):
    return Claim(process, client, ready, oldest, served)


def ready_line(window=100, **counts):
    """A line whose clients have that many READY requests, in the order named."""
    line = Line(window)
    now = 0.0
    for client, count in counts.items():
        for _ in range(count):
            now += 1
            line.join(client, now)
    while (entry := line.next_upload(now)) is not None:
        line.uploaded(entry, now)
    return line


def test_the_slot_goes_to_the_client_with_the_fewest_compilers():
    claims = [claim("busy", oldest=1.0), claim("idle", oldest=2.0)]
    assert choose(claims, {"busy": 2, "idle": 1}) == claims[1]


def test_among_equals_the_one_served_longest_ago_is_next():
    claims = [claim("a", oldest=1.0, served=9.0), claim("b", oldest=2.0, served=8.0)]
    assert choose(claims, {}) == claims[1]


def test_what_another_process_knows_of_a_client_counts_too():
    claims = [claim("a", "p1", served=1.0), claim("b", "p1", served=5.0), claim("a", "p2", served=9.0)]
    found = choose(claims, {})
    assert found is not None
    assert found.client == "b"


def test_among_strangers_the_oldest_request_is_next():
    claims = [claim("a", oldest=3.0), claim("b", oldest=2.0)]
    assert choose(claims, {}) == claims[1]


def test_a_process_that_was_passed_over_gets_nothing():
    claims = [claim("a", "dead", oldest=1.0), claim("b", "alive", oldest=2.0)]
    assert choose(claims, {}, {"dead"}) == claims[1]


def test_nobody_waiting_means_no_winner():
    assert choose([], {}) is None
    assert choose([claim("a", ready=0)], {}) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 2), st.integers(0, 3)),
        unique_by=lambda row: row[:2],  # a process makes one claim for each of its clients
    )
)
def test_every_process_chooses_alike_whatever_order_it_reads_the_claims_in(rows):
    claims = [Claim(process, client, ready, float(oldest), 0.0) for client, process, ready, oldest in rows]
    forward, backward = choose(claims, {}), choose(claims[::-1], {})
    assert forward == backward


def test_a_client_with_two_requests_starts_next_after_forty_of_another():
    line = ready_line(big=40, small=2)
    order: list[str] = []
    for _ in range(6):
        winner = choose(line.claims("p"), line.running())
        assert winner is not None
        order.append(line.start(winner.client, 100.0 + len(order)).client)
    assert order == ["big", "small", "big", "small", "big", "big"]


def test_a_request_may_upload_when_its_client_has_nothing_else_on_the_way():
    line = Line(window=2)
    for client in ("a", "a", "a", "b"):
        line.join(client, 1.0)
    uploads = [line.next_upload(1.0) for _ in range(4)]
    assert Counter(entry.client for entry in uploads if entry) == {"a": 1, "b": 1}


def test_the_window_lets_one_client_upload_as_many_as_there_are_slots():
    line = Line(window=3)
    for _ in range(10):
        line.join("a", 1.0)
    assert sum(line.next_upload(1.0) is not None for _ in range(10)) == 3


def test_a_started_request_makes_room_in_the_window():
    line = ready_line(window=1, a=1)
    line.join("a", 5.0)
    assert line.next_upload(5.0) is None
    line.start("a", 6.0)
    assert line.next_upload(6.0) is not None


def test_a_slow_upload_keeps_nobody_out():
    line = Line(window=1)
    line.join("a", 1.0)
    slow = line.next_upload(1.0)
    line.join("a", 1.0)
    assert line.next_upload(2.0) is None
    line.mark_slow(1.0 + SLOW_UPLOAD_SECONDS)
    assert slow is not None
    assert slow.stage is Stage.SLOW
    assert line.next_upload(4.0) is not None
    line.uploaded(slow, 5.0)
    assert line.ready == 1


def test_requests_leave_from_any_stage():
    line = Line(window=10)
    entries = [line.join("a", float(now)) for now in range(4)]
    line.next_upload(4.0)
    second = line.next_upload(4.0)
    assert second is not None
    line.uploaded(second, 4.0)
    line.start("a", 5.0)
    for entry in (*entries, *entries):
        line.leave(entry)
    assert (line.waiting, line.ready, line.running(), line.claims("p")) == (0, 0, {}, [])


def test_overdue_requests_are_the_oldest_that_have_no_slot():
    line = ready_line(a=3)  # they came at 1, 2 and 3
    line.start("a", 10.0)
    assert [entry.arrival for entry in line.overdue(12.0, 10.0)] == [2.0]
    assert line.overdue(11.5, 10.0) == []


def test_clients_without_work_are_forgotten_in_the_end():
    line = Line(window=1)
    for number in range(3 * REMEMBERED_CLIENTS):
        line.leave(line.join(str(number), float(number)))
    assert len(line._clients) <= REMEMBERED_CLIENTS + 1


@given(st.lists(st.tuples(st.sampled_from("jusl"), st.sampled_from("abc")), max_size=80), st.integers(1, 4))
def test_counts_agree_with_the_entries_whatever_happens(events, window):
    line = Line(window)
    entries = []
    for now, (what, client) in enumerate(events):
        if what == "j":
            entries.append(line.join(client, float(now)))
        elif what == "u" and (entry := line.next_upload(now)) is not None:
            assert entry.stage is Stage.UPLOADING
            line.uploaded(entry, now)
        elif what == "s" and (winner := choose(line.claims("p"), line.running())) is not None:
            line.start(winner.client, now)
        elif what == "l" and entries:
            line.leave(entries.pop(0))
    stages = Counter(entry.stage for entry in entries)
    assert line.ready == stages[Stage.READY]
    assert line.waiting == len(entries) - stages[Stage.RUNNING]
    assert sum(line.running().values()) == stages[Stage.RUNNING]
