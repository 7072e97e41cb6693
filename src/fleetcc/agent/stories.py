"""What happened to each job, told once: the running ones, the last few, and counts by reason."""

import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.model import Reason
from fleetcc.settings import printable

# Enough to answer "what just happened" without growing; issue-sized histories belong on disk.
RECENT_JOBS: Final = 1000

# Options of a compile whose next word is not the source.
_TAKE_A_WORD: Final = (b"-o", b"-x", b"-I", b"-D", b"-U", b"-include", b"-isystem", b"-MF", b"-MT", b"-MQ")


@dataclass(slots=True)
class Story:
    """One job, from arrival to end. Times are seconds of the monotonic clock."""

    number: int
    argv: Sequence[bytes]
    cwd: bytes
    stories: "Stories"
    started: float = field(default_factory=time.monotonic)
    state: str = "planning"
    host: str = ""
    reason: Reason | None = None
    detail: str = ""
    source: bytes = b""
    ended: float | None = None

    def phase(self, state: str, host: str | None = None) -> None:
        """The job moved on."""
        self.state = state
        if host is not None:
            self.host = host

    def end(self, state: str, reason: Reason | None = None, detail: str | None = None) -> None:
        """The job is over; only the first call counts."""
        if self.ended is not None:
            return
        self.state, self.ended = state, time.monotonic()
        if reason is not None:
            self.reason = reason
        if detail is not None:
            self.detail = detail
        self.stories.ended(self)

    @property
    def label(self) -> str:
        """What a person calls this job."""
        if self.source:
            return _shown(self.source)
        pairs = zip(self.argv, self.argv[1:], strict=False)
        takes = _TAKE_A_WORD if b"-c" in self.argv else ()
        words = [word for before, word in pairs if not word.startswith(b"-") and before not in takes]
        return _shown(words[-1] if words else self.argv[0])

    def sentence(self) -> str:
        """One line for people: what, where, why, how long."""
        seconds = (self.ended or time.monotonic()) - self.started
        how = f"{self.state}, " if self.state in {"cancelled", "failed"} else ""
        if self.reason is None or self.reason is Reason.REMOTE:
            where = f"on {self.host}" if self.host else "nowhere yet"
        else:
            detail = f"; {printable(self.detail)}" if self.detail else ""
            where = f"here ({self.reason.slug}: {self.reason.text}{detail})"
        return f"{self.label}: {how}{where}, {seconds * 1000:.0f} ms"

    def as_json(self) -> dict[str, object]:
        """For `fleetcc status --json`."""
        return {
            "job": self.number,
            "label": self.label,
            "directory": _shown(self.cwd),
            "state": self.state,
            "host": self.host,
            "reason": None if self.reason is None else self.reason.slug,
            "detail": printable(self.detail),
            "seconds": round((self.ended or time.monotonic()) - self.started, 3),
        }


@dataclass(slots=True)
class Stories:
    """All jobs of one agent."""

    log_descriptor: int | None = None
    running: dict[int, Story] = field(default_factory=dict)
    recent: deque[Story] = field(default_factory=lambda: deque(maxlen=RECENT_JOBS))
    by_reason: Counter[str] = field(default_factory=Counter)
    by_host: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    total: int = 0

    def begin(self, argv: Sequence[bytes], cwd: bytes) -> Story:
        """A job has arrived."""
        self.total += 1
        story = Story(self.total, argv, cwd, self)
        self.running[story.number] = story
        return story

    def ended(self, story: Story) -> None:
        """Called by the story itself."""
        self.running.pop(story.number, None)
        self.recent.append(story)
        if story.state == "cancelled":
            self.cancelled += 1
        elif story.reason is not None:
            self.by_reason[story.reason.slug] += 1
            self.by_host[story.host] += 1
        if self.log_descriptor is not None:
            _append_line(self.log_descriptor, story)

    def append_to(self, path: str, story: Story) -> None:
        """Add the job's line to the log that its own environment names; a log that fails costs nothing."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return
        try:
            _append_line(descriptor, story)
        finally:
            os.close(descriptor)


def _shown(name: bytes) -> str:
    """A name from the build, safe on a terminal, in a log and in JSON."""
    return printable(os.fsdecode(name))


def _append_line(descriptor: int, story: Story) -> None:
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} job {story.number} {story.sentence()}\n"
    try:
        os.write(descriptor, line.encode("utf-8", "surrogateescape"))
    except OSError:
        return
