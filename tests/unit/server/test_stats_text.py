"""distccd's statistics: what is sampled, and what is counted as what."""

import pytest

from fleetcc.server.stats import Stats
from fleetcc.server.stats_text import Samples, counts_of


def test_nothing_was_sampled_yet():
    samples = Samples()
    assert [samples.running(minutes) for minutes in (1, 5, 15)] == [0.0, 0.0, 0.0]
    assert samples.compiles(1, 7) == 7


def test_averages_are_of_the_last_minutes():
    samples = Samples()
    for index in range(100):  # five minutes: 20 samples a minute
        samples.take(4 if index >= 90 else 0, index)
    assert samples.running(1) == 2.0
    assert samples.running(5) == 0.4
    assert samples.running(15) == 0.4


def test_compiles_are_those_since_the_sample_of_that_time():
    samples = Samples()
    for index in range(1000):
        samples.take(0, 10 * index)
    assert samples.compiles(1, 9990) == 200
    assert samples.compiles(5, 9990) == 1000
    assert samples.compiles(15, 9990) == 3000


@pytest.mark.parametrize(
    ("outcome", "field"),
    [
        ("ok", "dcc_compile_ok"), ("compile-error", "dcc_compile_error"), ("timeout", "dcc_compile_timeout"),
        ("disconnected", "dcc_cli_disconnect"), ("cancelled", "dcc_cli_disconnect"),
        ("limits", "dcc_other"), ("missing-compiler", "dcc_other"), ("internal-error", "dcc_other"),
    ],
)  # fmt: skip
def test_each_end_of_a_job_counts_once(outcome, field):
    stats = Stats()
    stats.count("text", outcome)
    assert {name: count for name, count in counts_of(stats) if count} == {field: 1}


@pytest.mark.parametrize(
    ("cause", "fields"),
    [
        ("malformed", {"dcc_rej_bad_req": 1}), ("version", {"dcc_rej_bad_req": 1}),
        ("queue-timeout", {"dcc_rej_overload": 1}), ("command", {"dcc_other": 1}),
        ("overloaded", {"dcc_rej_overload": 1, "dcc_tcp_accept": 1}), ("not-allowed", {"dcc_tcp_accept": 1}),
    ],
)  # fmt: skip
def test_each_refusal_counts_as_what_distccd_calls_it(cause, fields):
    stats = Stats()
    stats.refuse(cause)
    assert {name: count for name, count in counts_of(stats) if count} == fields
