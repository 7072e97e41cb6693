"""When nothing is queued: which job would end sooner on a host that is free? Pure.

A job that has not begun where it is bound moves there. One that runs much longer than it would there is
raced: both run, the first result counts. Races cost slots that other clients may want, so all of them
together may cost RACE_SHARE of the work that was done, and RACE_ALLOWANCE_SECONDS once, so that small
builds can race too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

from fleetcc.scheduling.fleet import HostState, HostType
from fleetcc.scheduling.roster import Roster
from fleetcc.scheduling.state import Host, Job, Run, remaining, wait_of

RACE_SHARE: Final = 0.02
RACE_ALLOWANCE_SECONDS: Final = 5.0
# A race, and a move, must promise this much.
RACE_GAIN_SECONDS: Final = 0.5
MOVE_GAIN_SECONDS: Final = 0.1
# A job that was not seen before may last so many times as long as it seems. A slot that would be idle is well
# spent on the chance that it does: simulated builds whose last jobs are long end 4 % sooner.
_MAY_LAST: Final = 3.0
# Only on a host that may well be faster.
_SLOWER: Final = 0.75
# A job that has waited so long at its host did not find the slot that was promised.
STUCK_SECONDS: Final = 0.5
# Every move sends the source again. Where all hosts are slow to begin, moving would never end if a job's next
# move need not promise so many times as much.
_MORE_EACH_MOVE: Final = 4.0
# From a job's binding to its start where a slot is free: at first, and how it follows what is seen. It is the
# least of what is usual, because jobs also wait for slots.
_FIRST_SETUP_SECONDS: Final = 1.0
_SETUP_FALLS: Final = 0.5
_SETUP_RISES: Final = 0.02
# How often running jobs are looked at while nothing is queued.
LOOK_SECONDS: Final = 0.1
# Of many jobs, those that seem to last longest are worth a look.
_MOST_LOOKED_AT: Final = 32


@dataclass(slots=True)
class RaceBudget:
    """What races may cost: the second runs, whoever wins, in standard seconds of work."""

    work_done: float = 0.0
    spent: float = 0.0
    started: int = 0
    won: int = 0
    reserved: dict[int, float] = field(default_factory=dict)  # by job: what the races that run may cost

    def allows(self, seconds: float) -> bool:
        """Whether a race that may cost so much can begin."""
        cost = self.spent + sum(self.reserved.values()) + seconds
        return cost <= RACE_ALLOWANCE_SECONDS + RACE_SHARE * self.work_done

    def charge(self, run: Run, host: Host | None, now: float) -> None:
        """This run is over; if it was a race, it has cost something."""
        if run.is_race and host is not None:
            self.spent += host.speed * (now - run.bound)


@dataclass(frozen=True, slots=True)
class Rescue:
    """This job would end sooner on the host that asked."""

    job: Job
    bound_to: str
    is_race: bool
    cost: float = 0.0  # of a race, in standard seconds


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A job on one host, and in how many seconds it will be done there."""

    job: Job
    there: Host
    run: Run
    left: float

    def standard(self, now: float) -> float:
        """How long it takes on an ordinary host."""
        predicted = self.job.predicted
        if predicted.is_known or self.run.started is None:
            return predicted.seconds
        # It is as long as it seems by now.
        return max(predicted.seconds, self.there.least_speed * (now - self.run.started + self.left))


