"""The dispatcher by lists: events in, instructions out."""

from random import Random

import pytest

from fleetcc.model import Form, Priority
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import (
    Cancel,
    Connect,
    Decline,
    Demand,
    Facts,
    HostState,
    HostType,
    JobSpec,
    Needs,
    Place,
    Prospect,
    Send,
    Surrender,
    Why,
)
from fleetcc.scheduling.history import History, Record
from fleetcc.scheduling.rescue import LOOK_SECONDS
from fleetcc.scheduling.state import PATIENCE_SECONDS, REST_SECONDS

IDENTITY = "1" * 64
NEEDS = Needs(IDENTITY, b"g++", (Form.EXPANDED,))
NORMAL = Priority.NORMAL


def facts(slots=2, **more):
    return Facts(HostType.FLEET, slots, **{"compilers": frozenset({IDENTITY}), **more})


def spec(number, **more):
    return JobSpec(number, **{"key": b"%d" % number, "size": 1000, "group": "g", "needs": NEEDS, **more})


def dispatcher(history=None, **hosts):
    """Hosts by name with their slots (or facts), all connected."""
    made = Dispatcher(history or History(), Random(0))
    made.set_group("g", [Place(name) for name in hosts])
    for name, told in hosts.items():
        made.host_up(name, facts(told) if isinstance(told, int) else told)
    return made


def known(**seconds):
    """A history of jobs j1, j2, ... on an ordinary host."""
    history = History()
    history.restore([(name[1:].encode(), Record(each, "ordinary")) for name, each in seconds.items()], {})
    return history


# -- demands


def test_a_job_is_demanded_for_and_sent_when_its_host_grants():
    made = dispatcher(a=2)
    made.submit(spec(1))
    assert made.settle(0.0) == [Demand("a", 1, NORMAL)]
    assert made.settle(0.0) == []
    assert made.granted("a", 1, 0.1) == [Send(1, "a")]
    assert (made.queued, made.running_on("a")) == (0, 1)


def test_only_as_many_hosts_are_asked_as_could_be_of_use():
    made = dispatcher(a=2, b=2, c=2)
    for number in range(3):
        made.submit(spec(number))
    assert made.settle(0.0) == [Demand("a", 3, NORMAL), Demand("b", 3, NORMAL)]


def test_a_host_that_does_not_answer_is_taken_to_be_busy_and_the_next_is_asked():
    made = dispatcher(a=2, b=2)
    made.submit(spec(1))
    assert made.settle(0.0) == [Demand("a", 1, NORMAL)]
    assert made.next_deadline(0.0) == PATIENCE_SECONDS
    assert made.settle(PATIENCE_SECONDS) == [Demand("b", 1, NORMAL)]
    assert made.next_deadline(PATIENCE_SECONDS) == 2 * PATIENCE_SECONDS


def test_the_patience_of_all_clocks_ends_at_its_deadline():
    # 0.1 + 0.005 - 0.1 is less than 0.005: a difference would be looked at for ever.
    for now in (0.1, 1.3378779905487828, 1e6 / 3):
        made = dispatcher(a=1)
        made.submit(spec(1))
        made.settle(now)
        deadline = made.next_deadline(now)
        assert deadline is not None
        made.settle(deadline)
        assert made.next_deadline(deadline) is None


def test_a_demand_is_withdrawn_when_nothing_is_queued():
    made = dispatcher(a=1, b=1)
    made.submit(spec(1))
    made.settle(0.0)
    made.settle(PATIENCE_SECONDS)
    made.granted("b", 1, 0.1)
    assert made.settle(0.1) == [Demand("a", 0, NORMAL)]


def test_a_demand_is_renewed_before_it_is_used_up_and_not_before():
    made = dispatcher(a=8)
    for number in range(10):
        made.submit(spec(number))
    assert made.settle(0.0) == [Demand("a", 10, NORMAL)]
    made.granted("a", 7, 0.1)
    assert made.settle(0.1) == []
    for number in range(10, 15):
        made.submit(spec(number))
    made.granted("a", 1, 0.2)
    assert made.settle(0.2) == [Demand("a", 7, NORMAL)]


def test_a_more_urgent_job_renews_the_demand():
    made = dispatcher(a=1)
    made.submit(spec(1, priority=Priority.CI))
    assert made.settle(0.0) == [Demand("a", 1, Priority.CI)]
    made.submit(spec(2, priority=Priority.INTERACTIVE))
    assert made.settle(0.0) == [Demand("a", 2, Priority.INTERACTIVE)]
    assert made.granted("a", 1, 0.1) == [Send(2, "a")]


