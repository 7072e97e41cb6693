"""The dispatcher's picture: jobs, runs and hosts, and what can be expected of them. Pure.

All expectations are seconds from now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.model import Priority
from fleetcc.scheduling.fleet import Facts, HostState, HostType, JobSpec, Needs
from fleetcc.scheduling.history import Prediction

# A host in the same building answers a demand in less, if it has a slot.
PATIENCE_SECONDS: Final = 0.005
# After a grant was declined the picture must change before the host is asked again.
REST_SECONDS: Final = 0.1
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
    moves: int = 0

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
    speed: float = 1.0
    least_speed: float = 0.5  # one standard deviation below
    state: HostState = HostState.DOWN
    facts: Facts = UNKNOWN
    asked: int = 0  # of the standing demand, what it has not granted yet
    asked_at: float = 0.0
    asked_priority: Priority = Priority.NORMAL
    resting_until: float = 0.0
    delay: float = 0.0  # how long a job of ours waited there for its slot, the last one that began ...
    delay_at: float = 0.0  # ... at this time
    has_declined: bool = False  # its last grant was of no use: think before asking again
    runs: dict[int, Run] = field(default_factory=dict)
    begun: int = 0  # of these, those that have started

    def probably_free(self, now: float) -> int:
        """Slots that it would grant at once, as far as is known here."""
        if self.asked and now >= self.asked_at + PATIENCE_SECONDS:
            return 0
        return max(0, self.facts.slots - len(self.runs))


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
        # Others may have the slots; the longer ago that was, the less it says.
        return max(0.0, host.delay - (now - host.delay_at))
    times = sorted(free_times(host, jobs, now))
    return times[min(ahead, len(times) - 1)] if times else 0.0


def wait_of(host: Host, run: Run, jobs: dict[int, Job], setup: float, now: float) -> float:
    """Until a run that has not begun gets its slot; `setup` is what it takes if one is free."""
    times = [time for time in free_times(host, jobs, now) if time]
    if len(times) >= host.facts.slots:
        return min(times)
    # Others hold the slots: it has waited, and may wait as long again.
    return max(0.0, now - run.bound - setup)