class Rescuer:
    """Finds rescues for the jobs of one client."""

    def __init__(self, roster: Roster, jobs: dict[int, Job]) -> None:
        self.budget = RaceBudget()
        self.next_look = float("-inf")
        self._setup = _FIRST_SETUP_SECONDS
        self._roster = roster
        self._jobs = jobs

    def began(self, run: Run, now: float) -> None:
        """A job's compiler has started."""
        difference = now - run.bound - self._setup
        self._setup += difference * (_SETUP_FALLS if difference < 0 else _SETUP_RISES)

    @property
    def is_of_use(self) -> bool:
        """Are there two hosts, so that one could help the other?"""
        return sum(1 for host in self._roster if _is_helpful(host)) > 1

    def helpers(self, now: float) -> list[Host]:
        """Hosts that are probably free, and would help somebody."""
        self.next_look = now + LOOK_SECONDS
        free = [
            host
            for host in self._roster
            if _is_helpful(host) and now >= host.resting_until and len(host.runs) < host.facts.slots
        ]
        if not free:
            return []
        candidates = self._candidates(now)
        return [host for host in free if self._best(host, candidates, now) is not None]

    def best(self, host: Host, now: float) -> Rescue | None:
        """The job that gains most by coming to `host`; None when none gains enough."""
        found = self._best(host, self._candidates(now), now)
        if found is None:
            return None
        if found.run.started is None:
            return Rescue(found.job, found.there.id, is_race=False)
        return Rescue(found.job, found.there.id, is_race=True, cost=found.standard(now))

    def stuck(self, host: Host, horizon: float, now: float) -> Rescue | None:
        """Of the jobs that wait for others at their host and would be late there, the latest."""
        best: Rescue | None = None
        best_end = horizon
        for there in self._roster:
            # Where our own jobs have all slots, it was known how long this one would wait.
            if there is host or not there.begun < min(len(there.runs), there.facts.slots):
                continue
            for number, run in there.runs.items():
                if run.started is not None or now < run.bound + STUCK_SECONDS + self._setup:
                    continue
                job = self._jobs[number]
                end = wait_of(there, run, self._jobs, self._setup, now) + job.predicted.seconds / there.speed
                gain = end - self._setup - job.predicted.seconds / host.speed
                if end > best_end and gain > _least_gain(job) and self._may_move(job, there, host, now):
                    best, best_end = Rescue(job, there.id, is_race=False), end
        return best

    def _may_move(self, job: Job, there: Host, host: Host, now: float) -> bool:
        return (
            len(job.runs) == 1
            and there.facts.type is not HostType.LOCAL
            and self._roster.may_rescue(host, job, now)
        )

    def _candidates(self, now: float) -> Sequence[_Candidate]:
        found = []
        for job in self._jobs.values():
            if len(job.runs) != 1:
                continue
            ((name, run),) = job.runs.items()
            there = self._roster.get(name)
            # What runs on this machine runs in the build's own process: there is nobody to race for.
            if there is None or there.facts.type is HostType.LOCAL:
                continue
            left = remaining(job, there, run, now)
            if run.started is None:
                left += wait_of(there, run, self._jobs, self._setup, now)
            if left > MOVE_GAIN_SECONDS:
                found.append(_Candidate(job, there, run, left))
        return nlargest(_MOST_LOOKED_AT, found, key=lambda candidate: candidate.left)

    def _best(self, host: Host, candidates: Sequence[_Candidate], now: float) -> _Candidate | None:
        best: _Candidate | None = None
        best_gain = 0.0
        for candidate in candidates:
            if candidate.there is host:
                continue
            gain = self._gain(candidate, host, now)
            if gain > best_gain and self._roster.may_rescue(host, candidate.job, now):
                best, best_gain = candidate, gain
        return best

    def _gain(self, candidate: _Candidate, host: Host, now: float) -> float:
        standard = candidate.standard(now)
        whole = standard / host.speed
        gain = candidate.left - whole - self._setup
        run = candidate.run
        if run.started is None:
            return gain if gain >= _least_gain(candidate.job) else 0.0
        if not candidate.job.predicted.is_known and candidate.there.least_speed < _SLOWER * host.speed:
            elapsed = now - run.started
            chance = _MAY_LAST * (elapsed + candidate.left - whole) - elapsed - self._setup
            gain = max(gain, chance)
        return gain if gain >= RACE_GAIN_SECONDS and self.budget.allows(standard) else 0.0


def _is_helpful(host: Host) -> bool:
    return host.state is HostState.UP and host.facts.type is not HostType.LOCAL


def _least_gain(job: Job) -> float:
    """What the next move of a job must promise."""
    return MOVE_GAIN_SECONDS * _MORE_EACH_MOVE**job.moves
