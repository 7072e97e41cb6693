"""One scenario under one policy, from the first job to the last. The same seed gives the same trace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from random import Random
from typing import Final, Protocol

from fleetcc.scheduling.history import History
from fleetcc.simulation.client import Agent, new_agent
from fleetcc.simulation.clock import Clock
from fleetcc.simulation.early import (
    Choice,
    EarlyClient,
    Ideal,
    IdealClient,
    Queue,
    hashing,
    list_order,
    shortest_queue,
    two_choices,
    weighted_random,
)
from fleetcc.simulation.machine import Machine
from fleetcc.simulation.make import MakeRun
from fleetcc.simulation.network import Network
from fleetcc.simulation.scenario import Scenario, SimHost, lower_bound
from fleetcc.simulation.server import Server

# distcc's limit for a host whose entry names none.
_DISTCC_LIMIT: Final = 4
# Nothing sensible lasts longer; a policy that has lost a job never ends.
_LONGEST_SECONDS: Final = 10_000_000.0


class Policy(Enum):
    """Who decides what runs where; the value is the name on the command line."""

    IDEAL = "ideal"
    NAMES = "distcc-names"
    LIMITS = "distcc-limits"
    HASHING = "hashing"
    RANDOM = "random"
    TWO = "two-choices"
    SHORTEST = "shortest-queue"
    FIRST = "fleetcc"
    AGAIN = "fleetcc-again"


class SimulationError(Exception):
    """The builds do not end."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the trace."""

    time: float
    what: str  # send, race, done, cancel, lost, surrender
    client: str
    job: int
    host: str


