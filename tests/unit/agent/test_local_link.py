"""`localhost` as a host: it grants when a local slot is free, and gives every slot back."""

import asyncio
from itertools import permutations

import pytest

from fleetcc.agent.local_link import LocalLink
from fleetcc.agent.local_slots import LocalSlots, Use
from fleetcc.model import Priority
from tests.support.link_events import LinkEvents


class Bench:
    """One link, its slots and what it told."""

    def __init__(self, tasks, limit=2, local_limit=4):
        self.slots = LocalSlots()
        self.events = LinkEvents()
        self.link = LocalLink("localhost", limit, self.events, tasks, self.slots, local_limit)

    def demand(self, most):
        self.link.demand(most, Priority.NORMAL)

    @property
    def granted(self):
        return len(self.events.of("granted"))

    @property
    def taken(self):
        return self.slots.taken[Use.COMPILE]


async def settle():
    """Let everything happen that needs no slot."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def tasks():
    async with asyncio.TaskGroup() as group:
        yield group


@pytest.fixture
def bench(tasks):
    return Bench(tasks)


async def test_a_demand_is_granted_as_slots_are_free_and_not_from_within_the_call(bench):
    bench.demand(1)

    assert bench.events.told == []
    await settle()
    assert bench.events.told == [("granted", "localhost", 1)]
    assert bench.taken == 1


async def test_it_grants_no_more_than_its_limit_and_no_more_than_is_demanded(bench):
    bench.demand(1)
    await settle()
    assert bench.granted == 1

    bench.demand(10)
    await settle()
    assert bench.granted == bench.taken == 2


async def test_a_job_that_is_over_makes_room_for_the_next(bench):
    bench.demand(3)
    await settle()

    bench.link.over()
    await settle()
    bench.link.over()
    bench.link.over()
    await settle()

    assert bench.granted == 3
    assert bench.taken == 0


async def test_a_grant_that_is_given_back_frees_its_slot(bench):
    bench.demand(2)
    await settle()
    bench.demand(0)

    bench.link.decline(2)
    await settle()

    assert bench.taken == 0


async def test_slots_that_others_hold_are_waited_for(tasks):
    bench = Bench(tasks, local_limit=1)
    await bench.slots.acquire(Use.COMPILE, 1)
    bench.demand(1)
    await settle()
    assert bench.granted == 0

    bench.slots.release(Use.COMPILE)
    await settle()

    assert bench.granted == 1


async def test_a_demand_that_is_taken_back_waits_for_no_slot(tasks):
    bench = Bench(tasks, local_limit=1)
    await bench.slots.acquire(Use.COMPILE, 1)
    bench.demand(1)
    await settle()
    assert bench.slots.waiting_count(Use.COMPILE) == 1

    bench.demand(0)
    await settle()

    assert bench.slots.waiting_count(Use.COMPILE) == 0
    bench.slots.release(Use.COMPILE)
    await settle()
    assert (bench.granted, bench.taken) == (0, 0)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_slot_that_comes_in_the_moment_of_the_close_goes_back(tasks, when):
    bench = Bench(tasks, local_limit=1)
    await bench.slots.acquire(Use.COMPILE, 1)
    bench.demand(1)
    await settle()

    actions = [lambda: bench.slots.release(Use.COMPILE), bench.link.close]
    for act in actions if when == "after" else actions[::-1]:
        act()
    await settle()

    assert (bench.granted, bench.taken) == (0, 0)


async def test_a_demand_that_comes_back_at_once_is_granted_once(bench):
    bench.demand(1)
    bench.demand(0)
    bench.demand(1)
    await settle()

    assert bench.granted == bench.taken == 1


EVENTS = ("over", "decline", "demand 0", "demand 5", "release")


@pytest.mark.parametrize("order", list(permutations(EVENTS)), ids=" ".join)
@pytest.mark.parametrize("patient", [True, False], ids=["settling", "at once"])
async def test_slots_come_back_whatever_the_order(tasks, order, patient):
    bench = Bench(tasks, limit=3, local_limit=4)
    await bench.slots.acquire(Use.COMPILE, 4)
    bench.demand(2)
    await settle()
    does = {
        "over": bench.link.over,
        "decline": lambda: bench.link.decline(1),
        "demand 0": lambda: bench.demand(0),
        "demand 5": lambda: bench.demand(5),
        "release": lambda: bench.slots.release(Use.COMPILE),
    }

    for event in order:
        does[event]()
        if patient:
            await settle()
            assert bench.taken <= 4

    bench.demand(0)
    await settle()
    for _ in range(bench.granted - 2):
        bench.link.over()
    assert bench.taken == 0
    assert bench.slots.waiting_count(Use.COMPILE) == 0


async def test_nothing_is_granted_after_the_close_and_running_jobs_still_give_back(bench):
    bench.demand(5)
    await settle()

    bench.link.close()
    bench.link.over()
    bench.link.over()
    await settle()

    assert (bench.granted, bench.taken) == (2, 0)
