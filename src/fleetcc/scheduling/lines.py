"""The queue: jobs that no host has taken, in lines of jobs that the same hosts can do. Pure."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from math import inf

from fleetcc.model import Priority
from fleetcc.scheduling.state import PRIORITIES, Job, LineKey, Rank


@dataclass(eq=False, slots=True)
class Line:
    """Queued jobs that the same hosts can do."""

    key: LineKey
    ranks: list[Rank] = field(default_factory=list)
    seconds: float = 0.0
    by_age: dict[int, None] = field(default_factory=dict)  # the one that came first is first

    def add(self, job: Job) -> None:
        """Queue it."""
        insort(self.ranks, job.rank)
        self.seconds += job.predicted.seconds
        self.by_age[job.spec.number] = None

    def remove(self, job: Job) -> None:
        """It goes to a host, or nobody waits for it any more."""
        del self.ranks[bisect_left(self.ranks, job.rank)]
        # Sums of floats do not come back to 0 on their own.
        self.seconds = self.seconds - job.predicted.seconds if self.ranks else 0.0
        del self.by_age[job.spec.number]

    @property
    def oldest(self) -> int:
        """The number of the job that has waited longest."""
        return next(iter(self.by_age))

    @property
    def longest(self) -> int:
        """The number of the longest of the most urgent jobs."""
        return self.ranks[0][2]

    @property
    def shortest(self) -> int:
        """The number of the shortest of the most urgent jobs, the oldest of its equals."""
        priority = self.ranks[0][0]
        last = self.ranks[bisect_right(self.ranks, (priority, inf, 0)) - 1]
        return self.ranks[bisect_left(self.ranks, (priority, last[1], 0))][2]

    def longest_within(self, seconds: float) -> int | None:
        """The number of the longest of the most urgent jobs that is no longer than that."""
        priority = self.ranks[0][0]
        at = bisect_left(self.ranks, (priority, -seconds, 0))
        if at < len(self.ranks) and self.ranks[at][0] == priority:
            return self.ranks[at][2]
        return None


class Queue:
    """All lines that are not empty."""

    def __init__(self) -> None:
        self._lines: dict[LineKey, Line] = {}

    def add(self, job: Job) -> None:
        """The job waits for a host."""
        key = job.line_key
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(key)
        line.add(job)

    def remove(self, job: Job) -> None:
        """It does not wait any more."""
        line = self._lines[job.line_key]
        line.remove(job)
        if not line.ranks:
            del self._lines[line.key]

    def drop(self, line: Line) -> None:
        """No job of this line waits any more."""
        del self._lines[line.key]

    @property
    def lines(self) -> list[Line]:
        """Each line with jobs, the first that came first."""
        return list(self._lines.values())

    @property
    def count(self) -> int:
        """Jobs that wait."""
        return sum(len(line.ranks) for line in self._lines.values())

    @property
    def seconds(self) -> float:
        """Standard seconds of all of them."""
        return sum(line.seconds for line in self._lines.values())

    @property
    def highest_priority(self) -> Priority:
        """Of the most urgent job."""
        first = min((line.ranks[0][0] for line in self._lines.values()), default=None)
        return Priority.NORMAL if first is None else PRIORITIES[first]
