"""What can be expected of runs and hosts."""

import pytest

from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import Facts, HostType, JobSpec, Needs
from fleetcc.scheduling.history import Prediction
from fleetcc.scheduling.state import (
    PATIENCE_SECONDS,
    Host,
    Job,
    Run,
    free_times,
    remaining,
    wait_for_slot,
    wait_of,
)

NEEDS = Needs("x", b"g++", (Form.EXPANDED,))


def job(number=1, seconds=4.0, *, is_known=True, priority=Priority.NORMAL):
    return Job(JobSpec(number, b"", 1, "g", NEEDS, priority), Prediction(seconds, is_known))


def host(slots=2, speed=1.0, **runs):
    """With runs j1=(bound, started)."""
    made = Host("h", speed, facts=Facts(HostType.FLEET, slots))
    for name, (bound, started) in runs.items():
        made.runs[int(name[1:])] = Run(bound, started)
    return made


def test_urgent_long_and_old_jobs_are_first():
    ranks = [
        job(3, 1.0).rank,
        job(1, 5.0, priority=Priority.CI).rank,
        job(2, 2.0).rank,
        job(4, 1.0).rank,
        job(5, 0.1, priority=Priority.INTERACTIVE).rank,
    ]
    assert [number for _, _, number in sorted(ranks)] == [5, 2, 3, 4, 1]


@pytest.mark.parametrize(
    ("is_known", "elapsed", "expected"),
    [
        (True, 1.0, 3.0),
        (True, 4.0, 0.08),  # any moment now
        (True, 6.0, 2.0),  # held up: as long again
        (False, 1.0, 3.0),
        (False, 10.0, 8.0),  # a long one
    ],
)
def test_what_remains_of_a_run(is_known, elapsed, expected):
    assert remaining(job(is_known=is_known), host(), Run(0.0, 0.0), elapsed) == pytest.approx(expected)


def test_a_run_that_has_not_begun_takes_all_of_its_time_at_the_host_speed():
    assert remaining(job(), host(speed=0.5), Run(0.0), 3.0) == 8.0


def test_slots_are_free_when_runs_end():
    jobs = {1: job(1, 4.0), 2: job(2, 6.0)}
    assert free_times(host(3, j1=(0, 0), j2=(0, 0)), jobs, 1.0) == [3.0, 5.0, 0.0]


def test_a_host_that_rests_or_does_not_answer_has_no_slot_for_us():
    resting = host(1)
    resting.resting_until = 2.0
    assert free_times(resting, {}, 1.0) == []
    asked = host(1)
    asked.asked, asked.asked_at = 1, 1.0
    assert asked.probably_free(1.0) == 1
    assert asked.probably_free(1.0 + PATIENCE_SECONDS) == 0


def test_the_job_beyond_capacity_waits_for_the_first_that_ends():
    jobs = {1: job(1, 4.0), 2: job(2, 6.0)}
    assert wait_for_slot(host(2, j1=(0, 0), j2=(0, 0)), jobs, 1.0) == 3.0
    assert wait_for_slot(host(3, j1=(0, 0), j2=(0, 0)), jobs, 1.0) == 0.0


def test_where_the_last_one_waited_for_others_the_next_one_will_for_a_while():
    made = host(2)
    made.delay, made.delay_at = 3.0, 10.0
    assert wait_for_slot(made, {}, 11.0) == 2.0
    assert wait_for_slot(made, {}, 14.0) == 0.0


def test_a_run_waits_for_ours_or_for_others():
    jobs = {1: job(1, 4.0), 2: job(2, 6.0)}
    full = host(1, j1=(0, 0), j2=(0, None))
    assert wait_of(full, full.runs[2], jobs, 0.5, 1.0) == 3.0
    shared = host(2, j1=(0, 0), j2=(0, None))
    assert wait_of(shared, shared.runs[2], jobs, 0.5, 2.0) == 1.5