def test_fast_hosts_are_asked_before_slow_ones():
    history = known(j1=1.0)
    for number in range(20):
        key = b"x%d" % number
        history.learn(key, 1, "slow", 4.0)
        history.learn(key, 1, "fast", 1.0)
    made = dispatcher(history, slow=2, fast=2)
    made.submit(spec(1))
    assert made.settle(0.0) == [Demand("fast", 1, NORMAL)]


# -- grants


def test_grants_without_use_are_declined_and_the_host_rests():
    made = dispatcher(a=4)
    assert made.granted("a", 2, 1.0) == [Decline("a", 2)]
    made.submit(spec(1))
    assert made.settle(1.0) == []
    assert made.next_deadline(1.0) == 1.0 + REST_SECONDS
    assert made.settle(1.0 + REST_SECONDS) == [Demand("a", 1, NORMAL)]


def test_a_decline_withdraws_what_still_stands_or_it_would_be_granted_again_at_once():
    made = dispatcher(a=4)
    for number in range(3):
        made.submit(spec(number))
    made.settle(0.0)
    for number in range(3):
        made.cancel(number)
    assert made.granted("a", 1, 0.1) == [Demand("a", 0, NORMAL), Decline("a", 1)]


def test_grants_of_hosts_that_are_not_known_or_gone_are_declined():
    made = dispatcher(a=1)
    made.submit(spec(1))
    assert made.granted("nobody", 2, 0.0) == [Decline("nobody", 2)]
    made.host_draining("a")
    assert made.granted("a", 1, 0.0) == [Decline("a", 1)]


def test_a_grant_that_was_not_asked_for_is_used_all_the_same():
    made = dispatcher(a=1)
    made.submit(spec(1))
    assert made.granted("a", 2, 0.0) == [Send(1, "a"), Decline("a", 1)]


def test_the_longest_job_is_first():
    made = dispatcher(known(j1=0.5, j2=5.0, j3=1.0), a=1)
    for number in (1, 2, 3):
        made.submit(spec(number))
    assert made.granted("a", 1, 0.0) == [Send(2, "a")]


def test_while_the_longest_job_would_end_long_before_the_rest_the_shortest_makes_room_for_others():
    made = dispatcher(known(**{f"j{number}": 1.0 + number / 10 for number in range(20)}), a=1)
    for number in range(20):
        made.submit(spec(number))
    assert made.granted("a", 1, 0.0) == [Send(0, "a")]


def test_when_make_has_no_more_the_longest_is_first():
    made = dispatcher(known(**{f"j{number}": 1.0 + number / 10 for number in range(20)}), a=1)
    for number in range(20):
        made.submit(spec(number))
    for number in range(3):
        made.granted("a", 1, float(number))
        made.finished(number, "a", number + 1.0, 1.0)
    assert made.granted("a", 1, 3.0) == [Send(19, "a")]


def test_every_eighth_grant_takes_the_job_that_has_waited_longest():
    made = dispatcher(known(j0=2.0, **{f"j{number}": 1.0 for number in range(1, 40)}), a=2)
    for number in range(40):
        made.submit(spec(number))
    sent = [each.job for each in made.granted("a", 8, 0.0) if isinstance(each, Send)]
    assert sent == [1, 2, 3, 4, 5, 6, 7, 0]


def test_urgent_jobs_are_before_long_ones():
    made = dispatcher(known(j1=1.0, j2=5.0), a=1)
    made.submit(spec(1, priority=Priority.INTERACTIVE))
    made.submit(spec(2))
    assert made.granted("a", 1, 0.0) == [Send(1, "a")]


# -- ends


