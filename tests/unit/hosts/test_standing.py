"""What is known of one question after each reply, and when it is asked again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.hosts.standing import Absent, Failure, Records, Reply, Standing, learn

GOOD = Records(("10.0.0.1",), 60.0)
EMPTY = Absent("no such name", 30.0)
FAILURE = Failure("SERVFAIL")


def after(*replies: tuple[float, Reply]) -> Standing:
    standing = Standing()
    for now, reply in replies:
        standing = learn(standing, reply, now)
    return standing


def test_a_question_that_was_never_asked_is_due():
    assert Standing().is_due(-1e9)
    assert not Standing().is_asked


@pytest.mark.parametrize(("ttl", "due"), [(60, 160), (0, 101), (0.5, 101), (86_400, 3700)])
def test_an_answer_counts_for_its_ttl_within_limits(ttl, due):
    standing = after((100, Records(("10.0.0.1",), ttl)))
    assert standing == Standing(("10.0.0.1",), due)
    assert standing.is_due(due)
    assert not standing.is_due(due - 0.01)


def test_a_failure_keeps_the_last_good_answer_and_is_tried_again_later_and_later():
    standing, waits = after((0, GOOD)), []
    now = 60.0
    for _ in range(8):
        standing = learn(standing, FAILURE, now)
        assert standing.due is not None
        waits.append(standing.due - now)
        now = standing.due
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert (standing.values, standing.trouble) == (("10.0.0.1",), "SERVFAIL")


def test_a_failure_that_lasts_for_years_does_not_overflow():
    standing = Standing()
    for _ in range(5000):
        standing = learn(standing, FAILURE, 0)
    assert standing.due == 30


def test_an_answer_ends_a_row_of_failures():
    assert after((0, FAILURE), (1, FAILURE), (3, GOOD)) == Standing(("10.0.0.1",), 63)


def test_one_empty_answer_is_doubted_and_asked_again_after_a_second():
    standing = after((0, GOOD), (60, EMPTY))
    assert standing.values == ("10.0.0.1",)
    assert standing.is_doubted
    assert standing.due == 61


def test_a_second_empty_answer_at_least_a_second_later_is_believed():
    assert after((0, GOOD), (60, EMPTY), (61, EMPTY)) == Standing((), 91, "no such name")


def test_a_second_empty_answer_that_comes_sooner_is_not_believed_yet():
    standing = after((0, GOOD), (60, EMPTY), (60.5, EMPTY))
    assert (standing.values, standing.due) == (("10.0.0.1",), 61)


def test_a_name_that_flaps_keeps_its_hosts():
    standing, now = after((0, GOOD)), 60.0
    for _ in range(10):
        standing = learn(standing, EMPTY, now)
        assert standing.values == ("10.0.0.1",)
        standing = learn(standing, GOOD, now + 1)
        now += 61
    assert not standing.is_doubted


def test_a_failure_between_two_empty_answers_says_nothing():
    assert after((0, GOOD), (60, EMPTY), (61, FAILURE), (62, EMPTY)).values == ()


def test_an_answer_without_records_is_an_empty_one():
    assert after((0, Records((), 60))) == Standing((), 30, "an empty answer")


@pytest.mark.parametrize(("ttl", "due"), [(0, 1), (10, 10), (3600, 30)])
def test_an_empty_answer_counts_for_half_a_minute_at_most(ttl, due):
    assert after((0, Absent("no such name", ttl))).due == due


def test_what_stays_in_an_answer_keeps_its_place():
    turned = Records(("c", "new", "a"), 60)
    assert after((0, Records(("a", "b", "c"), 60)), (60, turned)).values == ("a", "c", "new")


replies = st.one_of(
    st.builds(Records, st.lists(st.sampled_from("abc")).map(tuple), st.floats(-10, 1e9)),
    st.builds(Absent, st.just("nothing"), st.floats(-10, 1e9)),
    st.builds(Failure, st.just("failure")),
)


@given(st.lists(st.tuples(st.floats(0, 100), replies)))
def test_whatever_is_answered_it_is_asked_again_within_an_hour_and_not_at_once(steps):
    standing, now = Standing(), 0.0
    for pause, reply in steps:
        now += pause
        standing = learn(standing, reply, now)
        assert now < standing.due <= now + 3600
