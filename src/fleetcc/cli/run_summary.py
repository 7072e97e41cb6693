"""Where the jobs of one build ran, counted from the agent's events."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from fleetcc.model import Reason
from fleetcc.monitor.events import ENDED, Event, Hello, Job, Lost

_MOST_REASONS: Final = 3


class Tally:
    """The jobs of one build."""

    def __init__(self, build: str) -> None:
        self._build = build
        self._builds: dict[int, str] = {}  # of the jobs that have not ended
        self.by_reason: Counter[str] = Counter()
        self.failed = self.cancelled = self.lost = 0
        self.has_begun = False  # an agent told anything

    @property
    def running(self) -> int:
        """How many have not ended."""
        return sum(build == self._build for build in self._builds.values())

    def take(self, event: Event) -> None:
        """This has happened; only the first event of a job says its build."""
        self.has_begun = True
        match event:
            case Hello():
                self._builds = {job.job: job.build for job in event.jobs}
            case Job():
                self._job(event)
            case Lost():
                self.lost += event.count
            case _:
                pass

    def lines(self) -> list[str]:
        """For people: how many ran where, and why here."""
        if not self.has_begun:
            return ["fleetcc: no agent ran, so everything was compiled here"]
        remote = self.by_reason[Reason.REMOTE.slug]
        local = Counter({slug: count for slug, count in self.by_reason.items() if slug != Reason.REMOTE.slug})
        first = f"fleetcc: {_jobs(remote + local.total())}: {remote} on hosts, {local.total()} here"
        first += f", {self.cancelled} cancelled" * bool(self.cancelled)
        first += f", {self.failed} failed" * bool(self.failed)
        first += f" ({self.lost} events were lost, so some may be missing)" * bool(self.lost)
        return [first, f"fleetcc: here because: {', '.join(_reasons(local))}"] if local else [first]

    def _job(self, event: Job) -> None:
        build = event.build or self._builds.get(event.job, "")
        if event.state not in ENDED:
            self._builds[event.job] = build
            return
        self._builds.pop(event.job, None)
        if build != self._build:
            return
        if event.state == "cancelled":
            self.cancelled += 1
            return
        self.failed += event.state == "failed"
        self.by_reason[event.reason or "unknown"] += 1


def _jobs(count: int) -> str:
    return f"{count} job{'s' * (count != 1)}"


def _reasons(local: Counter[str]) -> Iterator[str]:
    ranked = sorted(local.items(), key=lambda item: (-item[1], item[0]))
    yield from (f"{slug} {count}" for slug, count in ranked[:_MOST_REASONS])
    others = sum(count for _, count in ranked[_MOST_REASONS:])
    if others:
        yield f"others {others}"
