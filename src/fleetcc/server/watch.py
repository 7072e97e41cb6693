"""What goes on in one server process, for those who watch it: its jobs, its slots, and itself.

Each job has a `Life`, which is told where the job has come to. Its numbers go into the counts in any case; an
event is made only while somebody watches, and then, once a second, one of the slots and the machine too.
"""

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING, Final, Literal

from fleetcc import __version__
from fleetcc.monitor.bus import Bus, Viewer
from fleetcc.monitor.events import Hello, Host, Job, Local, State
from fleetcc.server import machine
from fleetcc.server.stats import SPOKEN, Extreme, Kind, Stats

if TYPE_CHECKING:
    from fleetcc.server.service import Service

LOCAL_SECONDS: Final = 1.0
PROGRAM: Final = f"fleetccd {__version__}"

_MODES: Final[dict[Kind, Literal["files", "text", "pump"]]] = {
    "files": "files", "text": "text", "distcc": "text", "pump": "pump",
}  # fmt: skip
_CANCELLED: Final = ("cancelled", "disconnected")
_WITHOUT_SLOT: Final = ("waiting", "uploading")


class Life:
    """One job, from its arrival to its end."""

    __slots__ = (
        "_stats", "_watch", "arrived", "client", "compiler", "cpu_seconds", "directory", "ended", "joined",
        "kind", "label", "number", "peak_bytes", "received", "since", "slot", "started", "state",
    )  # fmt: skip

    def __init__(self, watch: "Watch", stats: Stats, number: int, kind: Kind, client: str) -> None:
        self._watch = watch
        self._stats = stats
        self.number = number
        self.kind: Kind = kind
        self.client = client
        self.label = self.compiler = self.directory = ""
        self.state: State = "waiting"
        self.arrived = self.since = time.time()
        self.joined = time.monotonic()  # the line
        self.started = 0.0  # its compiler, on the monotonic clock; 0: not yet
        self.ended = 0.0
        self.slot = -1
        self.received = 0  # bytes, as they travelled
        self.cpu_seconds = 0.0
        self.peak_bytes = 0

    @property
    def run_seconds(self) -> float:
        """Of its compiler, so far or in all; 0 before it starts."""
        return (self.ended or time.monotonic()) - self.started if self.started else 0.0

    @property
    def wait_seconds(self) -> float:
        """From its place in the line to its compiler's start, or until now."""
        return (self.started or self.ended or time.monotonic()) - self.joined

    def comes_to(self, state: State) -> None:
        """It has come so far; the same once more is nothing."""
        if state == self.state:
            return
        self.state, self.since = state, time.time()
        if self._watch.is_watched:
            self._watch.tell(self)

    def begins(self, slot: int) -> None:
        """It has a slot, and its compiler starts."""
        self.started, self.slot = time.monotonic(), slot
        self._stats.waiting[self.kind].add(self.started - self.joined)
        self.comes_to("compiling")

    def is_compiled(self) -> None:
        """Its compiler is gone, and its slot is about to be free."""
        self.ended = time.monotonic()
        self.comes_to("returning")

    def end(self, outcome: str, status: int = 0, sent: int = 0) -> None:
        """It is over, with the log's word for how; only the first call counts.

        `status` as wait() gives it; `sent`: bytes, as they travel.
        """
        if not self._watch.forget(self):
            return
        self.ended = self.ended or time.monotonic()
        self._stats.count(self.kind, outcome)
        if self.started:
            self._count_compile(outcome)
        if self._watch.is_watched:
            self._watch.tell_end(self, outcome, status, sent)

    def _count_compile(self, outcome: str) -> None:
        stats, seconds = self._stats, self.run_seconds
        stats.cpu_seconds[self.kind] += self.cpu_seconds
        if outcome in SPOKEN:
            stats.compiling[self.kind].add(seconds)
            if seconds > stats.longest.value:
                stats.longest = Extreme(seconds, self.label, self.compiler)
        if self.peak_bytes > stats.biggest.value:
            stats.biggest = Extreme(self.peak_bytes, self.label, self.compiler)


