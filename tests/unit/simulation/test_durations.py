"""Durations: drawn and recorded."""

from random import Random
from statistics import mean

import pytest

from fleetcc.simulation.durations import log_normal, named, recorded, varied


def test_drawn_durations_have_their_mean_and_their_cap():
    drawn = log_normal(Random(1), 20_000, mean=2.0, sigma=0.5, cap=100.0)
    assert mean(drawn) == pytest.approx(2.0, rel=0.03)
    assert max(log_normal(Random(1), 1000, mean=1.0, sigma=0.8, cap=3.0)) == 3.0


def test_the_next_build_has_the_same_jobs_and_other_times():
    jobs = named("c", [1.0, 2.0])
    again = varied(Random(1), jobs, 0.1)
    assert [job.name for job in again] == [job.name for job in jobs]
    assert all(0.5 < after.seconds / before.seconds < 2 for before, after in zip(jobs, again, strict=True))
    assert varied(Random(1), jobs, 0.0) == jobs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1.5, 2]", [1.5, 2.0]),
        ("1.5\n\n# a comment\n2\n", [1.5, 2.0]),
        ("source,seconds\na.cc,1.5\nb.cc,2\n", [1.5, 2.0]),
        ("# ninja log v5\n100\t400\t0\ta.o\taa\n0\t250\t0\tb.o\tbb\n0\t250\t0\tb.d\tbb\n", [0.25, 0.3]),
    ],
)
def test_recorded_durations_are_read(text, expected):
    assert recorded(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no durations"),
        ("[]", "has no durations"),
        ("[1, 0]", "must be above 0"),
        ('["fast"]', "fast"),
        ("[[1]]", "no number of seconds"),
        ("[1", "JSON"),
        ("1\nfast\n", "line 2, 'fast'"),
        ("nan\n", "must be above 0"),
        ("# ninja log v5\n1\t2\n", "2 columns where a .ninja_log has 5"),
    ],
)
def test_what_cannot_be_read_is_told(text, message):
    with pytest.raises(ValueError, match=message):
        recorded(text)
