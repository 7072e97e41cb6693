"""One job's story: where it is, and how it came there.

Whoever moves a job on tells it here, and this is the one place that knows its state. A move costs a tuple:
what those who watch are told of it (`watching`), and the journal, is made of that later (`telling`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from fleetcc.backends.link import Spoken
from fleetcc.model import Reason
from fleetcc.monitor.events import State
from fleetcc.settings import printable

if TYPE_CHECKING:
    from fleetcc.agent.stories import Stories

# This machine: its name for people, and as a host.
HERE: Final = "local"
LOCALHOST: Final = "localhost"

# Options of a compile whose next word is not the source.
_TAKE_A_WORD: Final = (b"-o", b"-x", b"-I", b"-D", b"-U", b"-include", b"-isystem", b"-MF", b"-MT", b"-MQ")

Mode: TypeAlias = Literal["", "files", "text", "pump"]

# In which state a job was from when on (monotonic), at which host ("": none), in which slot there (-1: none).
Phase: TypeAlias = tuple[State, float, str, int]


class Watcher(Protocol):
    """Who is told that something has changed; what it has become is looked up later."""

    def job_moved(self, story: "Story") -> None:
        """It is in another state, or at another host."""

    def host_changed(self, host: str) -> None:
        """Something is different about this host."""


@dataclass(slots=True)
class Story:
    """One job, from arrival to end. Times are seconds of the monotonic clock."""

    number: int
    argv: Sequence[bytes]
    cwd: bytes
    stories: "Stories"
    build: str
    started: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.time)  # the same moment, Unix time
    state: State = "planning"
    host: str = ""  # as people call it
    place: str = ""  # the id of that host
    slot: int = -1  # there
    reason: Reason | None = None
    detail: str = ""
    source: bytes = b""
    mode: Mode = ""
    predicted: float = 0.0  # seconds
    files: int = 0
    hosts: tuple[str, ...] = ()  # all that it was given to
    raced: bool = False
    sent: int = 0
    received: int = 0
    status: int = -1
    run_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    ended: float | None = None
    phases: list[Phase] = field(default_factory=list)
    _lanes: dict[str, tuple[int, str]] = field(default_factory=dict)  # by host: the lane, its name for people

    def phase(self, state: State) -> None:
        """The job moved on, where it is."""
        self.state = state
        self.phases.append((state, time.monotonic(), self.place, self.slot))
        watcher = self.stories.watcher
        if watcher is not None:
            watcher.job_moved(self)

    # -- at hosts

    def waits(self) -> None:
        """It is at no host, and shall be at one."""
        self._leave_all()
        self.host, self.place, self.slot = "", "", -1
        self.phase("waiting")

    def goes_to(self, place: str, text: str) -> None:
        """A host gets it, perhaps while another has it as well: a race."""
        self.raced = self.raced or bool(self._lanes)
        slot = self.stories.lanes.take(place)
        self._lanes[place] = slot, text
        self.hosts += (place,)
        self._is_at(place)
        self.phase("uploading")

    def runs_at(self, place: str) -> None:
        """Its compiler runs there."""
        if place == self.place:
            self.phase("compiling")

    def leaves(self, place: str) -> None:
        """That host has it no more; if it has another, that one counts."""
        lane = self._lanes.pop(place, None)
        if lane is None:
            return
        self.stories.lanes.give_back(place, lane[0])
        if place != self.place:
            return
        if self._lanes:
            self._is_at(next(reversed(self._lanes)))
            self.phase("compiling")
        else:
            self.waits()

    def answered_at(self, place: str, spoken: Spoken) -> None:
        """A compiler has spoken there."""
        if place in self._lanes:
            self._is_at(place)
        self.sent += spoken.sent
        self.received += spoken.received
        self.status = spoken.status
        self.run_seconds = spoken.seconds or 0.0
        self.cpu_seconds, self.peak_bytes = spoken.cpu_seconds, spoken.peak_bytes

    def _is_at(self, place: str) -> None:
        self.place = place
        self.slot, self.host = self._lanes[place]

    def _leave_all(self) -> None:
        for place, (lane, _) in self._lanes.items():
            self.stories.lanes.give_back(place, lane)
        self._lanes.clear()

    # -- here

    def waits_here(self) -> None:
        """For a slot of this machine; what a host's compiler did does not count."""
        self._leave_all()
        self.host, self.place, self.slot = HERE, LOCALHOST, -1
        self.status, self.run_seconds, self.cpu_seconds, self.peak_bytes = -1, 0.0, 0.0, 0
        self.phase("waiting")

    def runs_here(self) -> None:
        """The launcher runs the compiler."""
        self._leave_all()
        self._lanes[LOCALHOST] = self.stories.lanes.take(LOCALHOST), HERE
        self._is_at(LOCALHOST)
        self.phase("compiling")

    # -- its end

    def end(self, state: State, reason: Reason | None = None, detail: str | None = None) -> None:
        """The job is over; only the first call counts."""
        if self.ended is not None:
            return
        self.state, self.ended = state, time.monotonic()
        if reason is not None:
            self.reason = reason
        if detail is not None:
            self.detail = detail
        if self._lanes:
            self._leave_all()
        self.stories.ended(self)

    # -- for people

    @property
    def label(self) -> str:
        """What a person calls this job."""
        if self.source:
            return printable(self.source)
        pairs = zip(self.argv, self.argv[1:], strict=False)
        takes = _TAKE_A_WORD if b"-c" in self.argv else ()
        words = [word for before, word in pairs if not word.startswith(b"-") and before not in takes]
        return printable(words[-1] if words else self.argv[0])

    @property
    def directory(self) -> str:
        """Where it was started."""
        return _shown(self.cwd)

    @property
    def seconds(self) -> float:
        """From its arrival until now, or to its end."""
        return (self.ended or time.monotonic()) - self.started

    def sentence(self) -> str:
        """One line for people: what, where, why, how long."""
        how = f"{self.state}, " if self.state in {"cancelled", "failed"} else ""
        if self.reason is None or self.reason is Reason.REMOTE:
            where = f"on {self.host}" if self.host else "nowhere yet"
        else:
            detail = f"; {printable(self.detail)}" if self.detail else ""
            where = f"here ({self.reason.slug}: {self.reason.text}{detail})"
        return f"{self.label}: {how}{where}, {self.seconds * 1000:.0f} ms"

    def as_json(self) -> dict[str, object]:
        """For `fleetcc status --json`."""
        return {
            "job": self.number,
            "label": self.label,
            "directory": self.directory,
            "state": self.state,
            "host": self.host,
            "reason": None if self.reason is None else self.reason.slug,
            "detail": printable(self.detail),
            "seconds": round(self.seconds, 3),
        }


@lru_cache(maxsize=256)  # a build has some directories, and many jobs in each
def _shown(name: bytes) -> str:
    """A name from the build, safe on a terminal, in a log and in JSON."""
    return printable(name)
