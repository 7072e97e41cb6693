"""All jobs of one agent: those that run, the last few, counts by reason. The journal gets each that ends."""

import os
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.agent.lanes import Lanes
from fleetcc.agent.story import Story, Watcher
from fleetcc.agent.telling import record_of
from fleetcc.monitor.journal import Journal

# Enough to answer "what just happened" without growing; more is in the journal.
RECENT_JOBS: Final = 1000

# A fifo that nobody reads must not make the agent wait.
_LOG_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

# Jobs that come after so long a pause belong to another build, where nobody names builds.
BUILD_PAUSE_SECONDS: Final = 10.0


@dataclass(slots=True)
class Stories:
    """All jobs of one agent."""

    journal: Journal
    agent: str = field(default_factory=lambda: secrets.token_hex(4))  # its name in the journal
    watcher: Watcher | None = None  # while anybody watches
    slots_of: Callable[[str], int] = lambda _host: 0  # how many a host has; the daemon knows
    lanes: Lanes = field(default_factory=Lanes)
    running: dict[int, Story] = field(default_factory=dict)
    recent: deque[Story] = field(default_factory=lambda: deque(maxlen=RECENT_JOBS))
    by_reason: Counter[str] = field(default_factory=Counter)
    by_host: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    total: int = 0
    _build: str = ""
    _last_end: float = 0.0

    def begin(self, argv: Sequence[bytes], cwd: bytes, build: str = "") -> Story:
        """A job has arrived; `build`: to which its environment says that it belongs."""
        self.total += 1
        story = Story(self.total, argv, cwd, self, build or self._current_build())
        self.running[story.number] = story
        story.phase("planning")
        return story

    def ended(self, story: Story) -> None:
        """Called by the story itself."""
        self.running.pop(story.number, None)
        self.recent.append(story)
        self._last_end = story.ended or 0.0
        if story.state == "cancelled":
            self.cancelled += 1
        elif story.reason is not None:
            self.by_reason[story.reason.slug] += 1
            self.by_host[story.host] += 1
        if self.watcher is not None:
            self.watcher.job_moved(story)
        self.journal.add(record_of(story))

    def _current_build(self) -> str:
        """A new one after a pause in which there was no job."""
        if not self._build or (not self.running and time.monotonic() - self._last_end > BUILD_PAUSE_SECONDS):
            self._build = f"{time.strftime('%Y%m%d-%H%M%S')}-{self.agent[:4]}"
        return self._build

    def append_to(self, path: str, story: Story) -> None:
        """Add the job's line to the log that its own environment names; a log that fails costs nothing."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} job {story.number} {story.sentence()}\n"
        try:
            descriptor = os.open(path, _LOG_FLAGS, 0o666)
        except OSError:
            return
        try:
            os.write(descriptor, line.encode("utf-8", "surrogateescape"))
        except OSError:
            return
        finally:
            os.close(descriptor)
