"""Other schedulers, as baselines: who binds a job when make starts it, and the ideal that binds at the last
moment and knows everything.

They are modelled kindly: no lock files, no pauses of a second, no time for their decisions; a client that
waits for a free place gets it in the moment in which it is free.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias
from zlib import crc32

from fleetcc.simulation.client import Log
from fleetcc.simulation.machine import Machine
from fleetcc.simulation.make import MakeRun
from fleetcc.simulation.network import Network
from fleetcc.simulation.scenario import Build, SimJob


@dataclass(eq=False, slots=True)
class Queue:
    """A host as stock servers are: takes what comes, first come, first served."""

    machine: Machine
    waiting: "deque[tuple[SimJob, Callable[[float | None], None]]]" = field(default_factory=deque)
    assigned: int = 0  # by anybody, until it is done
    is_leaving: bool = False
    _running: dict[int, Callable[[float | None], None]] = field(default_factory=dict)
    _count: int = 0

    @property
    def name(self) -> str:
        """The host's."""
        return self.machine.host.name

    @property
    def is_open(self) -> bool:
        """Whether clients may use it."""
        host, now = self.machine.host, self.machine.clock.now
        return not self.machine.is_dead and not self.is_leaving and host.joins <= now

    @property
    def length(self) -> int:
        """Jobs here, running and waiting."""
        return len(self._running) + len(self.waiting)

    def arrive(self, job: SimJob, over: Callable[[float | None], None]) -> None:
        """A job; `over` hears how long it took, or None when the host has died."""
        if self.machine.is_dead:
            over(None)
            return
        self.waiting.append((job, over))
        self._start()

    def die(self) -> None:
        """Everything here is lost."""
        lost = [*self._running.values(), *(over for _, over in self.waiting)]
        self.machine.die()
        self._running.clear()
        self.waiting.clear()
        for over in lost:
            over(None)

    def _start(self) -> None:
        while self.waiting and self.machine.free:
            job, over = self.waiting.popleft()
            self._count += 1
            self._running[self._count] = over
            self.machine.run(job.seconds, lambda took, number=self._count: self._ended(number, took))  # type: ignore[misc]

    def _ended(self, number: int, took: float) -> None:
        over = self._running.pop(number)
        self._start()
        over(took)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job wants a host."""

    job: SimJob
    hosts: list[Queue]
    ours: dict[str, int]  # how many jobs this client has at each


Choice: TypeAlias = Callable[[Asked], Queue | None]  # one of the hosts; None: wait


def list_order(limit_of: Callable[[Queue], int]) -> Choice:
    """distcc: the host with the fewest of our jobs below its limit, the first of the list among equals."""

    def choose(asked: Asked) -> Queue | None:
        open_ = [host for host in asked.hosts if asked.ours[host.name] < limit_of(host)]
        return min(open_, key=lambda host: asked.ours[host.name], default=None)

    return choose


def hashing(asked: Asked) -> Queue | None:
    """By the source's name, as nocc does it."""
    return asked.hosts[crc32(asked.job.name.encode()) % len(asked.hosts)]


def weighted_random(rng: Random) -> Choice:
    """In proportion to slots."""

    def choose(asked: Asked) -> Queue | None:
        return rng.choices(asked.hosts, [host.machine.host.slots for host in asked.hosts])[0]

    return choose


def two_choices(rng: Random) -> Choice:
    """Of two hosts, drawn by slots, the one whose queue is shorter in relation to its slots."""

    def choose(asked: Asked) -> Queue | None:
        drawn = rng.choices(asked.hosts, [host.machine.host.slots for host in asked.hosts], k=2)
        return min(drawn, key=lambda host: host.length / host.machine.host.slots)

    return choose


def shortest_queue(asked: Asked) -> Queue | None:
    """One scheduler for all clients, which knows every queue and every host's speed when nothing slows it."""
    return min(
        asked.hosts,
        key=lambda host: (host.assigned + 1) / (host.machine.host.slots * host.machine.host.speed),
    )


