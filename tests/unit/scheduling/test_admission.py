"""The waiting line and the choice between clients."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.model import Priority
from fleetcc.scheduling.admission import (
    REMEMBERED_CLIENTS,
    SLOW_GRANT_SECONDS,
    SLOW_UPLOAD_SECONDS,
    Claim,
    Entry,
    Line,
    Stage,
    burden,
    choose,
)


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


# -- weights


def test_a_client_without_a_compiler_is_next_whatever_its_weight():
    claims = [claim("me", oldest=1.0), Claim("p1", "ci", 1, 2.0, 9.0, Priority.CI.weight)]
    assert choose(claims, {"me": 1}) == claims[1]


def test_equal_weights_count_compilers():
    assert burden(1, 2) < burden(2, 2) < burden(3, 2)


@given(st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=4), st.integers(1, 40))
def test_slots_come_out_in_proportion_to_the_weights(priorities, slots):
    running = dict.fromkeys(range(len(priorities)), 0)
    weights = [priority.weight for priority in priorities]
    for _ in range(slots):
        running[min(running, key=lambda each: burden(running[each], weights[each]))] += 1
    for client, weight in enumerate(weights):
        share = slots * weight / sum(weights)
        assert running[client] <= share + 1 or running[client] == 1
        assert running[client] >= min(1, slots // len(weights), share - 1 - len(weights) / 2)


def test_the_last_weight_that_is_named_is_the_clients():
    line = Line(10)
    line.join("a", 1.0, 4)
    line.join("a", 2.0, 1)
    while (entry := line.next_upload(3.0)) is not None:
        line.uploaded(entry, 3.0)
    assert [found.weight for found in line.claims("p")] == [1]


# -- late requests: demands and grants


def demand(line: Line, client: str, count: int, now: float = 1.0, weight: int = 2) -> list[Entry]:
    return [line.join(client, now, weight, is_late=True) for _ in range(count)]


def granted(line: Line, free: int, now: float = 2.0) -> list[Entry]:
    found = []
    while (entry := line.next_upload(now, free)) is not None:
        found.append(entry)
    return found


def test_free_slots_and_one_more_are_granted():
    line = Line(window=4)
    demand(line, "a", 10)
    assert len(granted(line, free=4)) == 5
    assert granted(line, free=4) == []


def test_with_all_slots_in_use_one_is_granted():
    line = Line(window=4)
    demand(line, "a", 10)
    first = granted(line, free=0)
    assert len(first) == 1
    assert granted(line, free=-3) == []
    line.uploaded(first[0], 3.0)
    assert granted(line, free=0) == []  # it is the one beyond
    line.start("a", 4.0)
    assert len(granted(line, free=0)) == 1


def test_grants_alternate_between_clients():
    line = Line(window=4)
    demand(line, "a", 10)
    demand(line, "b", 10)
    assert Counter(entry.client for entry in granted(line, free=5)) == {"a": 3, "b": 3}


def test_grants_go_by_weight():
    line = Line(window=4)
    demand(line, "me", 20, weight=4)
    demand(line, "ci", 20, weight=1)
    assert Counter(entry.client for entry in granted(line, free=9)) == {"me": 8, "ci": 2}


def test_stock_requests_and_grants_do_not_take_each_others_room():
    line = Line(window=2)
    demand(line, "fleet", 10)
    for now in range(10):
        line.join("stock", float(now))
    assert Counter(entry.client for entry in granted(line, free=2)) == {"fleet": 3, "stock": 2}


def test_a_grant_that_is_not_used_keeps_nobody_waiting_and_earns_no_other():
    line = Line(window=2)
    demand(line, "idle", 10)
    demand(line, "busy", 10)
    first = granted(line, free=0, now=2.0)
    assert [entry.client for entry in first] == ["idle"]
    assert line.has_unused_grants
    assert not line.mark_slow(2.0 + SLOW_GRANT_SECONDS / 2)
    assert line.mark_slow(2.01 + SLOW_GRANT_SECONDS)
    assert not line.has_unused_grants
    assert [entry.client for entry in granted(line, free=0)] == ["busy"]


def test_a_job_that_came_has_the_time_of_an_upload():
    line = Line(window=2)
    demand(line, "a", 1)
    (entry,) = granted(line, free=0, now=2.0)
    line.bind(entry, 2.2)
    assert not line.mark_slow(2.1 + SLOW_UPLOAD_SECONDS)
    assert line.mark_slow(2.2 + SLOW_UPLOAD_SECONDS)
    line.uploaded(entry, 9.0)
    assert line.ready == 1


def test_a_demand_may_stand_for_ever_and_a_grant_may_not():
    line = Line(window=2)
    demand(line, "a", 2, now=1.0)
    assert line.overdue(1000.0, 10.0) == []
    (entry,) = granted(line, free=0, now=1000.0)
    assert line.overdue(1009.0, 10.0) == []
    assert line.overdue(1010.0, 10.0) == [entry]


def test_overdue_requests_stay_in_order_when_grants_are_among_them():
    line = Line(window=10)
    demand(line, "late", 1, now=1.0)
    stock = [line.join("stock", float(now)) for now in (2.0, 3.0)]
    (late,) = (entry for entry in granted(line, free=1, now=5.0) if entry.is_late)
    assert line.overdue(14.0, 10.0) == stock
    assert line.overdue(15.0, 10.0) == [*stock, late]


@given(
    st.lists(st.tuples(st.sampled_from("jJugsl"), st.sampled_from("abc")), max_size=100), st.integers(1, 4)
)
def test_one_job_beyond_the_slots_waits_whatever_happens(events, slots):
    line = Line(slots)
    entries: list[Entry] = []
    for now, (what, client) in enumerate(events):
        running = sum(line.running().values())
        if what in "jJ":
            entries.append(line.join(client, float(now), is_late=what == "J"))
        elif what == "g":
            line.next_upload(now, slots - running)
        elif what == "u":
            uploading = [entry for entry in entries if entry.stage is Stage.UPLOADING]
            if uploading:
                line.uploaded(uploading[0], now)
        elif what == "s" and running < slots:
            winner = choose(line.claims("p"), line.running())
            if winner is not None:
                line.start(winner.client, now)
        elif what == "l" and entries:
            line.leave(entries.pop(0))
        late = [entry for entry in entries if entry.is_late]
        ahead = sum(entry.stage in (Stage.UPLOADING, Stage.READY) for entry in late)
        assert line._late_ahead == ahead
        assert ahead + sum(entry.stage is Stage.RUNNING for entry in late) <= slots + 1


@given(
    st.lists(st.sampled_from(["stock", "fleet", "ci"]), min_size=1, max_size=3, unique=True),
    st.integers(1, 6),
)
def test_nobody_who_wants_a_slot_is_kept_from_one(names, slots):
    """Every client wants more than it gets; the compiler that has run longest ends first."""
    line = Line(slots)
    order: list[Entry] = []
    for name in names:
        for _ in range(200):
            line.join(name, 0.0, 1 if name == "ci" else 2, is_late=name != "stock")
    starts: Counter[str] = Counter()
    for now in range(1, 100):
        while (entry := line.next_upload(now, slots - len(order))) is not None:
            line.uploaded(entry, now)
        while len(order) < slots:
            winner = choose(line.claims("p"), line.running())
            assert winner is not None
            order.append(line.start(winner.client, now))
            starts[winner.client] += 1
        line.leave(order.pop(0))
    weights = {name: 1 if name == "ci" else 2 for name in names}
    fair = sum(starts.values()) / sum(weights.values())
    for name, weight in weights.items():
        assert starts[name] >= 0.5 * fair * weight, starts
