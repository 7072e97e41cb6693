"""What a server counts."""

from typing import get_args

import pytest

from fleetcc.server.stats import COMPILE_BOUNDS, KINDS, WAITING_BOUNDS, Cause, Histogram, Stats


def test_durations_are_counted_below_the_bounds_that_hold_them():
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.0, 1.0, 1.5, 2.0, 2.1, 100.0):
        histogram.add(seconds)
    assert histogram.counts == [2, 2, 2]
    assert histogram.total == pytest.approx(106.6)


@pytest.mark.parametrize("bounds", [COMPILE_BOUNDS, WAITING_BOUNDS])
def test_bounds_ascend(bounds):
    assert list(bounds) == sorted(set(bounds))


def test_every_cause_is_counted_from_the_start_so_that_its_first_increase_is_seen():
    stats = Stats()
    assert tuple(stats.refusals) == get_args(Cause)
    assert set(stats.refusals.values()) == {0}
    assert {(kind, "ok") for kind in KINDS} < set(stats.jobs)


def test_jobs_are_counted_by_kind_and_outcome():
    stats = Stats()
    stats.count("files", "ok")
    stats.count("distcc", "ok")
    stats.count("distcc", "compile-error")
    assert stats.jobs["files", "ok"] == 1
    assert stats.by_outcome() == {"ok": 2, "compile-error": 1}
    assert stats.total == 3


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        ("limits", "limits"), ("too-much", "limits"), ("sandbox", "sandbox"), ("timeout", "lifetime"),
        ("unknown-compiler", "identity"), ("missing-compiler", "compiler"), ("form-refused", "command"),
    ],
)  # fmt: skip
def test_a_job_that_this_server_would_not_do_is_a_refusal(outcome, cause):
    stats = Stats()
    stats.count("files", outcome)
    assert {cause: count for cause, count in stats.refusals.items() if count} == {cause: 1}


def test_what_was_let_in_and_refused_is_told_from_what_was_not_let_in():
    stats = Stats()
    for cause in ("not-allowed", "overloaded", "malformed", "silent"):
        stats.refuse(cause)
    assert stats.rejected == 2