def test_a_result_ends_the_job_and_is_learned():
    made = dispatcher(a=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.started(1, "a", 0.1)
    assert made.finished(1, "a", 2.0, 1.5) == []
    assert made.history.records[b"1"].seconds == 1.5
    assert made.finished(1, "a", 2.0, 1.5) == []


def test_a_result_from_where_the_job_is_not_leaves_it_alone():
    made = dispatcher(a=1, b=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    assert made.finished(1, "b", 1.0, 1.0) == []
    assert made.running_on("a") == 1
    assert made.cancel(1) == [Cancel(1, "a")]


def test_a_job_that_failed_goes_to_another_host_and_then_is_given_up():
    made = dispatcher(a=1, b=1, c=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    assert made.failed(1, "a") == []
    assert made.granted("a", 1, 0.1) == [Decline("a", 1)]
    assert made.granted("b", 1, 0.1) == [Send(1, "b")]
    assert made.failed(1, "b") == [Surrender(1, Why.FAILED)]
    assert made.queued == 0


def test_a_job_whose_only_host_failed_is_given_up_when_settled():
    made = dispatcher(a=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.failed(1, "a")
    assert made.settle(0.1) == [Surrender(1, Why.FAILED)]


def test_a_job_that_was_not_taken_may_go_to_the_same_host_again():
    made = dispatcher(a=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.take_back(1, "a")
    assert made.granted("a", 1, 0.1) == [Send(1, "a")]


def test_cancelling_takes_a_job_from_the_queue_or_from_its_host():
    made = dispatcher(a=1)
    made.submit(spec(1))
    made.submit(spec(2))
    made.granted("a", 1, 0.0)
    assert made.cancel(2) == []
    assert made.cancel(1) == [Cancel(1, "a")]
    assert made.cancel(1) == []
    assert (made.queued, made.running_on("a")) == (0, 0)


# -- hosts


def test_hosts_are_connected_when_a_job_could_go_there():
    made = Dispatcher(History(), Random(0))
    made.set_group("g", [Place("a"), Place("b")])
    assert made.settle(0.0) == []
    made.submit(spec(1))
    assert made.settle(0.0) == [Connect("a"), Connect("b")]
    assert made.settle(0.0) == []
    made.host_up("a", facts())
    assert made.settle(0.1) == [Demand("a", 1, NORMAL)]


def test_a_prospect_is_known_before_the_job_is_submitted():
    made = Dispatcher(History(), Random(0))
    assert made.prospect("g", NEEDS, 0.0) == (Why.NO_HOSTS, [])
    made.set_group("g", [Place("a")])
    assert made.prospect("g", NEEDS, 0.0) == (Prospect.WAIT, [Connect("a")])
    made.host_up("a", facts(is_looking=True, compilers=frozenset()))
    assert made.prospect("g", NEEDS, 0.0) == (Prospect.WAIT, [])
    made.host_up("a", facts())
    assert made.prospect("g", NEEDS, 0.0) == (Prospect.READY, [])
    made.left_alone("a", None, 0.0, 60.0)
    assert made.prospect("g", NEEDS, 0.5) == (Why.ALL_FAILING, [])


def test_what_a_dead_host_had_goes_elsewhere():
    made = dispatcher(a=2, b=2)
    made.submit(spec(1))
    made.submit(spec(2))
    made.granted("a", 2, 0.0)
    assert made.host_down("a", 1.0, 60.0) == []
    assert made.queued == 2
    assert made.settle(1.0) == [Demand("b", 2, NORMAL)]
    assert made.granted("b", 2, 1.0) == [Send(1, "b"), Send(2, "b")]


def test_a_host_that_is_not_to_blame_may_have_its_jobs_again():
    made = dispatcher(a=1)
    made.submit(spec(1, attempts=1))
    made.granted("a", 1, 0.0)
    assert made.host_down("a", 1.0, 0.0) == []
    assert made.settle(1.0) == [Connect("a")]
    made.host_up("a", facts())
    assert made.granted("a", 1, 1.1) == [Send(1, "a")]


def test_a_host_that_failed_is_connected_again_when_its_pause_is_over():
    made = dispatcher(a=1, b=1)
    made.host_down("a", 0.0, 60.0)
    made.submit(spec(1))
    made.settle(0.0)
    assert made.next_deadline(0.1) == 1.0
    assert made.settle(1.0) == [Connect("a")]


def test_when_all_hosts_are_left_alone_jobs_are_given_up():
    made = dispatcher(a=1)
    made.host_down("a", 0.0, 60.0)
    made.submit(spec(1))
    assert made.settle(0.0) == [Surrender(1, Why.ALL_FAILING)]


def test_a_draining_host_finishes_what_it_has_and_gets_nothing_more():
    made = dispatcher(a=2)
    made.submit(spec(1))
    made.submit(spec(2))
    made.granted("a", 1, 0.0)
    made.host_draining("a")
    assert made.state_of("a") is HostState.DRAINING
    assert made.settle(0.0) == [Surrender(2, Why.ALL_FAILING)]
    assert made.finished(1, "a", 1.0, 1.0) == []


@pytest.mark.parametrize(
    ("told", "needs", "why"),
    [
        (facts(compilers=frozenset()), NEEDS, Why.NO_SAME_COMPILER),
        (
            Facts(HostType.STOCK, 1),
            Needs(IDENTITY, b"g++", (Form.DIRECTIVES,)),
            Why.NO_FORM,
        ),
    ],
)
def test_hosts_that_cannot_do_it_are_a_reason(told, needs, why):
    made = dispatcher(a=told)
    made.submit(spec(1, needs=needs))
    assert made.settle(0.0) == [Surrender(1, why)]


def test_a_group_that_nobody_names_is_forgotten_when_its_jobs_are_over():
    made = dispatcher(a=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.drop_group("g")
    assert made.unnamed_hosts() == []
    made.finished(1, "a", 1.0, 1.0)
    assert made.unnamed_hosts() == ["a"]
    assert made.facts_of("a") is None


def test_hosts_of_a_higher_tier_are_used_when_the_lower_ones_are_away():
    made = Dispatcher(History(), Random(0))
    made.set_group("g", [Place("far", tier=20), Place("near", tier=10)])
    made.host_up("near", facts())
    made.host_up("far", facts())
    made.submit(spec(1))
    assert made.settle(0.0) == [Demand("near", 1, NORMAL)]
    made.host_down("near", 0.1, 60.0)
    assert made.settle(0.1) == [Demand("far", 1, NORMAL)]


def test_weights_decide_who_is_first_in_its_tier():
    first = []
    for seed in range(300):
        made = Dispatcher(History(), Random(seed))
        made.set_group("g", [Place("light", weight=1), Place("heavy", weight=9)])
        made.host_up("light", facts())
        made.host_up("heavy", facts())
        made.submit(spec(1))
        first += [each.host for each in made.settle(0.0) if isinstance(each, Demand)]
    assert 0.8 < first.count("heavy") / len(first) < 0.98


# -- when nothing is queued


def test_a_job_that_has_not_begun_moves_to_a_host_that_is_free():
    made = dispatcher(known(j1=2.0, j2=2.0), a=1, b=1)
    for number in (1, 2):
        made.submit(spec(number))
    made.granted("a", 2, 0.0)
    made.started(1, "a", 0.01)
    assert made.settle(1.0) == [Demand("b", 1, NORMAL)]
    assert made.granted("b", 1, 1.0) == [Cancel(2, "a"), Send(2, "b")]


def test_a_straggler_is_raced_and_the_first_result_counts():
    made = dispatcher(known(j1=2.0), a=1, b=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.started(1, "a", 0.0)
    assert made.settle(1.0) == []
    assert made.next_deadline(1.0) == 1.0 + LOOK_SECONDS
    assert made.settle(6.0) == [Demand("b", 1, NORMAL)]
    assert made.granted("b", 1, 6.0) == [Send(1, "b", is_race=True)]
    assert made.finished(1, "b", 8.0, 2.0) == [Cancel(1, "a")]
    assert (made.races.started, made.races.won, made.races.spent) == (1, 1, 2.0)


def test_a_race_whose_host_dies_leaves_the_first_run():
    made = dispatcher(known(j1=2.0), a=1, b=1)
    made.submit(spec(1))
    made.granted("a", 1, 0.0)
    made.started(1, "a", 0.0)
    made.settle(6.0)
    made.granted("b", 1, 6.0)
    assert made.host_down("b", 7.0, 60.0) == []
    assert made.queued == 0
    assert made.finished(1, "a", 8.0, 8.0) == []


def test_hours_of_sleep_do_no_harm():
    made = dispatcher(known(j1=2.0, j2=1.0), a=1, b=1)
    made.submit(spec(1))
    made.submit(spec(2))
    made.settle(0.0)
    made.granted("a", 1, 0.0)
    made.started(1, "a", 0.0)
    assert made.settle(36_000.0) == []
    assert made.granted("b", 1, 36_000.0) == [Send(2, "b")]
    assert made.finished(1, "a", 36_000.0, 2.0) == []


def test_a_job_that_waits_behind_others_is_moved_though_more_are_queued():
    # b's slot is somebody else's: job 1 was promised it, and does not begin.
    made = dispatcher(known(j1=3.0, j2=0.2, j3=0.2), a=1, b=1)
    made.submit(spec(1))
    assert made.granted("b", 1, 0.0) == [Send(1, "b")]
    made.submit(spec(2))
    made.submit(spec(3))
    assert made.granted("a", 1, 5.0) == [Cancel(1, "b"), Send(1, "a")]
