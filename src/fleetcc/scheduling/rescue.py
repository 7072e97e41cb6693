"""When nothing is queued: which job would end sooner on a host that is free? Pure.

A job that has not begun where it is bound moves there. One that runs much longer than it would there is
raced: both run, the first result counts. Races cost slots that other clients may want, so all of them
together may cost RACE_SHARE of the work that was done, and RACE_ALLOWANCE_SECONDS once, so that small
builds can race too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fleetcc.scheduling.fleet import HostType
from fleetcc.scheduling.state import Host, Job, Run, remaining, wait_of

RACE_SHARE: Final = 0.02
RACE_ALLOWANCE_SECONDS: Final = 5.0
# A race, and a move, must promise this much.
RACE_GAIN_SECONDS: Final = 0.5
MOVE_GAIN_SECONDS: Final = 0.1


@dataclass(slots=True)
class RaceBudget:
    """What races may cost, in seconds of slots."""

    work_done: float = 0.0
    spent: float = 0.0
    started: int = 0
    won: int = 0

    def allows(self, seconds: float) -> bool:
        """Whether a race that may cost so much can begin."""
        return self.spent + seconds <= RACE_ALLOWANCE_SECONDS + RACE_SHARE * self.work_done


@dataclass(frozen=True, slots=True)
class Rescue:
    """This job would end sooner on the host that asked."""

    job: Job
    bound_to: str
    is_race: bool


def best_rescue(
    host: Host,
    hosts: dict[str, Host],
    jobs: dict[int, Job],
    budget: RaceBudget,
    is_able: Callable[[Host, Job], bool],
    now: float,
) -> Rescue | None:
    """The job that gains most by coming to `host`; None when none gains enough."""
    best: Rescue | None = None
    best_gain = 0.0
    for job in jobs.values():
        if len(job.runs) != 1 or host.id in job.runs or host.id in job.avoid:
            continue
        ((name, run),) = job.runs.items()
        there = hosts.get(name)
        # What runs on this machine runs in the build's own process: there is nobody to race for.
        if there is None or there.facts.type is HostType.LOCAL:
            continue
        if run.started is None:
            gain = _gain_of_move(job, there, run, host, jobs, now)
        else:
            gain = _gain_of_race(job, there, run, host, budget, now)
        if gain > best_gain and is_able(host, job):
            best, best_gain = Rescue(job, name, run.started is not None), gain
    return best


def _gain_of_move(job: Job, there: Host, run: Run, host: Host, jobs: dict[int, Job], now: float) -> float:
    standard = job.predicted.seconds
    gain = wait_of(there, run, jobs, now) + standard / there.speed - standard / host.speed
    return gain if gain >= MOVE_GAIN_SECONDS else 0.0


def _gain_of_race(job: Job, there: Host, run: Run, host: Host, budget: RaceBudget, now: float) -> float:
    assert run.started is not None
    left = remaining(job, there, run, now)
    standard = job.predicted.seconds
    if not job.predicted.is_known:
        # It is as long as it seems by now.
        standard = max(standard, there.speed * (now - run.started + left))
    whole = standard / host.speed
    gain = left - whole
    return gain if gain >= RACE_GAIN_SECONDS and budget.allows(whole) else 0.0
