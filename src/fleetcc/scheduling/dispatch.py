"""Which job goes to which host, when: the client's half of late binding. Pure: events and `now` in,
instructions out; iterates over ordered things only; the agent and the simulator drive the same code.

Theory of operation
-------------------
A job is queued until a host has said that it is ready (a grant); then it is bound to that host, runs there,
and ends. Hosts are told how many jobs they could get (a demand, at most one for each host); they grant when
they have a slot. A stock distccd cannot grant, so whoever drives it grants in its name, and so does this
machine. No load figures are asked for: a host that is slow, busy or stopped grants less often.

Jobs of one kind (same hosts, same needs) stand in one line, longest predicted first. A grant takes the
longest, unless the host is slower than others and the job would still run there when the rest of the queue
is done; then the longest that would not. When there is none, `tail` plans the queue and finds the job that
the host should take all the same, or none. A host whose grant was declined rests for a moment.

When nothing is queued, a job that has not begun where it is bound moves to a host that grants; one that runs
much longer than it would elsewhere is raced there: the first result counts, the other run is cancelled.
See `rescue`.

Demands are spread: while few jobs wait, the hosts asked first are those that are probably free, fast ones
before slow ones; whoever does not answer within PATIENCE_SECONDS is taken to be busy, and the next are asked.
"""

from collections.abc import Iterable
from math import inf, log
from random import Random
from typing import Final

from fleetcc.model import Form, Priority
from fleetcc.scheduling.backoff import Backoffs
from fleetcc.scheduling.fleet import (
    Cancel,
    Connect,
    Decline,
    Demand,
    Facts,
    HostState,
    HostType,
    Instruction,
    JobSpec,
    Needs,
    Place,
    Send,
    Surrender,
    Why,
    can_do,
)
from fleetcc.scheduling.history import History
from fleetcc.scheduling.rescue import RaceBudget, Rescue, best_rescue
from fleetcc.scheduling.state import (
    PATIENCE_SECONDS,
    PRIORITIES,
    Host,
    Job,
    Line,
    LineKey,
    Run,
    free_times,
    remaining,
    wait_for_slot,
)
from fleetcc.scheduling.tail import MOST_PLANNED, offered_job

# After a grant was declined the picture must change before the host is asked again.
REST_SECONDS: Final = 0.1
# How often running jobs are looked at while nothing is queued.
LOOK_SECONDS: Final = 0.1
# Speeds closer than this are the same, as far as anybody knows.
_SAME_SPEED: Final = 0.87
# RFC 2782: a weight of 0 beside others gets a very small chance.
_NO_WEIGHT: Final = 0.01


