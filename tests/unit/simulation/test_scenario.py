"""Speeds over time, and what no schedule can beat."""

from math import inf

from fleetcc.simulation.scenario import Build, Load, Scenario, SimHost, SimJob, capacity, lower_bound


def scenario(hosts, *seconds, starts=0.0):
    jobs = tuple(SimJob(str(number), each) for number, each in enumerate(seconds))
    return Scenario(tuple(hosts), (Build("c", jobs, 4, starts),))


def test_a_job_takes_its_seconds_at_the_speed_of_its_host():
    assert SimHost("h", 1, 0.5).end_of(2.0, 1.0) == 5.0


def test_load_slows_while_it_lasts():
    host = SimHost("h", 1, 1.0, loads=(Load(2.0, 4.0, 0.5), Load(3.0, inf, 0.5)))
    assert host.end_of(1.0, 0.0) == 1.0
    assert host.end_of(3.0, 0.0) == 4.5  # 2 until 2, 0.5 until 3, 0.25 until 4, then half
    assert host.end_of(1.0, 10.0) == 12.0


def test_the_bound_is_the_work_shared_or_the_longest_job_on_the_best_host():
    hosts = [SimHost("a", 2), SimHost("b", 2, 0.5)]
    assert capacity(hosts) == 3.0
    assert lower_bound(scenario(hosts, *[1.0] * 9)) == 3.0
    assert lower_bound(scenario(hosts, 5.0, 1.0)) == 5.0


def test_the_bound_counts_from_the_first_build():
    assert lower_bound(scenario([SimHost("a", 1)], 3.0, starts=10.0)) == 3.0


def test_the_bound_knows_who_joins_dies_leaves_and_is_slowed():
    steady = SimHost("a", 1)
    assert lower_bound(scenario([steady, SimHost("b", 1, joins=2.0)], *[1.0] * 4)) == 3.0
    assert lower_bound(scenario([steady, SimHost("b", 1, dies=2.0)], *[1.0] * 6)) == 4.0
    assert lower_bound(scenario([steady, SimHost("b", 1, leaves=1.0)], *[1.0] * 6)) == 4.0
    assert lower_bound(scenario([SimHost("a", 1, loads=(Load(0.0, 2.0, 0.5),))], 1.0, 1.0)) == 3.0
