"""Which queued job a grant takes. Pure.

Theory of operation. The longest job must not come last, so a grant takes the longest that is queued; but
make shows only as many jobs as its -j, and goes on to the next when one ends. While the longest job would
end long before the rest of the queue, and make still replaces what ends, the shortest job is the better
choice: it makes room for others, and among these may be a long one. Every `_TURN`th grant takes the job
that has waited longest, so none waits for ever.

A host that is slower than others gets the longest job that it can end before the rest is done (`horizon`);
if none is so short, `tail` plans the queue, and says which job the host should have all the same, or none.
"""

from dataclasses import dataclass
from typing import Final

from fleetcc.scheduling.lines import Line, Queue
from fleetcc.scheduling.roster import Able, Roster
from fleetcc.scheduling.state import Host, Job, free_times, remaining, wait_for_slot
from fleetcc.scheduling.tail import MOST_PLANNED, offered_job

# Speeds closer than this are the same, as far as anybody knows.
_SAME_SPEED: Final = 0.87
# The longest job is urgent when the rest of the queue lasts less than so many times as long.
_URGENT: Final = 1.5
# Make has no more jobs when the jobs that are here fall below this share of what they were ...
_ENDING: Final = 0.9
# ... on average over so many grants.
_GRANTS_REMEMBERED: Final = 64
# Every so manieth grant goes to the job that has waited longest.
_TURN: Final = 8
# An outlook is good for this part of the time that it spans, and at most for so many seconds.
_OUTLOOK_SHARE: Final = 0.02
_OUTLOOK_SECONDS: Final = 0.1


@dataclass(slots=True)
class _Outlook:
    """What the hosts of a line have to do, as it was a moment ago; looking costs, so it is kept that long."""

    version: int
    made: float
    until: float
    running: float  # standard seconds that runs will still take
    capacity: float  # standard seconds in a second


class Chooser:
    """Chooses jobs for the grants of one client."""

    def __init__(self, roster: Roster, queue: Queue, jobs: dict[int, Job]) -> None:
        self._roster = roster
        self._queue = queue
        self._jobs = jobs
        self._outlooks: dict[Line, _Outlook] = {}
        self._grants = 0
        self._usual = 0.0  # jobs that are here, queued and running, as they were lately

    def choose(self, host: Host, now: float) -> Job | None:
        """The job that this host should do; None: it should not do any of the queue."""
        lines = [line for line in self._queue.lines if host in self._roster.able(line.key, now).ready]
        if not lines:
            return None
        line = min(lines, key=lambda found: found.ranks[0])
        able = self._roster.able(line.key, now)
        wait = wait_for_slot(host, self._jobs, now)
        horizon = self._horizon(line, able, now)
        is_fast = host.speed >= _SAME_SPEED * able.fastest
        if is_fast and (not wait or len(line.ranks) > len(able.ready)):
            return self._jobs[self._for_fast(line, lines, horizon * able.fastest)]
        within = (horizon - wait) * host.speed
        number = self._for_slow(line, lines, within)
        return self._jobs[number] if number is not None else self._planned(line, able, host, wait, now)

    def horizon(self, host: Host, now: float) -> float | None:
        """Until the queue that the host could work at is done; None: there is none."""
        for line in self._queue.lines:
            able = self._roster.able(line.key, now)
            if host in able.ready:
                return self._horizon(line, able, now)
        return None

    def chosen(self, job: Job) -> None:
        """The choice was followed: the job is about to leave the queue."""
        self._grants += 1
        here = len(self._jobs)
        self._usual = max(here, self._usual + (here - self._usual) / _GRANTS_REMEMBERED)
        for line, outlook in self._outlooks.items():
            if line.key == job.line_key:
                outlook.running += job.predicted.seconds

    def _for_fast(self, line: Line, lines: list[Line], rest: float) -> int:
        if self._is_turn_of_oldest:
            return min(each.oldest for each in lines)
        is_ending = len(self._jobs) < _ENDING * self._usual
        if is_ending or -line.ranks[0][1] * _URGENT > rest:
            return line.longest
        return line.shortest

    def _for_slow(self, line: Line, lines: list[Line], within: float) -> int | None:
        if self._is_turn_of_oldest:
            oldest = min(each.oldest for each in lines)
            if self._jobs[oldest].predicted.seconds <= within:
                return oldest
        return line.longest_within(within)

    @property
    def _is_turn_of_oldest(self) -> bool:
        return self._grants % _TURN == _TURN - 1

    def _planned(self, line: Line, able: Able, host: Host, wait: float, now: float) -> Job | None:
        jobs = [self._jobs[number] for _, _, number in line.ranks[:MOST_PLANNED]]
        index = offered_job(
            (wait, host.speed),
            [(other.speed, free_times(other, self._jobs, now)) for other in able.ready if other is not host],
            (job.predicted.seconds for job in jobs),
        )
        return None if index is None else jobs[index]

    def _horizon(self, line: Line, able: Able, now: float) -> float:
        """Until all that is queued and running would be done, if the hosts shared it evenly."""
        outlook = self._outlooks.get(line)
        if (
            outlook is None
            or outlook.version != self._roster.version
            or not outlook.made <= now < outlook.until
        ):
            outlook = self._look(line, able, now)
        return (self._queue.seconds + outlook.running) / outlook.capacity

    def _look(self, line: Line, able: Able, now: float) -> _Outlook:
        running = capacity = 0.0
        for host in able.ready:
            for number, run in host.runs.items():
                running += host.speed * remaining(self._jobs[number], host, run, now)
            slots = min(host.facts.slots, len(host.runs) + host.probably_free(now))
            capacity += host.speed * max(1, slots)
        horizon = (self._queue.seconds + running) / capacity
        until = now + min(_OUTLOOK_SECONDS, _OUTLOOK_SHARE * horizon)
        outlook = _Outlook(self._roster.version, now, until, running, capacity)
        queued = self._queue.lines
        self._outlooks = {known: self._outlooks[known] for known in queued if known in self._outlooks}
        self._outlooks[line] = outlook
        return outlook
