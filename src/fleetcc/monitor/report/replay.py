"""What one more host would have brought: the build is played again in the simulator, with and without it.

Only the comparison of two replays counts, so that what the model leaves out (the order in which jobs become
known, loads of hosts, other clients) is left out of both. What ran here is not replayed. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import end_of, stretches, was_remote
from fleetcc.monitor.report.measures import HostFacts, Measures
from fleetcc.monitor.stats import unit_seconds
from fleetcc.scheduling.history import History
from fleetcc.simulation.run import Policy, SimulationError, simulate
from fleetcc.simulation.scenario import Build, Costs, Scenario, SimHost, SimJob

# More says little more, and takes longer than a person waits.
MOST_JOBS: Final = 1500
FEWEST_JOBS: Final = 2
MOST_SECONDS: Final = 3600.0  # the simulator's clock ticks while nothing happens
_SHORTEST_SECONDS: Final = 0.001
_SEED: Final = 1
_MOST_MORE: Final = 2
_ADDED: Final = "one more "


@dataclass(frozen=True, slots=True)
class More:
    """So many more hosts of this kind."""

    hosts: int
    seconds: float  # that the replayed jobs then take
    saved: float  # share of the jobs' own time that is saved
    build_seconds: float  # of the whole build, if it is shortened by as much


@dataclass(frozen=True, slots=True)
class Replay:
    """The build played again."""

    jobs: int
    of_jobs: int
    seconds: float  # replayed as it was
    really: float  # the same jobs in the build
    parallel: int
    slots: int  # of a host that is added
    speed: float
    more: tuple[More, ...]


def replay(
    records: Sequence[Record], slots: Mapping[str, int], facts: Mapping[str, HostFacts], measures: Measures
) -> Replay | None:
    """None when too few jobs were done on hosts to say anything, or they take too long to play."""
    remote = sorted(filter(was_remote, records), key=lambda record: record.started)
    played = remote[:MOST_JOBS]
    if len(played) < FEWEST_JOBS or not slots:
        return None
    hosts = [
        SimHost(host, count, _speed(facts, host))
        for host, count in sorted(slots.items(), key=lambda item: item[0])
    ]
    typical = round(median(host.slots for host in hosts)), median(host.speed for host in hosts)
    parallel = max(1, measures.parallel)
    build = Build(
        "build", tuple(_job(number, record, facts) for number, record in enumerate(played)), parallel
    )
    costs = _costs(played)
    seconds_each = [costs.launch + costs.upload + job.seconds for job in build.jobs]
    if max(*seconds_each, sum(seconds_each) / sum(slots.values())) > MOST_SECONDS:
        return None
    try:
        seconds = [
            _seconds(Scenario((*hosts, *_new(count, typical)), (build,), costs))
            for count in range(_MOST_MORE + 1)
        ]
    except SimulationError:
        return None
    span = max(map(end_of, remote)) - remote[0].started
    return Replay(
        jobs=len(played),
        of_jobs=len(remote),
        seconds=seconds[0],
        really=max(map(end_of, played)) - played[0].started,
        parallel=parallel,
        slots=typical[0],
        speed=typical[1],
        more=tuple(
            _more(count, seconds[0], seconds[count], span, measures) for count in range(1, _MOST_MORE + 1)
        ),
    )


def _more(count: int, before: float, after: float, span: float, measures: Measures) -> More:
    """`span`: from the first job of a host to the end of the last, which is what becomes shorter."""
    saved = max(0.0, 1 - after / before)  # another order of jobs may take a little longer by chance
    return More(count, after, saved, measures.seconds - saved * span)


def _speed(facts: Mapping[str, HostFacts], host: str) -> float:
    return facts[host].speed if host in facts and facts[host].speed > 0 else 1.0


def _job(number: int, record: Record, facts: Mapping[str, HostFacts]) -> SimJob:
    seconds = max(_SHORTEST_SECONDS, unit_seconds(record) * _speed(facts, record.host))
    return SimJob(str(number), seconds)


def _new(count: int, typical: tuple[int, float]) -> list[SimHost]:
    return [SimHost(f"{_ADDED}{number}", *typical) for number in range(count)]


def _costs(records: Sequence[Record]) -> Costs:
    """What the build's jobs paid beside compiling, on average."""

    def spent(record: Record, states: frozenset[str]) -> float:
        return sum(stretch.seconds for stretch in stretches(record) if stretch.state in states)

    return Costs(
        upload=mean(spent(record, frozenset(("uploading", "returning"))) for record in records),
        launch=mean(
            spent(record, frozenset(("planning", "scanning", "preprocessing"))) for record in records
        ),
    )


def _seconds(scenario: Scenario) -> float:
    """By an agent that knows the jobs, as it does in a build that is not the first."""
    history, (build,) = History(), scenario.builds
    hosts = [host for host in scenario.hosts if not host.name.startswith(_ADDED)]
    for number, job in enumerate(build.jobs):
        host = hosts[number % len(hosts)]
        history.learn(job.name.encode(), job.size, host.name, job.seconds / host.speed)
    return simulate(scenario, Policy.AGAIN, _SEED, {build.client: history}).makespan