@dataclass(eq=False, slots=True)
class EarlyClient:
    """One client that binds each job when make starts it."""

    build: Build
    network: Network
    queues: list[Queue]
    choose: Choice
    log: Log
    make: MakeRun = field(init=False)
    _backlog: "deque[int]" = field(default_factory=deque)
    _ours: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.make = MakeRun(self.build, self.network.clock, self._launch)
        self._ours = {queue.name: 0 for queue in self.queues}

    def begin(self) -> None:
        """The build starts."""
        self.make.begin()

    def look_again(self) -> None:
        """A host has joined or gone."""
        while self._backlog and self._bind(self._backlog[0]):
            self._backlog.popleft()

    def _launch(self, number: int) -> None:
        self.network.clock.after(self.network.costs.launch, lambda: self._submit(number))

    def _submit(self, number: int) -> None:
        if self._backlog or not self._bind(number):
            self._backlog.append(number)

    def _bind(self, number: int) -> bool:
        job = self.build.jobs[number]
        hosts = [queue for queue in self.queues if queue.is_open]
        queue = self.choose(Asked(job, hosts, self._ours)) if hosts else None
        if queue is None:
            return False
        self._ours[queue.name] += 1
        queue.assigned += 1
        self.log("send", self.build.client, number, queue.name)
        costs = self.network.costs

        def over(took: float | None) -> None:
            self.network.clock.after(costs.latency, lambda: self._over(number, queue, took))

        self.network.clock.after(costs.latency + costs.upload, lambda: queue.arrive(job, over))
        return True

    def _over(self, number: int, queue: Queue, took: float | None) -> None:
        self._ours[queue.name] -= 1
        queue.assigned -= 1
        if took is None:
            self._backlog.append(number)
        else:
            self.log("done", self.build.client, number, queue.name)
            self.make.over(number)
        self.look_again()


@dataclass(eq=False, slots=True)
class Ideal:
    """One queue for all clients, first come, first served; each job is bound when a slot is free, the
    fastest slots first.

    Nothing costs anything. It does not know how long jobs take.
    """

    machines: list[Machine]
    log: Log
    leaving: set[str] = field(default_factory=set)
    _waiting: "deque[tuple[IdealClient, int]]" = field(default_factory=deque)
    _running: dict[tuple["IdealClient", int], Machine] = field(default_factory=dict)

    def submit(self, client: "IdealClient", number: int) -> None:
        """One more job."""
        self._waiting.append((client, number))
        self.look_again()

    def look_again(self) -> None:
        """Bind what can be bound."""
        while self._waiting:
            free = [machine for machine in self.machines if machine.free and self._is_open(machine)]
            if not free:
                return
            best = max(free, key=lambda machine: next(machine.host.pieces(machine.clock.now))[1])
            self._start(best, *self._waiting.popleft())

    def died(self, machine: Machine) -> None:
        """What it ran comes back."""
        lost = [key for key, where in self._running.items() if where is machine]
        for key in lost:
            del self._running[key]
        self._waiting.extendleft(reversed(lost))
        self.look_again()

    def _start(self, machine: Machine, client: "IdealClient", number: int) -> None:
        self._running[client, number] = machine
        self.log("send", client.build.client, number, machine.host.name)
        machine.run(client.build.jobs[number].seconds, lambda _: self._ended(client, number))

    def _ended(self, client: "IdealClient", number: int) -> None:
        machine = self._running.pop((client, number))
        self.log("done", client.build.client, number, machine.host.name)
        client.make.over(number)
        self.look_again()

    def _is_open(self, machine: Machine) -> bool:
        return machine.host.name not in self.leaving and machine.host.joins <= machine.clock.now


@dataclass(eq=False, slots=True)
class IdealClient:
    """One build for the ideal."""

    build: Build
    ideal: Ideal
    make: MakeRun = field(init=False)

    def __post_init__(self) -> None:
        self.make = MakeRun(self.build, self.ideal.machines[0].clock, self._submit)

    def begin(self) -> None:
        """The build starts."""
        self.make.begin()

    def _submit(self, number: int) -> None:
        self.ideal.submit(self, number)
