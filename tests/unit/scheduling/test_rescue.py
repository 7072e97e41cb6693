"""Which job would end sooner on a host that is free."""

from random import Random

from fleetcc.model import Form
from fleetcc.scheduling.fleet import Facts, HostState, HostType, JobSpec, Needs, Place
from fleetcc.scheduling.history import Prediction
from fleetcc.scheduling.rescue import RACE_ALLOWANCE_SECONDS, RACE_SHARE, RaceBudget, Rescue, Rescuer
from fleetcc.scheduling.roster import Roster
from fleetcc.scheduling.state import Job, Run

NEEDS = Needs("x", b"g++", (Form.EXPANDED,))


class World:
    """Hosts by speed, and jobs that run there."""

    def __init__(self, **speeds):
        self.roster = Roster(Random(0))
        self.roster.set_group("g", [Place(name) for name in speeds])
        for name, speed in speeds.items():
            host = self.host(name)
            host.speed = host.least_speed = speed
            host.state, host.facts = HostState.UP, Facts(HostType.FLEET, 1, frozenset({"x"}))
        self.jobs: dict[int, Job] = {}
        self.rescuer = Rescuer(self.roster, self.jobs)

    def host(self, name):
        host = self.roster.get(name)
        assert host is not None
        return host

    def job(self, number, where, *, seconds=4.0, is_known=True, bound=0.0, started=0.0):
        job = Job(JobSpec(number, b"", 1, "g", NEEDS), Prediction(seconds, is_known))
        host = self.host(where)
        job.runs[where] = host.runs[number] = Run(bound, started)
        host.begun += started is not None
        self.jobs[number] = job
        return job

    def best(self, name, now):
        return self.rescuer.best(self.host(name), now)


def test_a_run_that_goes_as_expected_is_left_alone():
    world = World(a=1.0, b=1.0)
    world.job(1, "a")
    assert world.best("b", 3.0) is None


def test_a_known_job_that_is_late_is_raced():
    world = World(a=1.0, b=1.0)
    job = world.job(1, "a", seconds=2.0)
    assert world.best("b", 6.0) == Rescue(job, "a", is_race=True, cost=2.0)


def test_a_job_on_a_slow_host_is_raced_on_a_fast_one():
    world = World(slow=0.25, fast=1.0)
    world.job(1, "slow", seconds=4.0)
    found = world.best("fast", 1.0)
    assert found is not None
    assert found.is_race


def test_an_unknown_job_on_a_slower_host_is_raced_on_the_chance_that_it_is_long():
    world = World(slow=0.5, fast=1.0)
    world.job(1, "slow", seconds=1.0, is_known=False)
    assert world.best("fast", 0.1) is not None


def test_an_unknown_job_is_not_raced_on_a_host_of_the_same_speed():
    world = World(a=1.0, b=1.0)
    world.job(1, "a", seconds=1.0, is_known=False)
    assert world.best("b", 10.0) is None


def test_a_job_that_has_not_begun_moves():
    world = World(a=1.0, b=1.0)
    world.job(1, "a", seconds=4.0)
    waiting = world.job(2, "a", seconds=2.0, started=None)
    assert world.best("b", 1.0) == Rescue(waiting, "a", is_race=False)


def test_the_job_that_gains_most_is_first():
    world = World(a=1.0, b=1.0, c=1.0)
    world.job(1, "a", seconds=2.0)
    late = world.job(2, "b", seconds=1.0)
    found = world.best("c", 5.0)
    assert found is not None
    assert found.job is late


def test_a_job_that_is_raced_already_or_failed_there_is_not_rescued():
    world = World(a=1.0, b=1.0, c=1.0)
    raced = world.job(1, "a", seconds=1.0)
    raced.runs["b"] = world.host("b").runs[1] = Run(3.0, is_race=True)
    failed = world.job(2, "a", seconds=1.0)
    failed.avoid = frozenset({"c"})
    assert world.best("c", 6.0) is None


def test_what_runs_on_this_machine_is_not_raced():
    world = World(localhost=1.0, b=1.0)
    world.host("localhost").facts = Facts(HostType.LOCAL, 1)
    world.job(1, "localhost", seconds=1.0)
    assert world.best("b", 6.0) is None


def test_helpers_are_free_and_of_use():
    world = World(a=1.0, b=1.0, c=1.0)
    world.job(1, "a", seconds=1.0)
    world.job(2, "b", seconds=100.0)
    assert world.rescuer.helpers(6.0) == [world.host("c")]


def test_the_budget_counts_what_was_spent_and_what_is_reserved():
    budget = RaceBudget()
    assert budget.allows(RACE_ALLOWANCE_SECONDS)
    assert not budget.allows(RACE_ALLOWANCE_SECONDS + 0.1)
    budget.reserved[1] = 3.0
    assert not budget.allows(2.1)
    budget.spent = 3.0
    budget.reserved.clear()
    assert not budget.allows(2.1)
    budget.work_done = 10.0 / RACE_SHARE
    assert budget.allows(12.0)


def test_a_job_that_waits_for_others_and_would_be_late_is_stuck():
    world = World(a=1.0, shared=1.0)
    job = world.job(1, "shared", seconds=3.0, started=None)
    assert world.rescuer.stuck(world.host("a"), 1.0, 0.1) is None
    assert world.rescuer.stuck(world.host("a"), 100.0, 2.0) is None
    assert world.rescuer.stuck(world.host("a"), 1.0, 3.0) == Rescue(job, "shared", is_race=False)


def test_the_next_move_of_a_job_must_promise_more():
    world = World(a=1.0, b=1.0)
    job = world.job(1, "a", seconds=1.0, started=None)
    assert world.best("b", 2.3) == Rescue(job, "a", is_race=False)
    job.moves = 1
    assert world.best("b", 2.3) is None
    assert world.best("b", 2.5) == Rescue(job, "a", is_race=False)


def test_sources_that_travel_long_are_waited_for():
    world = World(a=1.0, b=1.0)
    world.job(1, "a", seconds=1.0, started=None)
    for _ in range(50):
        world.rescuer.began(Run(0.0), 0.01)
    assert world.best("b", 0.5) is not None
    for _ in range(500):
        world.rescuer.began(Run(0.0), 2.0)
    assert world.best("b", 0.5) is None


def test_a_job_that_waits_for_one_of_ours_is_not_stuck():
    world = World(a=1.0, ours=1.0)
    world.job(1, "ours", seconds=3.0)
    world.job(2, "ours", seconds=3.0, started=None)
    assert world.rescuer.stuck(world.host("a"), 1.0, 2.0) is None