@dataclass(frozen=True, slots=True)
class ClientOutcome:
    """How one build went."""

    client: str
    seconds: float
    jobs: int
    work: float  # standard seconds
    surrendered: int = 0

    @property
    def rate(self) -> float:
        """Standard seconds in a second."""
        return self.work / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one simulation went."""

    makespan: float
    bound: float
    clients: tuple[ClientOutcome, ...]
    messages: int = 0
    declined: int = 0
    races: int = 0
    race_seconds: float = 0.0
    work_seconds: float = 0.0
    trace: tuple[Step, ...] = field(default=(), repr=False)

    @property
    def ratio(self) -> float:
        """Makespan in relation to what no schedule can beat."""
        return self.makespan / self.bound

    @property
    def extra_percent(self) -> float:
        """What races cost, of the work done."""
        return 100 * self.race_seconds / self.work_seconds if self.work_seconds else 0.0


class Client(Protocol):
    """Whoever plays one build."""

    @property
    def make(self) -> MakeRun:
        """The build, and how far it is."""

    def begin(self) -> None:
        """The build starts."""


@dataclass(slots=True)
class Stage:
    """What every policy plays on."""

    scenario: Scenario
    clock: Clock = field(default_factory=Clock)
    trace: list[Step] = field(default_factory=list)
    machines: list[Machine] = field(init=False)
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.machines = [Machine(host, self.clock) for host in self.scenario.hosts]
        self.network = Network(self.clock, self.scenario.costs)

    def log(self, what: str, client: str, job: int, host: str) -> None:
        """One thing has happened now."""
        self.trace.append(Step(self.clock.now, what, client, job, host))

    def plan_hosts(self, act: Callable[[SimHost, str], None]) -> None:
        """Plan that hosts join, leave and die; `act` hears which and what."""
        for host in self.scenario.hosts:
            for what, at in (("joins", host.joins), ("leaves", host.leaves), ("dies", host.dies)):
                if 0 < at < inf:
                    self.clock.after(at, lambda host=host, what=what: act(host, what))  # type: ignore[misc]

    def play(self, clients: Sequence[Client]) -> Outcome:
        """Every build from its start to its end; what all policies report."""
        makes = [client.make for client in clients]
        for client in clients:
            self.clock.after(client.make.build.starts, client.begin)
        while any(make.ended_at is None for make in makes):
            if not self.clock.step() or self.clock.now > _LONGEST_SECONDS:
                late = [make.build.client for make in makes if make.ended_at is None]
                raise SimulationError(f"the builds of {', '.join(late)} do not end")
        return self._outcome(makes)

    def _outcome(self, makes: Sequence[MakeRun]) -> Outcome:
        ends = [make.ended_at or 0.0 for make in makes]
        builds = tuple(
            ClientOutcome(
                make.build.client,
                end - make.build.starts,
                len(make.build.jobs),
                sum(job.seconds for job in make.build.jobs),
            )
            for make, end in zip(makes, ends, strict=True)
        )
        start = min(build.starts for build in self.scenario.builds)
        return Outcome(
            makespan=max(ends) - start,
            bound=lower_bound(self.scenario),
            clients=builds,
            messages=self.network.sent.total(),
            trace=tuple(self.trace),
        )


def simulate(
    scenario: Scenario, policy: Policy, seed: int, histories: Mapping[str, History] | None = None
) -> Outcome:
    """One run. `histories` by client is what our agents know before, and learn in, the builds."""
    rng = Random(seed)
    match policy:
        case Policy.IDEAL:
            return _ideal(Stage(scenario))
        case Policy.FIRST | Policy.AGAIN:
            known = {build.client: History() for build in scenario.builds} if histories is None else histories
            return _ours(Stage(scenario), rng, known)
        case _:
            return _early(Stage(scenario), _choice(policy, rng))


def _choice(policy: Policy, rng: Random) -> Choice:
    match policy:
        case Policy.NAMES:
            return list_order(lambda _: _DISTCC_LIMIT)
        case Policy.LIMITS:
            return list_order(lambda queue: queue.machine.host.slots)
        case Policy.HASHING:
            return hashing
        case Policy.RANDOM:
            return weighted_random(rng)
        case Policy.TWO:
            return two_choices(rng)
        case _:
            return shortest_queue


def _early(stage: Stage, choose: Choice) -> Outcome:
    queues = [Queue(machine) for machine in stage.machines]
    by_name = {queue.name: queue for queue in queues}
    clients = [
        EarlyClient(build, stage.network, queues, choose, stage.log) for build in stage.scenario.builds
    ]

    def host_changes(host: SimHost, what: str) -> None:
        if what == "dies":
            by_name[host.name].die()
        by_name[host.name].is_leaving |= what == "leaves"
        for client in clients:
            client.look_again()

    stage.plan_hosts(host_changes)
    return stage.play(clients)


def _ideal(stage: Stage) -> Outcome:
    ideal = Ideal(stage.machines, stage.log)
    by_name = {machine.host.name: machine for machine in stage.machines}
    clients = [IdealClient(build, ideal) for build in stage.scenario.builds]

    def host_changes(host: SimHost, what: str) -> None:
        if what == "dies":
            by_name[host.name].die()
            ideal.died(by_name[host.name])
        if what == "leaves":
            ideal.leaving.add(host.name)
        ideal.look_again()

    stage.plan_hosts(host_changes)
    return stage.play(clients)


def _ours(stage: Stage, rng: Random, histories: Mapping[str, History]) -> Outcome:
    servers = {machine.host.name: Server(machine, stage.network) for machine in stage.machines}
    agents = [
        new_agent(
            build, stage.network, servers, histories[build.client], Random(rng.getrandbits(64)), stage.log
        )
        for build in stage.scenario.builds
    ]

    def host_changes(host: SimHost, what: str) -> None:
        if what == "dies":
            servers[host.name].die()
        elif what == "leaves":
            servers[host.name].leave()
        else:
            for agent in agents:
                agent.look_again()

    stage.plan_hosts(host_changes)
    return _with_races(stage.play(agents), agents)


def _with_races(outcome: Outcome, agents: list[Agent]) -> Outcome:
    budgets = [agent.dispatcher.races for agent in agents]
    return replace(
        outcome,
        clients=tuple(
            replace(each, surrendered=agent.surrendered)
            for each, agent in zip(outcome.clients, agents, strict=True)
        ),
        declined=sum(agent.said["declined"] for agent in agents),
        races=sum(budget.started for budget in budgets),
        race_seconds=sum(budget.spent for budget in budgets),
        work_seconds=sum(budget.work_done for budget in budgets),
    )
