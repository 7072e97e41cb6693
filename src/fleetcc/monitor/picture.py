"""How things are, put together from the events of one agent or server: hosts with their lanes, jobs, counts.

It has no clock: events carry times, and whoever asks says what time it is. Any sequence of events gives a
picture, also one with gaps; after `Lost` a viewer connects again, and `Hello` puts jobs and hosts right.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import structs

from fleetcc.monitor.events import ENDED, Event, Hello, Host, Job, Local, Lost, Seconds, State

MOST_FINISHED: Final = 10_000  # jobs that a viewer keeps: some minutes of a busy fleet, some megabytes
MOST_LANES: Final = 4096  # a slot beyond is shown without its number
HERE: Final = "localhost"
UNPLACED: Final = frozenset(("planning", "scanning", "waiting"))  # a job like this takes no slot (any more)
_SHORTEST: Final = 1.0  # seconds: over less than that a rate says nothing

# The fields of an event that are merged, each with the value that stands for "nothing new".
_MERGED: Final = (
    ("label", ""), ("directory", ""), ("build", ""), ("client", ""), ("mode", ""),
    ("reason", ""), ("detail", ""), ("predicted", 0.0), ("files", 0), ("sent", 0), ("received", 0),
    ("status", -1), ("seconds", 0.0), ("run_seconds", 0.0), ("cpu_seconds", 0.0), ("peak_bytes", 0),
)  # fmt: skip


class PhaseView(NamedTuple):
    """A part of a job's life: what, when it began (Unix time), where."""

    state: State
    time: float
    host: str


@dataclass(slots=True, eq=False)
class JobView:
    """All that is known of one job. Times are Unix times, sizes bytes."""

    job: int
    started: float
    state: State = "planning"
    label: str = ""
    directory: str = ""
    build: str = ""
    client: str = ""
    host: str = ""
    slot: int = -1
    mode: str = ""
    reason: str = ""
    detail: str = ""
    predicted: float = 0.0
    files: int = 0
    sent: int = 0
    received: int = 0
    status: int = -1
    seconds: float = 0.0
    run_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    phases: list["PhaseView"] = field(default_factory=list)
    placed: float = 0.0  # when it came to its host and slot; 0: it has none
    ended: float | None = None

    @property
    def is_placed(self) -> bool:
        """Whether a host, or this machine, has it now."""
        return self.ended is None and bool(self.host) and self.state not in UNPLACED

    def age(self, now: float) -> Seconds:
        """How long it has lived, or did live."""
        return max(0.0, (now if self.ended is None else self.ended) - self.started)

    def placed_for(self, now: float) -> Seconds:
        """How long its host has had it; 0 without one."""
        return max(0.0, now - self.placed) if self.is_placed else 0.0


@dataclass(slots=True, eq=False)
class HostView:
    """One host, or this machine, with who is on it."""

    event: Host
    lanes: list[JobView | None] = field(default_factory=list)  # by slot; at least as many as it has slots
    waiting: dict[int, JobView] = field(default_factory=dict)  # there, but in no slot: uploads beyond them
    done: int = 0
    seconds_busy: float = 0.0  # of all slots together, by jobs that have left

    @property
    def running(self) -> int:
        """How many of its lanes are taken."""
        return sum(job is not None for job in self.lanes)

    def jobs(self) -> Iterator[JobView]:
        """Those that it has, by lane, then those without one."""
        yield from (job for job in self.lanes if job is not None)
        yield from self.waiting.values()

    def __post_init__(self) -> None:
        self._fit()

    def became(self, event: Host) -> None:
        """It is like this now."""
        self.event = event
        self._fit()

    def enter(self, job: JobView) -> None:
        """The job has come; who held the lane before has left unseen."""
        if job.slot < 0:
            self.waiting[job.job] = job
            return
        self.lanes.extend([None] * (job.slot + 1 - len(self.lanes)))
        self.lanes[job.slot] = job

    def leave(self, job: JobView, time: float) -> None:
        """The job is gone, ended or not."""
        self.waiting.pop(job.job, None)
        if 0 <= job.slot < len(self.lanes) and self.lanes[job.slot] is job:
            self.lanes[job.slot] = None
            self.seconds_busy += max(0.0, time - job.placed)
            self._fit()

    def _fit(self) -> None:
        slots = min(self.event.slots, MOST_LANES)
        while len(self.lanes) > slots and self.lanes[-1] is None:
            self.lanes.pop()
        self.lanes.extend([None] * (slots - len(self.lanes)))


