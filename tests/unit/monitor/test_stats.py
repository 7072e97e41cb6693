"""Figures of many jobs."""

import msgspec
import pytest

from fleetcc.monitor.lanes import HERE
from fleetcc.monitor.stats import stats_of, stats_text
from tests.support.past_builds import START, local, record, remote

TWO = [
    remote(1, "b1:3632", runs=2, prepares=0, uploads=0, returns=0, sent=100, received=900),
    remote(2, "b2:3632", runs=4, prepares=0, uploads=0, returns=0, sent=300, received=1100),
]


def test_jobs_are_counted_by_how_they_ended() -> None:
    gone = record(3, 0, [("waiting", 1, "")], state="cancelled")
    failed = record(4, 0, [("waiting", 1, "")], state="failed", reason="no-hosts")

    stats = stats_of([*TWO, gone, failed, local(5)])

    assert (stats.jobs, stats.done, stats.failed, stats.cancelled, stats.remote) == (5, 3, 1, 1, 2)
    assert stats.by_reason == {"remote": 2, "no-hosts": 1, "linking": 1}


def test_bytes_for_each_job_are_of_those_that_hosts_did() -> None:
    stats = stats_of([*TWO, local(3)])

    assert (stats.sent, stats.received) == (400, 2000)
    assert (stats.sent_per_job, stats.received_per_job) == (200, 1000)


def test_time_without_jobs_does_not_count() -> None:
    stats = stats_of([*TWO, local(3, at=1000, runs=2)])

    assert stats.busy_seconds == pytest.approx(4 + 2.001)
    assert stats.compiling_seconds == pytest.approx(8)
    assert stats.parallelism == pytest.approx(8 / 6.001)
    assert stats.first == START
    assert stats.last == pytest.approx(START + 1002.001)


def test_cpu_time_of_the_fleet_is_what_hosts_spent() -> None:
    assert stats_of([*TWO, local(3, cpu_seconds=9)]).cpu_seconds_remote == pytest.approx(0.9 * 6)


def test_each_host_has_its_share() -> None:
    steps = [("compiling", 1, "b1:3632"), ("waiting", 1, ""), ("compiling", 2, "b2:3632")]
    moved = record(3, 0, steps, host="b2:3632", reason="remote")

    hosts = stats_of([*TWO, moved, local(4)]).by_host

    assert {name: host.jobs for name, host in hosts.items()} == {"b2:3632": 2, HERE: 1, "b1:3632": 1}
    seconds = {name: host.seconds for name, host in hosts.items()}
    assert seconds == pytest.approx({"b2:3632": 6, HERE: 1, "b1:3632": 3})


def test_a_host_may_say_anything_of_its_compilers_time() -> None:
    (slow,) = stats_of([remote(1, runs=2, prepares=0, uploads=0, returns=0, run_seconds=1e9)]).slowest

    assert slow.seconds == 2


def test_the_slowest_come_first() -> None:
    stats = stats_of([*TWO, local(3, runs=3)])

    assert [(slow.job, slow.seconds) for slow in stats.slowest] == [
        (2, 4),
        (3, pytest.approx(3)),
        (1, 2),
    ]


def test_the_text_has_all_of_it() -> None:
    shown = stats_text("build b", stats_of([*TWO, local(3)]))

    assert shown.startswith("build b: 3 jobs, 2 on hosts, 1 here\n")
    for word in (
        "4.0 s",
        "b1:3632",
        "linking",
        "calls the linker",
        "src/u2.cc",
        "CPU",
        "400 B sent",
        "slowest",
    ):
        assert word in shown


def test_no_jobs_are_said_in_one_line() -> None:
    assert stats_text("today", stats_of([])) == "today: no jobs"


def test_programs_get_plain_json() -> None:
    plain = msgspec.json.decode(msgspec.json.encode(stats_of(TWO)))

    assert plain["by_host"]["b1:3632"]["jobs"] == 1
    assert plain["slowest"][0]["label"] == "src/u2.cc"
