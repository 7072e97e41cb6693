"""What is learned of jobs and hosts."""

from math import exp, log
from random import Random

import pytest

from fleetcc.scheduling.history import MOST_HOSTS, MOST_RECORDS, History, Record


def test_a_job_takes_as_long_as_the_last_time():
    history = History()
    history.learn(b"a", 10, "h", 2.0)
    history.learn(b"a", 10, "h", 3.0)
    assert history.predict(b"a", 10).seconds == pytest.approx(3.0)
    assert history.predict(b"a", 10).is_known


def test_without_any_history_all_jobs_are_alike():
    first, second = History().predict(b"a", 10), History().predict(b"b", 10_000_000)
    assert first == second
    assert not first.is_known


def test_a_new_job_is_expected_to_take_what_jobs_of_its_size_take():
    history, rng = History(), Random(1)
    for number in range(500):
        size = rng.randrange(1_000, 1_000_000)
        history.learn(b"%d" % number, size, "h", size / 100_000 * exp(rng.gauss(0, 0.2)))
    small, large = history.predict(b"small", 10_000), history.predict(b"large", 900_000)
    assert small.seconds < 0.5
    assert large.seconds > 5


def speeds_after(jobs, *, again, seed=1, **true):
    """Hosts of these true speeds, in a build of new jobs, and then (`again`) in one of known ones."""
    history, rng = History(), Random(seed)
    seconds = [exp(rng.gauss(-0.3, 0.8)) for _ in range(jobs)]
    for _ in range(2 if again else 1):
        for number, each in enumerate(seconds):
            host = rng.choice(list(true))
            history.learn(b"%d" % number, 1000, host, each / true[host])
    return {host: history.speed(host) for host in true}


def test_speeds_are_learned_from_known_jobs():
    found = speeds_after(300, again=True, a=1.0, b=0.5, c=0.25)
    assert found["b"] / found["a"] == pytest.approx(0.5, rel=0.15)
    assert found["c"] / found["a"] == pytest.approx(0.25, rel=0.15)


def test_speeds_are_seen_in_a_first_build():
    found = speeds_after(300, again=False, a=1.0, b=0.4, c=1.0)
    assert found["b"] / found["a"] < 0.65
    assert found["c"] / found["a"] == pytest.approx(1.0, rel=0.3)


def test_the_speeds_of_a_fleet_do_not_drift_together():
    history, rng = History(), Random(1)
    hosts = ["a", "b", "c", "d"]
    for number in range(5_000):
        # Short jobs end first, so the population begins too short.
        history.learn(b"%d" % number, 1000, rng.choice(hosts), 0.1 if number < 20 else exp(rng.gauss(1, 0.8)))
    assert sum(log(history.speed(host)) for host in hosts) == pytest.approx(0.0, abs=1e-6)
    assert all(0.75 < history.speed(host) < 1.33 for host in hosts)


def test_a_new_host_is_taken_for_an_ordinary_one():
    found = History()
    for number in range(100):
        found.learn(b"%d" % number, 1000, "a", 4.0)
        found.learn(b"%d" % number, 1000, "b", 2.0)
    assert found.speed("new") == 1.0
    assert found.speed("a") < 1.0 < found.speed("b")


def test_what_is_known_makes_surer():
    history = History()
    before = history.uncertainty("a")
    for number in range(50):
        history.learn(b"%d" % number, 1000, "a", 1.0)
        history.learn(b"%d" % number, 1000, "b", 1.0)
    assert history.uncertainty("a") < before / 3


def test_one_job_whose_inputs_changed_does_not_turn_the_picture_round():
    history = History()
    for number in range(50):
        history.learn(b"%d" % number, 1000, "a", 1.0)
        history.learn(b"%d" % number, 1000, "b", 1.0)
    history.learn(b"7", 1000, "a", 1_000.0)
    assert 0.7 < history.speed("a") / history.speed("b") < 1.0


def test_what_was_stored_is_taken_over_with_a_little_doubt():
    history = History()
    for number in range(50):
        history.learn(b"%d" % number, 1000, "a", 2.0)
        history.learn(b"%d" % number, 1000, "b", 1.0)
    later = History()
    later.restore(history.records.items(), history.speeds)
    assert later.records == history.records
    assert later.speed("a") == pytest.approx(history.speed("a"))
    assert later.uncertainty("a") > history.uncertainty("a")
    assert later.predict(b"new", 1000).seconds == pytest.approx(
        history.predict(b"new", 1000).seconds, rel=0.2
    )


def test_a_host_that_is_forgotten_is_an_ordinary_one():
    history = History()
    for number in range(50):
        history.learn(b"%d" % number, 1000, "a", 2.0)
        history.learn(b"%d" % number, 1000, "b", 1.0)
    history.forget_host("a")
    assert history.speed("a") == 1.0
    history.forget_host("never seen")


def test_times_of_nothing_and_of_everything_are_borne():
    history = History()
    for number in range(10):
        history.learn(b"%d" % number, 0, "a", 0.0)
        history.learn(b"%d" % number, 1 << 40, "b", 1e9)
    assert 0 < history.predict(b"new", 0).seconds < float("inf")
    assert history.speed("b") / history.speed("a") > 0


def test_old_records_and_hosts_make_room():
    history = History()
    history.restore(((b"%d" % number, Record(1.0, "h")) for number in range(MOST_RECORDS)), {})
    history.learn(b"new", 1, "h", 1.0)
    assert len(history.records) == MOST_RECORDS
    assert b"0" not in history.records
    for number in range(MOST_HOSTS + 5):
        history.learn(b"x%d" % number, 1, f"host{number}", 1.0)
    assert len(history.speeds) <= MOST_HOSTS
