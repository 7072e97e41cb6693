"""Who may do a job that may travel as files, and why nobody may."""

import random

import pytest

from fleetcc.model import Form
from fleetcc.scheduling.fleet import Facts, HostState, HostType, Needs, Place, Prospect, Why
from fleetcc.scheduling.roster import Roster

BOTH = Needs("x", b"g++", (Form.EXPANDED,), files=True)
FILES_ALONE = Needs(None, b"g++", (), files=True)
SANDBOX = Facts(HostType.FLEET, 2, takes_files=True)
COMPILER = Facts(HostType.FLEET, 2, frozenset({"x"}))
NEITHER = Facts(HostType.FLEET, 2)
LOOKING = Facts(HostType.FLEET, 2, is_looking=True)
STOCK = Facts(HostType.STOCK, 2, forms=frozenset({Form.EXPANDED}))


def roster(**facts: Facts) -> Roster:
    """Hosts of one group, all connected."""
    made = Roster(random.Random(1))
    made.set_group("group", [Place(name) for name in facts])
    for name, told in facts.items():
        host = made.get(name)
        assert host is not None
        host.facts, host.state = told, HostState.UP
    made.changed()
    return made


def prospect(made: Roster, needs: Needs) -> Prospect | Why:
    return made.prospect(("group", needs, frozenset()), 0.0)[0]


@pytest.mark.parametrize(
    ("facts", "needs", "expected"),
    [
        (SANDBOX, FILES_ALONE, Prospect.READY),
        (SANDBOX, BOTH, Prospect.READY),
        (COMPILER, BOTH, Prospect.READY),
        (STOCK, BOTH, Prospect.READY),
        (LOOKING, FILES_ALONE, Prospect.WAIT),
        (COMPILER, FILES_ALONE, Why.NO_SANDBOX),
        (STOCK, FILES_ALONE, Why.NO_SANDBOX),
        (NEITHER, BOTH, Why.NO_SAME_COMPILER),
    ],
)
def test_what_can_be_expected_of_one_host(facts: Facts, needs: Needs, expected: Prospect | Why) -> None:
    assert prospect(roster(red=facts), needs) is expected


def test_of_several_hosts_those_that_can_do_it_may() -> None:
    made = roster(red=SANDBOX, blue=COMPILER, green=NEITHER)

    def able(needs: Needs) -> list[str]:
        return [host.id for host in made.able(("group", needs, frozenset()), 0.0).ready]

    assert able(FILES_ALONE) == ["red"]
    assert able(BOTH) == ["red", "blue"]


def test_a_host_that_loses_its_sandbox_is_asked_no_more() -> None:
    made = roster(red=SANDBOX)
    assert prospect(made, FILES_ALONE) is Prospect.READY

    host = made.get("red")
    assert host is not None
    host.facts = NEITHER
    made.changed()

    assert prospect(made, FILES_ALONE) is Why.NO_SANDBOX


def test_a_host_that_is_away_is_called_and_waited_for() -> None:
    made = roster(red=SANDBOX)
    host = made.get("red")
    assert host is not None
    host.state = HostState.DOWN
    made.changed()

    found, instructions = made.prospect(("group", FILES_ALONE, frozenset()), 0.0)

    assert found is Prospect.WAIT
    assert [type(instruction).__name__ for instruction in instructions] == ["Connect"]
