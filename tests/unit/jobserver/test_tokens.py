"""The arithmetic of tokens, against builds that take, give back, die and cheat."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleetcc.jobserver.tokens import LOOKS, Pool


@dataclass
class Build:
    """A pipe, and jobs that hold tokens of it; the pool sees only how many lie in the pipe."""

    pool: Pool = field(default_factory=Pool)
    free: int = 0
    held: list[bool] = field(default_factory=list)  # a job each: whether it lives

    def settle(self) -> None:
        """What the jobserver does after every event."""
        missing = self.pool.missing
        self.free += missing
        self.pool.wrote(missing)
        taken = min(self.free, self.pool.surplus)
        self.free -= taken
        self.pool.took(taken)

    @property
    def living(self) -> int:
        return sum(self.held)

    def want(self, capacity: int) -> None:
        self.pool.want(capacity)
        self.settle()


def test_one_of_the_jobs_needs_no_token() -> None:
    build = Build()
    build.want(8)
    assert build.free == 7


def test_a_capacity_of_one_or_none_needs_no_token() -> None:
    build = Build()
    for capacity in (1, 0):
        build.want(capacity)
        assert build.free == 0


def test_fewer_are_taken_back_at_once_as_far_as_they_are_free_and_later_as_they_come() -> None:
    build = Build()
    build.want(5)
    build.free, build.held = 1, [True] * 3
    build.want(2)
    assert (build.free, build.pool.surplus) == (0, 2)
    build.free, build.held = 1, [True] * 2
    build.settle()
    assert (build.free, build.pool.surplus) == (0, 1)


def test_tokens_of_the_dead_are_written_again_after_several_looks() -> None:
    build = Build()
    build.want(5)
    build.free = 0  # four are held, of which the living hold one at most
    given_up = [build.pool.looked(0, 1) for _ in range(LOOKS)]
    assert given_up == [0] * (LOOKS - 1) + [3]
    build.settle()
    assert build.free == 3


def test_a_token_on_its_way_is_not_lost() -> None:
    pool = Pool()
    pool.want(5)
    pool.wrote(4)
    assert [pool.looked(0, held) for held in (3, 4, 3, 3, 4, 3, 3, 4)] == [0] * 8


def test_tokens_that_nobody_was_given_are_taken_out_again() -> None:
    build = Build()
    build.want(3)
    build.free += 4  # by a tool that writes what it never read
    build.pool.saw(build.free)
    build.settle()
    assert build.free == build.pool.issued == 2


@given(st.lists(st.integers(min_value=0, max_value=1000), min_size=1))
def test_a_build_that_takes_nothing_has_what_was_wanted_last(capacities: list[int]) -> None:
    build = Build()
    for capacity in capacities:
        build.want(capacity)
    assert build.free == build.pool.issued == max(0, capacities[-1] - 1)


class AnyBuild(RuleBasedStateMachine):
    """Any order of events; a job that dies keeps its token."""

    def __init__(self) -> None:
        super().__init__()
        self.build = Build()
        self.most = 0

    @rule(capacity=st.integers(min_value=0, max_value=20))
    def fleet_changes(self, capacity: int) -> None:
        self.build.want(capacity)

    @precondition(lambda self: self.build.free)
    @rule()
    def job_begins(self) -> None:
        self.build.free -= 1
        self.build.held.append(True)

    @precondition(lambda self: self.build.living)
    @rule()
    def job_ends(self) -> None:
        self.build.held.remove(True)
        self.build.free += 1
        self.build.settle()

    @precondition(lambda self: self.build.living)
    @rule()
    def job_is_killed_with_its_make(self) -> None:
        self.build.held.remove(True)

    @rule(more=st.integers(min_value=0, max_value=3))
    def look(self, more: int) -> None:
        """The bound is never too low."""
        self.build.pool.looked(self.build.free, self.build.living + more)
        self.build.settle()

    @invariant()
    def never_more_than_wanted_beside_those_that_still_run(self) -> None:
        build = self.build
        assert build.free == 0 or build.free + build.living <= build.pool.wanted

    @invariant()
    def all_the_living_count(self) -> None:
        assert self.build.pool.issued >= self.build.free + self.build.living

    def teardown(self) -> None:
        """When all is quiet the count is whole, whatever was."""
        build = self.build
        while build.living:
            self.job_ends()
        for _ in range(2 * LOOKS):  # the first half may still remember a look at fewer
            build.pool.looked(build.free, 0)
            build.settle()
        assert build.free == build.pool.issued == build.pool.wanted


TestAnyBuild = AnyBuild.TestCase