class Watch:
    """All that one server process tells."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._bus = Bus(self.hello)
        self._lives: dict[int, Life] = {}
        self._numbers = 0
        self._processors = machine.usable_cpus()
        self._timer: asyncio.TimerHandle | None = None
        self.name = socket.gethostname()

    @property
    def is_watched(self) -> bool:
        """Whether an event would be seen."""
        return self._bus.is_watched

    @property
    def waiting(self) -> int:
        """Jobs that are here and have no slot yet."""
        return sum(life.state in _WITHOUT_SLOT for life in self._lives.values())

    def view(self) -> Viewer:
        """A new viewer, to be closed by whoever asked."""
        viewer = self._bus.watch()
        if self._timer is None:
            self._tick_later()
        return viewer

    def close(self) -> None:
        """No more events of the slots."""
        if self._timer is not None:
            self._timer.cancel()

    # -- of jobs

    def job(self, kind: Kind, client: str, label: str, compiler: str, directory: str = "") -> Life:
        """A job has arrived."""
        self._numbers += 1
        life = Life(self, self._service.stats, self._numbers, kind, client)
        life.label, life.compiler, life.directory = label, compiler, directory
        self._lives[life.number] = life
        if self.is_watched:
            self._bus.publish(self._whole(life))
        return life

    def forget(self, life: Life) -> bool:
        """It has ended; whether it was not known before."""
        return self._lives.pop(life.number, None) is not None

    def tell(self, life: Life) -> None:
        """It has come to another state."""
        slot = life.slot if life.state == "compiling" else -1
        self._bus.publish(
            Job(
                job=life.number,
                time=life.since,
                state=life.state,
                host=self.name if slot >= 0 else "",
                slot=slot,
                received=life.received,
            )
        )

    def tell_end(self, life: Life, outcome: str, status: int, sent: int) -> None:
        """It has ended."""
        state: State = "done" if outcome in SPOKEN else "cancelled" if outcome in _CANCELLED else "failed"
        now = time.time()
        self._bus.publish(
            Job(
                job=life.number,
                time=now,
                state=state,
                detail="" if outcome in SPOKEN else outcome,
                sent=sent,
                received=life.received,
                status=status if outcome in SPOKEN else -1,
                seconds=max(0.0, now - life.arrived),
                run_seconds=life.run_seconds,
                cpu_seconds=life.cpu_seconds,
                peak_bytes=life.peak_bytes,
            )
        )

    def _whole(self, life: Life) -> Job:
        """All that is known of it."""
        return Job(
            job=life.number,
            time=life.since,
            state=life.state,
            label=life.label,
            directory=life.directory,
            client=life.client,
            host=self.name if life.slot >= 0 else "",
            slot=life.slot,
            mode=_MODES[life.kind],
            received=life.received,
        )

    # -- of the server

    def host_changed(self) -> None:
        """It takes files now, or leaves."""
        if self.is_watched:
            self._bus.publish(self._host())

    def hello(self) -> Hello:
        """How things are."""
        return Hello(
            source="server",
            program=PROGRAM,
            pid=os.getpid(),
            time=time.time(),
            local=self.local(),
            hosts=(self._host(),),
            jobs=tuple(self._whole(life) for life in self._lives.values()),
            total=self._numbers,
        )

    def local(self) -> Local:
        """The slots and the machine now; its figures are at most a second old."""
        gate = self._service.gate
        gate.look()
        return Local(
            time=time.time(),
            processors=self._processors,
            slots=gate.capacity,
            running=gate.running,
            waiting=self.waiting,
            load=gate.meter.load,
            memory_available=gate.meter.memory.available_bytes,
            limited_by=gate.limited_by,
            store_bytes=self._service.fleet.files.store_bytes,
        )

    def _host(self) -> Host:
        return Host(
            host=self.name,
            time=time.time(),
            state="draining" if self._service.is_draining else "up",
            server=PROGRAM,
            slots=self._service.gate.slot_count,
            takes_files=not self._service.fleet.files.obstacle,
            why="it was told to stop" if self._service.is_draining else "",
        )

    def _tick(self) -> None:
        self._timer = None
        if self.is_watched:
            self._bus.publish(self.local())
            self._tick_later()

    def _tick_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOCAL_SECONDS, self._tick)
