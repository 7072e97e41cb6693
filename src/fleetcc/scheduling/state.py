"""The dispatcher's picture: jobs, runs, hosts and lines, and what can be expected of them. Pure.

All expectations are seconds from now.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.model import Priority
from fleetcc.scheduling.fleet import Facts, HostState, HostType, JobSpec, Needs
from fleetcc.scheduling.history import Prediction

# A host in the same building answers a demand in less, if it has a slot.
PATIENCE_SECONDS: Final = 0.005
# A job that was not seen before and has outlived its prediction is a long one: durations are log-normal.
_RESIDUAL_LIFE: Final = 0.8
# A run that is late is never expected to end this very moment.
_LEAST_REMAINING: Final = 0.02

UNKNOWN: Final = Facts(HostType.STOCK, 1)  # of a host that was never connected

PRIORITIES: Final[Sequence[Priority]] = tuple(Priority)

Rank = tuple[int, float, int]  # priority, -seconds, number: urgent, long and old jobs first
LineKey = tuple[str, Needs, frozenset[str]]


@dataclass(slots=True)
class Run:
    """One job on one host."""

    bound: float
    started: float | None = None  # None: the host has it and has not begun
    is_race: bool = False


@dataclass(eq=False, slots=True)
class Job:
    """A job that is queued, or runs on one host, or on two."""

    spec: JobSpec
    predicted: Prediction
    runs: dict[str, Run] = field(default_factory=dict)
    failures: int = 0
    avoid: frozenset[str] = frozenset()

    @property
    def line_key(self) -> LineKey:
        """Jobs with the same key can be done by the same hosts."""
        return self.spec.group, self.spec.needs, self.avoid

    @property
    def rank(self) -> Rank:
        """Its place in its line."""
        return PRIORITIES.index(self.spec.priority), -self.predicted.seconds, self.spec.number


@dataclass(eq=False, slots=True)
class Host:
    """A host and what we have there."""

    id: str
    speed: float
    state: HostState = HostState.DOWN
    facts: Facts = UNKNOWN
    asked: int = 0  # of the standing demand, what it has not granted yet
    asked_at: float = 0.0
    asked_priority: Priority = Priority.NORMAL
    resting_until: float = 0.0
    has_declined: bool = False  # its last grant was of no use: think before asking again
    runs: dict[int, Run] = field(default_factory=dict)

    def probably_free(self, now: float) -> int:
        """Slots that it would grant at once, as far as is known here."""
        if self.asked and now - self.asked_at >= PATIENCE_SECONDS:
            return 0
        return max(0, self.facts.slots - len(self.runs))


@dataclass(eq=False, slots=True)
class Line:
    """Queued jobs that the same hosts can do."""

    key: LineKey
    ranks: list[Rank] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def needs(self) -> Needs:
        """What a host must have."""
        return self.key[1]

    def add(self, job: Job) -> None:
        """Queue it."""
        insort(self.ranks, job.rank)
        self.seconds += job.predicted.seconds

    def remove(self, job: Job) -> None:
        """It goes to a host, or nobody waits for it any more."""
        del self.ranks[bisect_left(self.ranks, job.rank)]
        self.seconds -= job.predicted.seconds

    def longest_within(self, seconds: float) -> int | None:
        """The number of the longest of the most urgent jobs that is no longer than that."""
        priority = self.ranks[0][0]
        at = bisect_left(self.ranks, (priority, -seconds, 0))
        if at < len(self.ranks) and self.ranks[at][0] == priority:
            return self.ranks[at][2]
        return None


def remaining(job: Job, host: Host, run: Run, now: float) -> float:
    """Until this run ends."""
    whole = job.predicted.seconds / host.speed
    if run.started is None:
        return whole
    elapsed = now - run.started
    if job.predicted.is_known:
        # A known job that is late is held up by something that nobody knows: as long again.
        return max(_LEAST_REMAINING * whole, abs(whole - elapsed))
    return max(whole - elapsed, _RESIDUAL_LIFE * elapsed)


def free_times(host: Host, jobs: dict[int, Job], now: float) -> list[float]:
    """Until each of the slots is free that we have on a host, or could have."""
    times = [
        remaining(jobs[number], host, run, now)
        for number, run in host.runs.items()
        if run.started is not None
    ]
    if now >= host.resting_until:
        times += [0.0] * host.probably_free(now)
    return times


def wait_for_slot(host: Host, jobs: dict[int, Job], now: float) -> float:
    """Until a job that is sent there now gets a slot: a server lets one job more come than it has slots."""
    ahead = len(host.runs) - host.facts.slots
    if ahead < 0:
        return 0.0
    times = sorted(free_times(host, jobs, now))
    return times[min(ahead, len(times) - 1)] if times else 0.0


def wait_of(host: Host, run: Run, jobs: dict[int, Job], now: float) -> float:
    """Until a run that has not begun gets its slot."""
    times = [time for time in free_times(host, jobs, now) if time]
    if len(times) >= host.facts.slots:
        return min(times)
    # Others hold the slots: it has waited, and may wait as long again.
    return max(0.0, now - run.bound - PATIENCE_SECONDS)
