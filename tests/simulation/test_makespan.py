"""How long builds take in relation to what no schedule can beat, and to the ideal; fixed seeds."""

from collections import Counter
from dataclasses import replace
from statistics import mean

import pytest

from fleetcc.simulation.compare import run
from fleetcc.simulation.durations import named
from fleetcc.simulation.run import Policy, simulate
from fleetcc.simulation.scenario import Build, Costs, Scenario, SimHost
from tests.simulation.fleets import (
    EQUAL,
    UNEQUAL,
    big_scenario,
    builds,
    slots,
    three_long_jobs_last,
)

SEEDS = range(8)


@pytest.mark.parametrize("hosts", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("clients", [1, 2])
def test_a_first_build_is_as_good_as_an_ideal_queue(hosts, clients):
    ratios = []
    for seed in SEEDS:
        scenario = Scenario(hosts, builds(clients, seed, slots(hosts) * 3 // 2))
        ours, ideal = (simulate(scenario, policy, seed) for policy in (Policy.FIRST, Policy.IDEAL))
        ratios.append(ours.makespan / ideal.makespan)
    assert mean(ratios) <= 1.05


@pytest.mark.parametrize("hosts", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("clients", [1, 2])
def test_a_second_build_is_close_to_the_bound(hosts, clients):
    outcomes = [
        run(Scenario(hosts, builds(clients, seed, slots(hosts) * 4)), Policy.AGAIN, seed, vary=0.1)
        for seed in SEEDS
    ]
    assert mean(outcome.ratio for outcome in outcomes) <= 1.07
    assert max(outcome.ratio for outcome in outcomes) <= 1.15
    assert all(outcome.messages <= 5 * 200 * clients for outcome in outcomes)


def test_long_jobs_that_come_last_do_not_stay_on_slow_hosts():
    ratios = [simulate(three_long_jobs_last(seed), Policy.FIRST, seed).ratio for seed in SEEDS]
    assert mean(ratios) <= 1.4
    assert max(ratios) <= 1.5


@pytest.mark.parametrize("letter", "ABCDEF")
def test_fleets_that_are_mixed_loaded_and_shared(letter):
    outcome = run(big_scenario(letter, 0), Policy.AGAIN, 0, vary=0.4)
    assert outcome.ratio <= 1.12
    assert outcome.messages / 6000 <= 5


def test_many_hosts_and_equal_jobs():
    hosts = tuple(SimHost(f"h{number:02}", 8) for number in range(32))
    outcome = simulate(Scenario(hosts, (Build("c", named("c", [2.0] * 2000), 400),)), Policy.FIRST, 0)
    assert outcome.ratio <= 1.08
    assert outcome.messages / 2000 <= 5


def test_a_host_that_dies_costs_what_it_would_have_done():
    ratios = []
    for seed in SEEDS:
        scenario = Scenario(EQUAL, builds(1, seed, 24))
        half = simulate(scenario, Policy.FIRST, seed).makespan / 2
        dying = replace(scenario, hosts=(*EQUAL[:3], replace(EQUAL[3], dies=half)))
        ours, ideal = (simulate(dying, policy, seed) for policy in (Policy.FIRST, Policy.IDEAL))
        done = [step.job for step in ours.trace if step.what == "done"]
        assert sorted(done) == list(range(200))
        assert not ours.clients[0].surrendered
        assert any(step.what == "lost" for step in ours.trace)
        ratios.append(ours.makespan / ideal.makespan)
    assert mean(ratios) <= 1.05
    assert max(ratios) <= 1.10


def test_a_host_that_leaves_loses_nothing():
    hosts = (*EQUAL[:3], replace(EQUAL[3], leaves=5.0))
    outcome = simulate(Scenario(hosts, builds(1, 0, 24)), Policy.FIRST, 0)
    assert not any(step.what in {"lost", "surrender"} for step in outcome.trace)
    assert max(step.time for step in outcome.trace if step.what == "send" and step.host == "h3") < 5.01


def test_a_host_that_joins_is_used_at_once():
    hosts = (*EQUAL[:3], replace(EQUAL[3], joins=3.0))
    outcome = simulate(Scenario(hosts, builds(1, 0, 24)), Policy.FIRST, 0)
    sent = [step.time for step in outcome.trace if step.what == "send" and step.host == "h3"]
    assert 3.0 < min(sent) < 3.1
    assert len(sent) > 30


@pytest.mark.parametrize("upload", [0.3, 1.5])
def test_jobs_whose_sources_travel_long_are_not_sent_from_host_to_host(upload):
    scenario = Scenario(UNEQUAL, builds(1, 0, 22), Costs(upload=upload))
    outcome = simulate(scenario, Policy.FIRST, 0)
    sent = Counter(step.job for step in outcome.trace if step.what == "send")
    assert max(sent.values()) <= 4
    assert sent.total() <= 1.1 * 200


@pytest.mark.parametrize("hosts", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_races_stay_within_their_budget(hosts):
    for seed in SEEDS:
        outcome = simulate(Scenario(hosts, builds(1, seed, slots(hosts) * 3 // 2)), Policy.FIRST, seed)
        # What a race will cost is estimated when it begins; estimates err by less than half the allowance.
        assert outcome.race_seconds <= 5.0 + 0.02 * outcome.work_seconds + 2.5