class Picture:
    """Of one agent or server, from its events."""

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.local: Local = Local(time=0.0)
        self.time = 0.0  # of the latest event
        self._forget()

    def _forget(self) -> None:
        self.hosts: dict[str, HostView] = {}
        self.jobs: dict[int, JobView] = {}  # that have not ended
        self.finished: deque[JobView] = deque(maxlen=MOST_FINISHED)  # the latest, by end
        self.by_reason: Counter[str] = Counter()
        self.total = self.done = self.failed = self.cancelled = 0
        self.sent = self.received = 0  # bytes
        self.lost = 0  # events
        self.since = 0.0  # when the watching began

    def take(self, event: Event) -> None:
        """This has happened. A Hello starts anew; one of the same agent keeps what has ended."""
        if not isinstance(event, Lost):
            self.time = max(self.time, event.time)
        match event:
            case Job():
                self._job(event)
            case Host():
                self._host(event)
            case Local():
                self._local(event)
            case Lost():
                self.lost += event.count
            case Hello():
                self._hello(event)

    def rate(self, now: float, seconds: float = 10) -> float:
        """Jobs ended per second in the last `seconds`, or since the watching began."""
        ended = 0
        for job in reversed(self.finished):
            if (job.ended or 0.0) < now - seconds:
                break
            ended += 1
        return ended / max(_SHORTEST, min(seconds, now - self.since))

    def placed(self) -> Iterator[JobView]:
        """The jobs that a host or this machine has, in the order of their arrival."""
        return (job for job in self.jobs.values() if job.is_placed)

    def unplaced(self) -> Iterator[JobView]:
        """The jobs that nobody has yet, in the order of their arrival."""
        return (job for job in self.jobs.values() if not job.is_placed)

    def _hello(self, hello: Hello) -> None:
        before = self.hello
        if before is None or (before.source, before.pid) != (hello.source, hello.pid):
            self._forget()
            self.since = hello.time
        known, hosts = self.jobs, self.hosts
        self.hello, self.hosts, self.jobs = hello, {}, {}
        for host in hello.hosts:
            self._host(host)
        self._local(hello.local)
        for name, view in self.hosts.items():
            if name in hosts:
                view.done, view.seconds_busy = hosts[name].done, hosts[name].seconds_busy
        for job in hello.jobs:
            if job.job in known:
                resumed = self.jobs[job.job] = known[job.job]
                self._enter(resumed)
            self._job(job)
        self.total, self.by_reason = hello.total, Counter(hello.by_reason)

    def _local(self, local: Local) -> None:
        self.local = local
        view = self.hosts.get(HERE)
        if view is not None:
            view.became(structs.replace(view.event, slots=local.slots, time=local.time))
        elif self._home() == HERE:
            self._host(Host(host=HERE, time=local.time, state="up", slots=local.slots))

    def _home(self) -> str:
        """Where a job with a slot and no host is: an agent's here, a server's on that one host."""
        if self.hello is not None and self.hello.source == "server":
            return next(iter(self.hosts), HERE)
        return HERE

    def _host(self, event: Host) -> None:
        view = self.hosts.get(event.host)
        if view is None and event.state != "gone":
            self.hosts[event.host] = view = HostView(event)
        if view is not None:
            view.became(event)
            self._drop_if_gone(view)

    def _drop_if_gone(self, view: HostView) -> None:
        if view.event.state == "gone" and not any(view.jobs()):
            self.hosts.pop(view.event.host, None)

    def _job(self, event: Job) -> None:
        job = self.jobs.get(event.job)
        if job is None:
            job = self.jobs[event.job] = JobView(event.job, started=event.time - event.seconds)
            self.total += 1
        host, slot = self._place(event, job)
        is_placed = bool(host) and event.state not in UNPLACED
        moved = (host, slot, is_placed) != (job.host, job.slot, job.is_placed)
        if moved:
            self._leave(job, event.time)
            job.host, job.slot = host, slot
            job.placed = event.time if is_placed else 0.0
        self._merge(job, event)
        if event.state in ENDED:
            self._end(job, event.time)
        elif moved:
            self._enter(job)

    def _place(self, event: Job, job: JobView) -> tuple[str, int]:
        """Host and slot after this event; of one that waits at most for which host."""
        slot = event.slot if event.slot < MOST_LANES else -1
        if event.host and event.host != job.host:
            return event.host, slot
        if event.state in UNPLACED:
            return event.host, slot
        if slot < 0:
            return job.host, job.slot
        return job.host or self._home(), slot

    def _merge(self, job: JobView, event: Job) -> None:
        sent, received = job.sent, job.received
        for name, nothing in _MERGED:
            value = getattr(event, name)
            if value != nothing:
                setattr(job, name, value)
        self.sent += max(0, job.sent - sent)
        self.received += max(0, job.received - received)
        job.state = event.state
        if not job.phases or (job.phases[-1].state, job.phases[-1].host) != (event.state, job.host):
            job.phases.append(PhaseView(event.state, event.time, job.host))

    def _enter(self, job: JobView) -> None:
        if job.is_placed:
            view = self.hosts.get(job.host)
            if view is None:  # its own event is lost, or it left the list
                view = self.hosts[job.host] = HostView(Host(host=job.host, time=self.time, state="gone"))
            view.enter(job)

    def _leave(self, job: JobView, time: float) -> None:
        view = self.hosts.get(job.host)
        if view is not None:
            view.leave(job, time)
            self._drop_if_gone(view)

    def _end(self, job: JobView, time: float) -> None:
        job.ended = time
        job.seconds = job.seconds or job.age(time)
        del self.jobs[job.job]
        self.finished.append(job)
        if job.state == "failed":
            self.failed += 1
        elif job.state == "cancelled":
            self.cancelled += 1
        else:
            self.done += 1
            if job.host in self.hosts:
                self.hosts[job.host].done += 1
        if job.state != "cancelled" and job.reason:
            self.by_reason[job.reason] += 1
        self._leave(job, time)