class Dispatcher:
    """All queued and running jobs of one client, and all hosts that they name."""

    def __init__(self, history: History, rng: Random) -> None:
        self.history = history
        self.backoffs = Backoffs()
        self._rng = rng
        self.races = RaceBudget()
        self._hosts: dict[str, Host] = {}
        self._groups: dict[str, tuple[Place, ...]] = {}
        self._jobs: dict[int, Job] = {}
        self._lines: dict[LineKey, Line] = {}
        self._able: dict[LineKey, list[Host]] = {}  # cleared when hosts change
        self._able_until = inf
        self._rescuers: dict[Host, int] = {}  # asked although nothing is queued
        self._looked = -inf

    # -- hosts

    def set_group(self, group: str, places: Iterable[Place]) -> None:
        """These are the hosts of this group from now on. A host in no group gets no more jobs."""
        found = list(places)
        weighted = {place.tier for place in found if place.weight}

        def turn(place: Place) -> tuple[int, float]:
            # RFC 2782: the chance to come first in a tier is in proportion to the weight.
            if place.tier not in weighted:
                return place.tier, 0.0
            return place.tier, self._rng.expovariate(1.0) / (place.weight or _NO_WEIGHT)

        self._groups[group] = tuple(sorted(found, key=turn))
        for place in found:
            if place.host not in self._hosts:
                self._hosts[place.host] = Host(place.host, self.history.speed(place.host))
        self._hosts_changed()

    def drop_group(self, group: str) -> None:
        """Nobody names this group any more."""
        self._groups.pop(group, None)
        self._hosts_changed()

    def unnamed_hosts(self) -> list[str]:
        """Hosts of no group without jobs: their connections may be closed, and they are forgotten."""
        named = {place.host for places in self._groups.values() for place in places}
        gone = [host.id for host in self._hosts.values() if host.id not in named and not host.runs]
        for name in gone:
            del self._hosts[name]
        if gone:
            self._hosts_changed()
        return gone

    def host_up(self, name: str, facts: Facts) -> None:
        """The host is connected, or says something new of itself."""
        host = self._hosts.get(name)
        if host is None:
            return
        if host.state is not HostState.UP:
            host.asked, host.resting_until = 0, 0.0
        host.state, host.facts = HostState.UP, facts
        self._hosts_changed()

    def host_draining(self, name: str) -> None:
        """It finishes what it has and takes nothing more."""
        host = self._hosts.get(name)
        if host is not None and host.state is HostState.UP:
            host.state, host.asked = HostState.DRAINING, 0
            self._hosts_changed()

    def host_down(self, name: str, now: float, longest_pause: float) -> list[Instruction]:
        """The connection is gone; its jobs go back to the queue. A pause of 0: the host is not to blame."""
        host = self._hosts.get(name)
        if host is None:
            return []
        host.state, host.asked = HostState.DOWN, 0
        self.backoffs.failed(name, None, now, longest_pause)
        instructions: list[Instruction] = []
        for number in list(host.runs):
            instructions += self.failed(number, name)
        self._hosts_changed()
        return instructions

    def left_alone(self, name: str, compiler: bytes | None, now: float, longest: float) -> float:
        """The host failed at a job; leave it alone for a while, which is returned in seconds."""
        pause = self.backoffs.failed(name, compiler, now, longest)
        self._hosts_changed()
        return pause

    # -- jobs

    def submit(self, spec: JobSpec) -> None:
        """A job that may go to a host; `settle` says what happens with it."""
        job = self._jobs[spec.number] = Job(spec, self.history.predict(spec.key, spec.size))
        self._enqueue(job)

    def cancel(self, number: int) -> list[Instruction]:
        """Nobody waits for the job any more."""
        job = self._jobs.pop(number, None)
        if job is None:
            return []
        if not job.runs:
            self._lines[job.line_key].remove(job)
        return [Cancel(number, name) for name in list(job.runs) if self._end_run(job, name)]

    def granted(self, name: str, count: int, now: float) -> list[Instruction]:
        """The host is ready for so many jobs."""
        host = self._hosts.get(name)
        if host is None:
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
            instructions.append(Decline(name, declined))
        return instructions

    def started(self, number: int, name: str, now: float) -> None:
        """The job's compiler runs, as far as can be seen."""
        host = self._hosts.get(name)
        run = host.runs.get(number) if host is not None else None
        if run is not None and run.started is None:
            run.started = now

    def finished(self, number: int, name: str, now: float, seconds: float | None) -> list[Instruction]:
        """The job is done: the first result counts. `seconds` of the compiler; None: nothing to learn."""
        job = self._jobs.pop(number, None)
        host = self._hosts.get(name)
        if job is None or host is None or name not in job.runs:
            return []
        run = self._end_run(job, name)
        self.races.work_done += now - run.bound
        self.races.won += run.is_race
        self.backoffs.succeeded(name, job.spec.needs.name)
        if seconds is not None:
            self._learn(job, host, seconds)
        instructions: list[Instruction] = []
        for other in list(job.runs):
            lost = self._end_run(job, other)
            self.races.spent += now - lost.bound
            instructions.append(Cancel(number, other))
        return instructions

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
        self._enqueue(job)
        return []

    def take_back(self, number: int, name: str) -> None:
        """The host did not take the job and is not to blame (it is leaving): back to the queue."""
        job = self._jobs.get(number)
        if job is not None and name in job.runs:
            self._end_run(job, name)
            if not job.runs:
                self._enqueue(job)

    # -- decisions that are not about one event

    def settle(self, now: float) -> list[Instruction]:
        """Give up, connect, demand. To be called when things have changed (once for many events is
        enough), and at `next_deadline`."""
        if now >= self._able_until:
            self._hosts_changed()
        instructions: list[Instruction] = []
        wanted: dict[Host, int] = {}
        for line in list(self._lines.values()):
            if line.ranks:
                instructions += self._settle_line(line, wanted, now)
            else:
                del self._lines[line.key]
        if not self._lines:
            self._look_for_rescues(now)
            wanted = self._rescuers
        for host in self._hosts.values():
            instructions += self._demand(host, wanted.get(host, 0), now)
        return instructions

    def next_deadline(self, now: float) -> float | None:
        """When to call `settle` although nothing has happened; None: only after the next event."""
        times = []
        if any(line.ranks for line in self._lines.values()):
            for host in self._hosts.values():
                if host.asked and now - host.asked_at < PATIENCE_SECONDS:
                    times.append(host.asked_at + PATIENCE_SECONDS)
                if host.resting_until > now:
                    times.append(host.resting_until)
            pause = self.backoffs.next_end(now)
            if pause is not None:
                times.append(pause)
        elif any(job.runs for job in self._jobs.values()):
            times.append(max(now, self._looked) + LOOK_SECONDS)
        return min(times, default=None)

    # -- for people

    @property
    def queued(self) -> int:
        """Jobs that no host has taken."""
        return sum(len(line.ranks) for line in self._lines.values())

    def running_on(self, name: str) -> int:
        """Jobs bound to this host."""
        host = self._hosts.get(name)
        return len(host.runs) if host is not None else 0

    def state_of(self, name: str) -> HostState:
        """How far the host is from taking jobs."""
        host = self._hosts.get(name)
        return host.state if host is not None else HostState.DOWN

    def facts_of(self, name: str) -> Facts | None:
        """What is known of a host that is or was connected."""
        host = self._hosts.get(name)
        return host.facts if host is not None and host.state is not HostState.CONNECTING else None

    # -- lines

    def _enqueue(self, job: Job) -> None:
        line = self._lines.get(job.line_key)
        if line is None:
            line = self._lines[job.line_key] = Line(job.line_key)
        line.add(job)

    def _settle_line(self, line: Line, wanted: dict[Host, int], now: float) -> list[Instruction]:
        """Connect and choose whom to ask for this line's jobs; or give them up."""
        hosts = self._able_hosts(line, now)
        if not hosts:
            return self._surrender(line, now)
        instructions: list[Instruction] = []
        covered, jobs = 0, len(line.ranks)
        idle: list[Host] = []
        for host in hosts:
            if host.state is HostState.DOWN:
                host.state = HostState.CONNECTING
                instructions.append(Connect(host.id))
            elif host.state is HostState.UP and can_do(host.facts, line.needs):
                if host.asked:
                    wanted[host] = wanted.get(host, 0) + jobs
                    covered += host.probably_free(now)
                elif now >= host.resting_until:
                    idle.append(host)
        # The same speed, as far as one knows, within a fifth: then whoever has fewer jobs of ours.
        idle.sort(key=lambda host: (not host.probably_free(now), -round(5 * log(host.speed)), len(host.runs)))
        for host in idle:
            if covered >= jobs:
                break
            if host.has_declined and self._pick(host, now) is None:
                host.resting_until = now + REST_SECONDS
                continue
            wanted[host] = wanted.get(host, 0) + jobs
            covered += host.probably_free(now)
        return instructions

    def _surrender(self, line: Line, now: float) -> list[Instruction]:
        why = self._why_nobody(line, now)
        del self._lines[line.key]
        instructions: list[Instruction] = []
        for _, _, number in line.ranks:
            del self._jobs[number]
            instructions.append(Surrender(number, why))
        return instructions

    def _why_nobody(self, line: Line, now: float) -> Why:
        group, needs, avoid = line.key
        places = self._groups.get(group, ())
        if not places:
            return Why.NO_HOSTS
        if avoid:
            return Why.FAILED
        reached = [
            host
            for place in places
            if (host := self._hosts[place.host]).state is HostState.UP
            and self.backoffs.until(host.id, needs.name, now) is None
        ]
        if not reached:
            return Why.ALL_FAILING
        if Form.EXPANDED not in needs.forms and all(host.facts.type is HostType.STOCK for host in reached):
            return Why.NO_FORM
        return Why.NO_SAME_COMPILER

    # -- which hosts may do what

    def _hosts_changed(self) -> None:
        self._able.clear()
        self._able_until = inf

    def _able_hosts(self, line: Line, now: float) -> list[Host]:
        """The hosts that may do this line's jobs, in the order of their group; kept until hosts change."""
        found = self._able.get(line.key)
        if found is None:
            found = self._able[line.key] = self._find_able(line, now)
        return found

    def _find_able(self, line: Line, now: float) -> list[Host]:
        group, needs, avoid = line.key
        found: list[Host] = []
        tier: int | None = None
        for place in self._groups.get(group, ()):
            if tier is not None and place.tier > tier:
                break
            host = self._hosts[place.host]
            if place.host in avoid or not self._may_take(host, needs, now):
                continue
            found.append(host)
            # A host that is only being connected does not close the way to the next tier's.
            if host.state is HostState.UP:
                tier = place.tier
        return found

    def _may_take(self, host: Host, needs: Needs, now: float) -> bool:
        """Whether the host could do such jobs: now, or once it is connected."""
        pause = self.backoffs.until(host.id, needs.name, now)
        if pause is not None:
            self._able_until = min(self._able_until, pause)
            return False
        if host.state is HostState.UP:
            return can_do(host.facts, needs) or host.facts.is_looking
        return host.state is not HostState.DRAINING

    # -- demands

    def _demand(self, host: Host, most: int, now: float) -> list[Instruction]:
        """Tell the host what it could get, when that differs from what it was told in a way that matters."""
        if host.state is not HostState.UP:
            return []
        if not most:
            if not host.asked:
                return []
            host.asked = 0
            return [Demand(host.id, 0, host.asked_priority)]
        priority = self._highest_priority()
        enough = host.asked > host.facts.slots // 4 or host.asked >= most
        if host.asked and enough and priority is host.asked_priority:
            return []
        if not host.asked:
            host.asked_at = now
        host.asked, host.asked_priority = most, priority
        return [Demand(host.id, most, priority)]

    def _highest_priority(self) -> Priority:
        first = min((line.ranks[0][0] for line in self._lines.values() if line.ranks), default=None)
        return Priority.NORMAL if first is None else PRIORITIES[first]

    # -- grants

    def _use_grant(self, host: Host, now: float) -> list[Instruction]:
        job = self._pick(host, now)
        if job is None:
            return self._rescue(host, now)
        self._lines[job.line_key].remove(job)
        self._bind(job, host, now)
        return [Send(job.spec.number, host.id)]

    def _pick(self, host: Host, now: float) -> Job | None:
        """The queued job that this host should do; None: it should not do any."""
        lines = [
            line
            for line in self._lines.values()
            if line.ranks and host in self._able_hosts(line, now) and can_do(host.facts, line.needs)
        ]
        if not lines:
            return None
        line = min(lines, key=lambda found: found.ranks[0])
        longest = self._jobs[line.ranks[0][2]]
        others = [other for other in self._able_hosts(line, now) if other.state is HostState.UP]
        is_fast = host.speed >= _SAME_SPEED * max(other.speed for other in others)
        wait = wait_for_slot(host, self._jobs, now)
        if is_fast and (not wait or len(line.ranks) > len(others)):
            return longest
        within = (self._horizon(others, now) - wait) * host.speed
        fitting = line.longest_within(within)
        if fitting is not None:
            return self._jobs[fitting]
        jobs = [self._jobs[number] for _, _, number in line.ranks[:MOST_PLANNED]]
        index = offered_job(
            (wait, host.speed),
            [(other.speed, free_times(other, self._jobs, now)) for other in others if other is not host],
            (job.predicted.seconds for job in jobs),
        )
        return None if index is None else jobs[index]

    def _horizon(self, hosts: list[Host], now: float) -> float:
        """Until all that is queued and running would be done, if the hosts shared it evenly."""
        work = sum(line.seconds for line in self._lines.values())
        capacity = 0.0
        for host in hosts:
            for number, run in host.runs.items():
                work += host.speed * remaining(self._jobs[number], host, run, now)
            slots = min(host.facts.slots, len(host.runs) + host.probably_free(now))
            capacity += host.speed * max(1, slots)
        return work / capacity

    # -- rescues

    def _look_for_rescues(self, now: float) -> None:
        """Nothing is queued: ask hosts that are probably free, if they would help somebody."""
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        self._rescuers.clear()
        for host in self._hosts.values():
            if (
                host.state is HostState.UP
                and host.facts.type is not HostType.LOCAL
                and now >= host.resting_until
                and len(host.runs) < host.facts.slots
                and self._best_rescue(host, now) is not None
            ):
                self._rescuers[host] = 1

    def _best_rescue(self, host: Host, now: float) -> Rescue | None:
        def is_able(host: Host, job: Job) -> bool:
            return self._is_able(host, job, now)

        return best_rescue(host, self._hosts, self._jobs, self.races, is_able, now)

    def _is_able(self, host: Host, job: Job, now: float) -> bool:
        return (
            any(place.host == host.id for place in self._groups.get(job.spec.group, ()))
            and can_do(host.facts, job.spec.needs)
            and self.backoffs.until(host.id, job.spec.needs.name, now) is None
        )

    def _rescue(self, host: Host, now: float) -> list[Instruction]:
        self._rescuers.pop(host, None)
        found = None if self.queued else self._best_rescue(host, now)
        if found is None:
            return []
        number = found.job.spec.number
        if found.is_race:
            self.races.started += 1
            self._bind(found.job, host, now, is_race=True)
            return [Send(number, host.id, is_race=True)]
        self._end_run(found.job, found.bound_to)
        self._bind(found.job, host, now)
        return [Cancel(number, found.bound_to), Send(number, host.id)]

    # -- runs

    @staticmethod
    def _bind(job: Job, host: Host, now: float, *, is_race: bool = False) -> None:
        job.runs[host.id] = host.runs[job.spec.number] = Run(now, is_race=is_race)

    def _end_run(self, job: Job, name: str) -> Run:
        host = self._hosts.get(name)
        if host is not None:
            host.runs.pop(job.spec.number, None)
        return job.runs.pop(name)

    def _learn(self, job: Job, host: Host, seconds: float) -> None:
        before = self.history.records.get(job.spec.key)
        self.history.learn(job.spec.key, job.spec.size, host.id, seconds)
        host.speed = self.history.speed(host.id)
        other = self._hosts.get(before.host) if before is not None else None
        if other is not None:
            other.speed = self.history.speed(other.id)
