"""Which host a job gets: counts, limits, back-off; all with given times."""

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.scheduling.placement import Candidate, Nowhere, Placed, Placement

CC = b"gcc"
A4, B4, C8 = Candidate("a", 4), Candidate("b", 4), Candidate("c", 8)


def ticket(answer: Placed[str] | Nowhere | int) -> int:
    """The ticket of a job that waits."""
    assert isinstance(answer, int)
    return answer


def hosts_of(*answers):
    return [answer.host if isinstance(answer, Placed) else answer for answer in answers]


def test_equal_hosts_are_filled_breadth_first_in_list_order():
    placement: Placement[str] = Placement()

    got = [placement.request([A4, B4], CC, 0.0) for _ in range(4)]

    assert hosts_of(*got) == ["a", "b", "a", "b"]


def test_a_host_with_twice_the_limit_gets_twice_the_jobs():
    placement: Placement[str] = Placement()

    got = hosts_of(*[placement.request([A4, C8], CC, 0.0) for _ in range(12)])

    assert (got.count("a"), got.count("c")) == (4, 8)


def test_a_full_fleet_makes_jobs_wait_and_the_oldest_gets_the_freed_place():
    placement: Placement[str] = Placement()
    only = [Candidate("a", 1)]
    placement.request(only, CC, 0.0)
    first, second = placement.request(only, CC, 0.0), placement.request(only, CC, 0.0)

    answers = placement.release("a", 1.0)

    assert answers == [Placed(ticket(first), "a")]
    assert placement.release("a", 2.0) == [Placed(ticket(second), "a")]


def test_a_waiting_job_with_another_list_is_not_held_up_by_the_one_before_it():
    placement: Placement[str] = Placement()
    one_a, one_b = Candidate("a", 1), Candidate("b", 1)
    placement.request([one_a], CC, 0.0)
    placement.request([one_b], CC, 0.0)
    placement.request([one_a], CC, 0.0)
    waits_for_b = placement.request([one_b], CC, 0.0)

    assert placement.release("b", 1.0) == [Placed(ticket(waits_for_b), "b")]


def test_a_cancelled_job_leaves_its_place_in_the_line():
    placement: Placement[str] = Placement()
    only = [Candidate("a", 1)]
    placement.request(only, CC, 0.0)
    gone, stays = placement.request(only, CC, 0.0), placement.request(only, CC, 0.0)

    placement.cancel(ticket(gone))

    assert placement.release("a", 1.0) == [Placed(ticket(stays), "a")]


def test_back_off_doubles_from_one_second_up_to_the_limit():
    placement: Placement[str] = Placement()
    pauses, now = [], 0.0
    for _ in range(8):
        pause = placement.failed("a", None, now, 60.0)
        pauses.append(pause)
        now += pause

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_failures_of_jobs_that_were_under_way_count_once():
    placement: Placement[str] = Placement()

    placement.failed("a", None, 0.0, 60.0)
    placement.failed("a", None, 0.5, 60.0)

    assert placement.left_alone_until("a", CC, 0.5) == 1.0


def test_a_refusal_for_one_compiler_leaves_the_host_open_for_others():
    placement: Placement[str] = Placement()
    placement.failed("a", b"clang-14", 0.0, 60.0)

    assert placement.request([A4], b"clang-14", 0.1) == Nowhere(0)
    assert isinstance(placement.request([A4], CC, 0.1), Placed)


def test_success_forgives():
    placement: Placement[str] = Placement()
    placement.failed("a", None, 0.0, 60.0)
    placement.succeeded("a", CC)

    assert placement.left_alone_until("a", CC, 0.1) is None
    assert placement.failed("a", None, 5.0, 60.0) == 1.0


def test_when_all_hosts_are_left_alone_the_job_is_told_at_once():
    placement: Placement[str] = Placement()
    placement.failed("a", None, 0.0, 60.0)
    placement.failed("b", None, 0.0, 60.0)

    assert isinstance(placement.request([A4, B4], CC, 0.5), Nowhere)


def test_a_job_that_waits_learns_when_its_last_host_fails():
    placement: Placement[str] = Placement()
    only = [Candidate("a", 1)]
    placement.request(only, CC, 0.0)
    waiting = placement.request(only, CC, 0.0)
    placement.failed("a", None, 1.0, 60.0)

    assert placement.tick(1.0) == [Nowhere(ticket(waiting))]


def test_the_end_of_a_back_off_is_the_next_deadline_and_serves_who_waits():
    placement: Placement[str] = Placement()
    a1, b1 = Candidate("a", 1), Candidate("b", 1)
    placement.failed("a", None, 0.0, 60.0)
    placement.request([a1, b1], CC, 0.0)
    waiting = placement.request([a1, b1], CC, 0.0)

    assert placement.next_deadline(0.0) == 1.0
    assert placement.tick(1.0) == [Placed(ticket(waiting), "a")]


def test_without_back_off_a_failed_host_is_asked_again_at_once():
    placement: Placement[str] = Placement()

    assert placement.failed("a", None, 0.0, 0.0) == 0.0
    assert isinstance(placement.request([A4], CC, 0.0), Placed)


@given(st.lists(st.sampled_from(["request", "release", "cancel", "fail"]), max_size=200), st.randoms())
def test_no_limit_is_ever_exceeded_and_no_job_is_answered_twice(steps, rng):
    placement: Placement[str] = Placement()
    limits = {"a": 1, "b": 3}
    candidates = [Candidate(host, limit) for host, limit in limits.items()]
    held, waiting, answered, now = [], set(), set(), 0.0

    def take(answer):
        assert answer.ticket not in answered
        answered.add(answer.ticket)
        waiting.discard(answer.ticket)
        if isinstance(answer, Placed):
            held.append(answer.host)

    for step in steps:
        now += rng.random()
        if step == "request":
            answer = placement.request(candidates, CC, now)
            if isinstance(answer, int):
                waiting.add(answer)
            else:
                take(answer)
        elif step == "release" and held:
            for answer in placement.release(held.pop(rng.randrange(len(held))), now):
                take(answer)
        elif step == "cancel" and waiting:
            ticket = rng.choice(sorted(waiting))
            waiting.discard(ticket)
            placement.cancel(ticket)
        elif step == "fail":
            placement.failed(rng.choice("ab"), None, now, 4.0)
            for answer in placement.tick(now):
                take(answer)
        for host, limit in limits.items():
            assert held.count(host) == placement.running.get(host, 0) <= limit
        assert placement.waiting_count == len(waiting)
