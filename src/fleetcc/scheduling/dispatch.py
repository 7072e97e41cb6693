"""Which job goes to which host, when: the client's half of late binding. Pure: events and `now` in,
instructions out; the agent and the simulator drive the same code.

Theory of operation
-------------------
A job is queued until a host has said that it is ready (a grant); then it is bound to that host, runs there,
and ends. Hosts are told how many jobs they could get (a demand, at most one for each host); they grant when
they have a slot. A stock distccd cannot grant, so whoever drives it grants in its name, and so does this
machine. No load figures are asked for: a host that is slow, busy or stopped grants less often.

Jobs of one kind (same hosts, same needs) stand in one line; `choosing` says which of them a grant takes, or
that the host should not have any. A host whose grant was declined rests for a moment.

When nothing is queued, a job that has not begun where it is bound moves to a host that grants; one that runs
much longer than it would elsewhere is raced there: the first result counts, the other run is cancelled.
See `rescue`.

Demands are spread (`asking`): while few jobs wait, the hosts asked first are those that are probably free,
fast ones before slow ones; whoever does not answer soon is taken to be busy, and the next are asked.
`roster` knows who may do what.
"""

from collections.abc import Iterable
from math import exp

from fleetcc.scheduling.asking import Asker, withdraw
from fleetcc.scheduling.choosing import Chooser
from fleetcc.scheduling.fleet import (
    Cancel,
    Decline,
    Facts,
    HostState,
    Instruction,
    JobSpec,
    Needs,
    Place,
    Prospect,
    Send,
    Surrender,
    Why,
)
from fleetcc.scheduling.history import History
from fleetcc.scheduling.lines import Queue
from fleetcc.scheduling.rescue import RaceBudget, Rescue, Rescuer
from fleetcc.scheduling.roster import Dice, Roster
from fleetcc.scheduling.state import REST_SECONDS, Host, Job, Run


