"""The same seed gives the same trace, whatever hash() does; every job ends exactly once."""

import subprocess
import sys

import pytest

from fleetcc.simulation.compare import run
from fleetcc.simulation.run import Policy
from fleetcc.simulation.scenario import Scenario
from tests.simulation.fleets import UNEQUAL, builds

_PRINT = """
from tests.simulation.test_determinism import trace
print("\\n".join(map(repr, trace())))
"""


def trace():
    scenario = Scenario(UNEQUAL, builds(2, 3, 40, 60))
    return run(scenario, Policy.AGAIN, 7, vary=0.1).trace


def test_the_same_seed_gives_the_same_trace_in_another_process():
    texts = [
        subprocess.run(
            [sys.executable, "-c", _PRINT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) > 240


@pytest.mark.parametrize("policy", list(Policy), ids=lambda policy: policy.value)
def test_every_job_ends_exactly_once_under_every_policy(policy):
    scenario = Scenario(UNEQUAL, builds(2, 1, 22, 40))
    done = [
        (step.client, step.job) for step in run(scenario, policy, 1, vary=0.1).trace if step.what == "done"
    ]
    assert sorted(done) == [(client, job) for client in ("c0", "c1") for job in range(40)]
