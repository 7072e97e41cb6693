"""Several builds on one fleet: small ones are not kept waiting by big ones, equal ones get the same."""

from statistics import mean

import pytest

from fleetcc.model import Priority
from fleetcc.simulation.compare import jain_index, run
from fleetcc.simulation.run import Policy, simulate
from fleetcc.simulation.scenario import Build, Scenario, capacity
from tests.simulation.fleets import EQUAL, UNEQUAL, builds, jobs, one_big_and_three_small


@pytest.mark.parametrize("hosts", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_small_builds_need_what_they_would_need_on_their_share(hosts):
    ratios = []
    for seed in range(5):
        scenario = one_big_and_three_small(hosts, seed)
        outcome = simulate(scenario, Policy.FIRST, seed)
        share = capacity(hosts) / 4
        for build, client in zip(scenario.builds[1:], outcome.clients[1:], strict=True):
            seconds = [job.seconds for job in build.jobs]
            alone = max(sum(seconds) / share, *seconds)
            ratios.append(client.seconds / alone)
    assert mean(ratios) <= 1.3


@pytest.mark.parametrize("clients", [2, 4])
def test_equal_builds_get_equal_shares(clients):
    for seed in range(3):
        outcome = simulate(Scenario(EQUAL, builds(clients, seed, 32)), Policy.FIRST, seed)
        assert jain_index([client.rate for client in outcome.clients]) >= 0.95


def test_an_urgent_build_gets_more_than_a_patient_one():
    urgent = Build("urgent", jobs("one", 0), 32, priority=Priority.INTERACTIVE)
    patient = Build("patient", jobs("two", 0), 32, priority=Priority.CI)
    outcome = simulate(Scenario(EQUAL, (urgent, patient)), Policy.FIRST, 0)
    assert outcome.clients[0].seconds < 0.75 * outcome.clients[1].seconds


def test_short_jobs_do_not_wait_for_ever_behind_long_ones():
    # Known long jobs keep coming after a known short one.
    long = jobs("long", 0, 400, mean=3.0, sigma=0.2)
    short = jobs("short", 0, 1, mean=0.1)
    scenario = Scenario(EQUAL[:1], (Build("c", (*long[:10], *short, *long[10:]), 40),))
    outcome = run(scenario, Policy.AGAIN, 0, vary=0.05)
    sent = [step.job for step in outcome.trace if step.what == "send"]
    assert sent.index(10) < 100
