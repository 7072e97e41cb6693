"""Who is left alone, and for how long."""

from fleetcc.scheduling.backoff import Backoffs


def test_the_pause_doubles_up_to_the_longest():
    backoffs, now, pauses = Backoffs(), 0.0, []
    for _ in range(8):
        pauses.append(backoffs.failed("a", None, now, 60.0))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_failures_during_a_pause_do_not_add_up():
    backoffs = Backoffs()
    assert backoffs.failed("a", None, 0.0, 60.0) == 1.0
    assert backoffs.failed("a", None, 0.25, 60.0) == 0.75
    assert backoffs.until("a", None, 0.5) == 1.0
    assert backoffs.failed("a", None, 1.0, 60.0) == 2.0


def test_one_compiler_may_be_left_alone_and_others_not():
    backoffs = Backoffs()
    backoffs.failed("a", b"clang", 0.0, 60.0)
    assert backoffs.until("a", b"clang", 0.5) == 1.0
    assert backoffs.until("a", b"gcc", 0.5) is None
    assert backoffs.until("a", None, 0.5) is None


def test_all_compilers_wait_for_a_host_that_is_left_alone():
    backoffs = Backoffs()
    backoffs.failed("a", None, 0.0, 60.0)
    assert backoffs.until("a", b"gcc", 0.5) == 1.0
    assert backoffs.until("b", b"gcc", 0.5) is None


def test_success_forgives():
    backoffs = Backoffs()
    backoffs.failed("a", None, 0.0, 60.0)
    backoffs.failed("a", b"gcc", 0.0, 60.0)
    backoffs.failed("a", b"clang", 0.0, 60.0)
    backoffs.succeeded("a", b"gcc")
    assert backoffs.until("a", b"gcc", 0.5) is None
    assert backoffs.until("a", b"clang", 0.5) == 1.0
    assert backoffs.failed("a", None, 0.6, 60.0) == 1.0


def test_without_a_longest_pause_nobody_is_left_alone():
    backoffs = Backoffs()
    assert backoffs.failed("a", None, 0.0, 0.0) == 0.0
    assert backoffs.until("a", None, 0.0) is None


def test_the_next_end_is_the_first_that_has_not_been():
    backoffs = Backoffs()
    assert backoffs.next_end(0.0) is None
    backoffs.failed("a", None, 0.0, 60.0)
    backoffs.failed("b", None, 0.5, 60.0)
    assert backoffs.next_end(0.0) == 1.0
    assert backoffs.next_end(1.0) == 1.5
    assert backoffs.next_end(9.0) is None
