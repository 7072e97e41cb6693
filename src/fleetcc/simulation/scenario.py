"""What is simulated: hosts, builds and what messages cost. Values only; times are seconds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from fleetcc.model import Priority


@dataclass(frozen=True, slots=True)
class Load:
    """From `start` to `end` somebody else makes a host slower: its speed is multiplied by `factor`."""

    start: float
    end: float
    factor: float


@dataclass(frozen=True, slots=True)
class SimHost:
    """One host. Nobody but the simulator and the bounds knows its speed and its loads."""

    name: str
    slots: int
    speed: float = 1.0
    joins: float = 0.0
    leaves: float = inf  # finishes what it has, takes nothing more
    dies: float = inf  # what it has is lost
    loads: tuple[Load, ...] = ()

    def pieces(self, start: float) -> Iterator[tuple[float, float]]:
        """From `start` on: the end of each stretch of constant speed, and that speed."""
        edges = sorted({edge for load in self.loads for edge in (load.start, load.end) if start < edge < inf})
        for edge in [*edges, inf]:
            factor = 1.0
            for load in self.loads:
                if load.start <= start < load.end:
                    factor *= load.factor
            yield edge, self.speed * factor
            start = edge

    def end_of(self, seconds: float, start: float) -> float:
        """When a job of so many standard seconds ends that starts at `start`."""
        for edge, speed in self.pieces(start):
            if seconds <= (edge - start) * speed:
                return start + seconds / speed
            seconds -= (edge - start) * speed
            start = edge
        return inf


@dataclass(frozen=True, slots=True)
class SimJob:
    """One job: what it takes on a host of speed 1."""

    name: str
    seconds: float
    size: int = 100_000


@dataclass(frozen=True, slots=True)
class Build:
    """One client: its jobs in the order of its makefile, and how many of them make runs at once."""

    client: str
    jobs: tuple[SimJob, ...]
    parallel: int
    starts: float = 0.0
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class Costs:
    """What is not compiling."""

    latency: float = 0.0003  # one way, a message
    upload: float = 0.002  # a job's source, on top of that
    launch: float = 0.001  # from make's decision to the agent's queue


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation."""

    hosts: tuple[SimHost, ...]
    builds: tuple[Build, ...]
    costs: Costs = Costs()


def capacity(hosts: Iterable[SimHost]) -> float:
    """Standard seconds that the hosts do in a second, when nothing slows them."""
    return sum(host.slots * host.speed for host in hosts)


def lower_bound(scenario: Scenario) -> float:
    """No schedule ends all builds sooner: the work shared perfectly, and the longest job on the best host."""
    work = sum(job.seconds for build in scenario.builds for job in build.jobs)
    start = min(build.starts for build in scenario.builds)
    longest = max(job.seconds for build in scenario.builds for job in build.jobs)
    alone = min(host.end_of(longest, max(start, host.joins)) for host in scenario.hosts)
    # Whoever leaves finishes what it has, which may be the longest job.
    hosts = tuple(
        replace(host, dies=min(host.dies, host.end_of(longest, host.leaves))) if host.leaves < inf else host
        for host in scenario.hosts
    )
    return max(_end_of_shared(work, hosts, start), alone) - start


def _end_of_shared(work: float, hosts: tuple[SimHost, ...], start: float) -> float:
    edges = {start}
    for host in hosts:
        edges |= {host.joins, host.dies, *(edge for load in host.loads for edge in (load.start, load.end))}
    times = [*sorted(edge for edge in edges if start <= edge < inf), inf]
    for begin, end in pairwise(times):
        rate = sum(_rate(host, begin) for host in hosts)
        if rate and work <= (end - begin) * rate:
            return begin + work / rate
        work -= (end - begin) * rate if rate else 0.0
    return inf


def _rate(host: SimHost, at: float) -> float:
    if not host.joins <= at < host.dies:
        return 0.0
    return host.slots * next(host.pieces(at))[1]
