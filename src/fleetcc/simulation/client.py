"""A simulated agent: drives the real dispatcher for one build."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol, assert_never

from fleetcc.model import Form
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import (
    Cancel,
    Connect,
    Decline,
    Demand,
    Facts,
    HostType,
    Instruction,
    JobSpec,
    Needs,
    Place,
    Send,
    Surrender,
)
from fleetcc.scheduling.history import History
from fleetcc.simulation.clock import Timer
from fleetcc.simulation.make import MakeRun
from fleetcc.simulation.network import Network
from fleetcc.simulation.scenario import Build
from fleetcc.simulation.server import Server

_GROUP: Final = "all"
_IDENTITY: Final = "0" * 64
_NEEDS: Final = Needs(_IDENTITY, b"g++", (Form.EXPANDED,))
_LONGEST_PAUSE: Final = 60.0


class Log(Protocol):
    """Hears what happens."""

    def __call__(self, what: str, client: str, job: int, host: str) -> None:
        """One thing has happened now."""


@dataclass(eq=False, slots=True)
class Agent:
    """One client, its build and its dispatcher."""

    build: Build
    network: Network
    servers: dict[str, Server]
    dispatcher: Dispatcher
    log: Log
    make: MakeRun = field(init=False)
    surrendered: int = 0
    said: Counter[str] = field(default_factory=Counter)
    _sent: set[tuple[int, str]] = field(default_factory=set)
    _turn_planned: bool = False
    _deadline: Timer | None = None

    def __post_init__(self) -> None:
        self.make = MakeRun(self.build, self.network.clock, self._launch)

    @property
    def name(self) -> str:
        """The client's."""
        return self.build.client

    def begin(self) -> None:
        """The build starts."""
        self.look_again()
        self.make.begin()

    def look_again(self) -> None:
        """A host has joined: all that have are the group's."""
        now = self.network.clock.now
        joined = [name for name, server in self.servers.items() if server.machine.host.joins <= now]
        self.dispatcher.set_group(_GROUP, [Place(name) for name in joined])
        self._turn_soon()

    # -- make

    def _launch(self, number: int) -> None:
        self.network.clock.after(self.network.costs.launch, lambda: self._submit(number))

    def _submit(self, number: int) -> None:
        job = self.make.open[number]
        self.dispatcher.submit(
            JobSpec(number, job.name.encode(), job.size, _GROUP, _NEEDS, self.build.priority)
        )
        self._turn_soon()

    # -- what servers say

    def welcomed(self, host: str) -> None:
        """The connection is open."""
        slots = self.servers[host].machine.host.slots
        self.dispatcher.host_up(host, Facts(HostType.FLEET, slots, frozenset({_IDENTITY})))
        self._turn_soon()

    def granted(self, host: str, count: int) -> None:
        """It may send so many jobs."""
        self._do(self.dispatcher.granted(host, count, self.network.clock.now))

    def began(self, host: str, job: int) -> None:
        """The job's compiler runs."""
        if (job, host) in self._sent:
            self.dispatcher.started(job, host, self.network.clock.now)
            self._turn_soon()

    def done(self, host: str, job: int, seconds: float) -> None:
        """The job's compiler has ended."""
        if (job, host) in self._sent:
            self._sent.remove((job, host))
            self.log("done", self.name, job, host)
            self._do(self.dispatcher.finished(job, host, self.network.clock.now, seconds))
            self.make.over(job)

    def refused(self, host: str, job: int) -> None:
        """The server is leaving and did not take the job."""
        if (job, host) in self._sent:
            self._sent.remove((job, host))
            self.dispatcher.take_back(job, host)
            self._turn_soon()

    def drained(self, host: str) -> None:
        """The server takes nothing more."""
        self.dispatcher.host_draining(host)
        self._turn_soon()

    def lost(self, host: str) -> None:
        """The connection is gone."""
        for job, name in sorted(self._sent):
            if name == host:
                self._sent.remove((job, host))
                self.log("lost", self.name, job, host)
        self._do(self.dispatcher.host_down(host, self.network.clock.now, _LONGEST_PAUSE))

    # -- what the dispatcher wants

    def _turn_soon(self) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            self.network.clock.after(0, self._turn)

    def _turn(self) -> None:
        self._turn_planned = False
        now = self.network.clock.now
        for instruction in self.dispatcher.settle(now):
            self._act(instruction)
        if self._deadline is not None:
            self._deadline.cancel()
        deadline = self.dispatcher.next_deadline(now)
        if deadline is not None:
            self._deadline = self.network.clock.after(max(0.0, deadline - now), self._turn_soon)

    def _do(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            self._act(instruction)
        self._turn_soon()

    def _act(self, instruction: Instruction) -> None:
        match instruction:
            case Send():
                self._send(instruction)
            case Demand(host, most, priority):
                self._tell("demand", host, lambda server: server.demand(self, most, priority))
            case Decline(host, count):
                self.said["declined"] += count
                self._tell("decline", host, lambda server: server.decline(self, count))
            case Cancel(job, host):
                self._cancel(job, host)
            case Connect(host):
                self._tell("hello", host, lambda server: server.connect(self))
            case Surrender(job, _):
                self.surrendered += 1
                self.log("surrender", self.name, job, "")
                self.network.clock.after(self.make.open[job].seconds, lambda: self.make.over(job))
            case _:
                assert_never(instruction)

    def _send(self, send: Send) -> None:
        self.said["race" if send.is_race else "send"] += 1
        self.log("race" if send.is_race else "send", self.name, send.job, send.host)
        self._sent.add((send.job, send.host))
        seconds = self.make.open[send.job].seconds
        self._tell("job", send.host, lambda server: server.job(self, send.job, seconds))

    def _cancel(self, job: int, host: str) -> None:
        self._sent.discard((job, host))
        self.log("cancel", self.name, job, host)
        self._tell("cancel", host, lambda server: server.cancel(self, job))

    def _tell(self, kind: str, host: str, arrive: Callable[[Server], None]) -> None:
        self.said[kind] += 1
        server = self.servers[host]
        self.network.message(kind, lambda: arrive(server))


def new_agent(
    build: Build, network: Network, servers: dict[str, Server], history: History, rng: Random, log: Log
) -> Agent:
    """A client that has learned what `history` says."""
    return Agent(build, network, servers, Dispatcher(history, rng), log)
