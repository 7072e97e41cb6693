"""Whether an offered slot is worth taking near the end."""

from fleetcc.scheduling.tail import MOST_PLANNED, offered_job


def test_a_slot_without_rivals_takes_the_longest():
    assert offered_job((0.0, 0.25), [], [5.0, 1.0]) == 0


def test_a_slow_slot_is_passed_when_the_job_ends_sooner_elsewhere():
    assert offered_job((0.0, 0.25), [(1.0, [1.0])], [4.0]) is None


def test_a_slow_slot_takes_the_job_that_falls_to_it():
    # The long one goes to the fast slot at 0.5; the short one ends here at 2.0, there at 5.0.
    assert offered_job((0.0, 0.5), [(1.0, [0.5])], [4.0, 1.0]) == 1


def test_what_is_gained_must_be_more_than_estimates_err_by():
    assert offered_job((0.0, 1.0), [(1.02, [0.0])], [1.0]) == 0


def test_hosts_without_slots_for_us_do_not_count():
    assert offered_job((0.0, 0.1), [(1.0, [])], [1.0]) == 0


def test_a_long_queue_is_no_tail():
    jobs = [1.0] * (MOST_PLANNED + 10)
    assert offered_job((1e9, 1.0), [(1.0, [0.0])], jobs) is None


def test_no_jobs_no_offer():
    assert offered_job((0.0, 1.0), [(1.0, [0.0])], []) is None


def test_the_plan_does_not_change_what_it_was_given():
    times = [3.0, 1.0]
    offered_job((0.0, 0.1), [(1.0, times)], [1.0, 1.0, 1.0])
    assert times == [3.0, 1.0]