class Dispatcher:
    """All queued and running jobs of one client, and all hosts that they name."""

    def __init__(self, history: History, rng: Dice) -> None:
        self.history = history
        self._jobs: dict[int, Job] = {}
        self._queue = Queue()
        self._roster = Roster(rng)
        self._chooser = Chooser(self._roster, self._queue, self._jobs)
        self._rescuer = Rescuer(self._roster, self._jobs)
        self._asker = Asker(self._roster, self._queue, self._jobs, self._chooser, self._rescuer)
        self.backoffs = self._roster.backoffs
        self.races: RaceBudget = self._rescuer.budget

    # -- hosts

    def set_group(self, group: str, places: Iterable[Place]) -> None:
        """These are the hosts of this group from now on. A host in no group gets no more jobs."""
        for host in self._roster.set_group(group, places):
            self._rate(host)

    def drop_group(self, group: str) -> None:
        """Nobody names this group any more."""
        self._roster.drop_group(group)

    def unnamed_hosts(self) -> list[str]:
        """Hosts of no group without jobs: their connections may be closed, and they are forgotten."""
        return self._roster.unnamed()

    def host_up(self, name: str, facts: Facts) -> None:
        """The host is connected, or says something new of itself."""
        host = self._roster.get(name)
        if host is None:
            return
        if host.state is not HostState.UP:
            host.asked, host.resting_until, host.has_declined = 0, 0.0, False
        host.state, host.facts = HostState.UP, facts
        self._roster.changed()

    def host_draining(self, name: str) -> None:
        """It finishes what it has and takes nothing more."""
        host = self._roster.get(name)
        if host is not None and host.state is HostState.UP:
            host.state, host.asked = HostState.DRAINING, 0
            self._roster.changed()

    def host_down(self, name: str, now: float, longest_pause: float) -> list[Instruction]:
        """The connection is gone; its jobs go back to the queue. A pause of 0: the host is not to blame."""
        host = self._roster.get(name)
        if host is None:
            return []
        host.state, host.asked = HostState.DOWN, 0
        self.backoffs.failed(name, None, now, longest_pause)
        instructions: list[Instruction] = []
        for number in list(host.runs):
            if longest_pause > 0:
                instructions += self.failed(number, name)
            else:
                self.take_back(number, name)
        self._roster.changed()
        return instructions

    def left_alone(self, name: str, compiler: bytes | None, now: float, longest: float) -> float:
        """The host failed at a job; leave it alone for a while, which is returned in seconds."""
        pause = self.backoffs.failed(name, compiler, now, longest)
        self._roster.changed()
        return pause

    def prospect(self, group: str, needs: Needs, now: float) -> tuple[Prospect | Why, list[Instruction]]:
        """Whether a job with these needs can be expected to find a host, before its text is made."""
        return self._roster.prospect((group, needs, frozenset()), now)

    # -- jobs

    def submit(self, spec: JobSpec) -> None:
        """A job that may go to a host; `settle` says what happens with it."""
        job = self._jobs[spec.number] = Job(spec, self.history.predict(spec.key, spec.size))
        self._queue.add(job)

    def cancel(self, number: int) -> list[Instruction]:
        """Nobody waits for the job any more."""
        job = self._jobs.pop(number, None)
        if job is None:
            return []
        if not job.runs:
            self._queue.remove(job)
        return [Cancel(number, name) for name in list(job.runs) if self._end_run(job, name)]

    def granted(self, name: str, count: int, now: float) -> list[Instruction]:
        """The host is ready for so many jobs."""
        host = self._roster.get(name)
        if host is None or host.state is not HostState.UP:
            return [Decline(name, count)]
        host.asked = max(0, host.asked - count)
        instructions: list[Instruction] = []
        declined = 0
        for _ in range(count):
            found = self._use_grant(host, now)
            instructions += found
            declined += not found
        host.has_declined = bool(declined)
        if declined:
            host.resting_until = now + REST_SECONDS
            # A demand that still stands would be granted at once, again and again.
            instructions += [*withdraw(host), Decline(name, declined)]
        return instructions

    def started(self, number: int, name: str, now: float) -> None:
        """The job's compiler runs, as far as can be seen."""
        host = self._roster.get(name)
        run = host.runs.get(number) if host is not None else None
        if host is not None and run is not None and run.started is None:
            run.started = now
            self._rescuer.began(run, now)
            host.begun += 1
            host.delay, host.delay_at = now - run.bound, now

    def finished(self, number: int, name: str, now: float, seconds: float | None) -> list[Instruction]:
        """The job is done: the first result counts. `seconds` of the compiler; None: nothing to learn."""
        job = self._jobs.get(number)
        host = self._roster.get(name)
        if job is None or host is None or name not in job.runs:
            return []
        del self._jobs[number]
        run = self._end_run(job, name)
        self.races.work_done += host.speed * (now - run.bound)
        self.races.won += run.is_race
        self.races.charge(run, host, now)
        self.backoffs.succeeded(name, job.spec.needs.name)
        if seconds is not None:
            self._learn(job, host, seconds)
        others = list(job.runs)
        for other in others:
            self.races.charge(self._end_run(job, other), self._roster.get(other), now)
        return [Cancel(number, other) for other in others]

    def failed(self, number: int, name: str) -> list[Instruction]:
        """The host could not do the job; no compiler has spoken."""
        job = self._jobs.get(number)
        if job is None or name not in job.runs:
            return []
        self._end_run(job, name)
        job.failures += 1
        job.avoid |= {name}
        if job.runs:
            return []
        if job.failures >= job.spec.attempts:
            del self._jobs[number]
            return [Surrender(number, Why.FAILED)]
        self._queue.add(job)
        return []

    def take_back(self, number: int, name: str) -> None:
        """The host did not take the job and is not to blame (it is leaving): back to the queue."""
        job = self._jobs.get(number)
        if job is not None and name in job.runs:
            self._end_run(job, name)
            if not job.runs:
                self._queue.add(job)

    def settle(self, now: float) -> list[Instruction]:
        """Give up, connect, demand. To be called when things have changed, once for many events, and at
        `next_deadline`."""
        return self._asker.settle(now)

    def next_deadline(self, now: float) -> float | None:
        """When to call `settle` although nothing has happened; None: only after the next event."""
        return self._asker.next_deadline(now)

    # -- for people

    @property
    def queued(self) -> int:
        """Jobs that no host has taken."""
        return self._queue.count

    def running_on(self, name: str) -> int:
        """Jobs bound to this host."""
        host = self._roster.get(name)
        return len(host.runs) if host is not None else 0

    def state_of(self, name: str) -> HostState:
        """How far the host is from taking jobs."""
        host = self._roster.get(name)
        return host.state if host is not None else HostState.DOWN

    def facts_of(self, name: str) -> Facts | None:
        """What is known of a host that is or was connected."""
        host = self._roster.get(name)
        return host.facts if host is not None and host.state is not HostState.CONNECTING else None

    # -- grants

    def _use_grant(self, host: Host, now: float) -> list[Instruction]:
        horizon = self._chooser.horizon(host, now)
        stuck = None if horizon is None else self._rescuer.stuck(host, horizon, now)
        if stuck is not None:
            return self._move(stuck, host, now)
        job = self._chooser.choose(host, now)
        if job is None:
            return self._rescue(host, now)
        self._chooser.chosen(job)
        self._queue.remove(job)
        self._bind(job, host, now)
        return [Send(job.spec.number, host.id)]

    def _rescue(self, host: Host, now: float) -> list[Instruction]:
        self._asker.helpers.pop(host, None)
        found = None if self._queue.count else self._rescuer.best(host, now)
        if found is None:
            return []
        number = found.job.spec.number
        if found.is_race:
            self.races.started += 1
            self.races.reserved[number] = found.cost
            self._bind(found.job, host, now, is_race=True)
            return [Send(number, host.id, is_race=True)]
        return self._move(found, host, now)

    def _move(self, rescue: Rescue, host: Host, now: float) -> list[Instruction]:
        number = rescue.job.spec.number
        rescue.job.moves += 1
        self._end_run(rescue.job, rescue.bound_to)
        self._bind(rescue.job, host, now)
        return [Cancel(number, rescue.bound_to), Send(number, host.id)]

    # -- runs

    @staticmethod
    def _bind(job: Job, host: Host, now: float, *, is_race: bool = False) -> None:
        job.runs[host.id] = host.runs[job.spec.number] = Run(now, is_race=is_race)

    def _end_run(self, job: Job, name: str) -> Run:
        host = self._roster.get(name)
        if host is not None and host.runs.pop(job.spec.number).started is not None:
            host.begun -= 1
        self.races.reserved.pop(job.spec.number, None)
        return job.runs.pop(name)

    def _learn(self, job: Job, host: Host, seconds: float) -> None:
        before = self.history.records.get(job.spec.key)
        self.history.learn(job.spec.key, job.spec.size, host.id, seconds)
        self._rate(host)
        other = self._roster.get(before.host) if before is not None else None
        if other is not None:
            self._rate(other)

    def _rate(self, host: Host) -> None:
        host.speed = self.history.speed(host.id)
        host.least_speed = host.speed * exp(-self.history.uncertainty(host.id))
