"""The table."""

import pytest

from fleetcc.simulation.compare import compare, jain_index, table
from fleetcc.simulation.durations import named
from fleetcc.simulation.run import Policy
from fleetcc.simulation.scenario import Build, Scenario, SimHost


def make(seed):
    builds = (Build(client, named(client, [1.0 + seed / 10] * 8), 4) for client in ("one", "two"))
    return Scenario((SimHost("h1", 2), SimHost("h2", 2)), tuple(builds))


def test_jain_index():
    assert jain_index([2.0, 2.0, 2.0]) == 1.0
    assert jain_index([1.0, 0.0]) == 0.5


def test_every_policy_is_a_row_of_means():
    rows = compare(make, list(Policy), range(2), 0.1)
    assert [row.policy for row in rows] == list(Policy)
    ideal, again = rows[0], rows[-1]
    assert ideal.seconds == pytest.approx(4.2)
    assert ideal.ratio == pytest.approx(1.0)
    assert [client for client, _ in again.clients] == ["one", "two"]
    assert 4 <= again.messages <= 8  # few jobs for each demand
    assert again.surrendered == 0


def test_the_table_has_a_line_for_each_row():
    lines = table(compare(make, [Policy.IDEAL, Policy.FIRST], range(1), 0.1))
    assert lines[0].split()[0] == "policy"
    assert [line.split()[0] for line in lines[1:]] == ["ideal", "fleetcc"]
