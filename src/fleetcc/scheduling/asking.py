"""Which hosts are asked for grants, and when to ask again: no more than could be of use. Pure."""

from math import log

from fleetcc.model import Priority
from fleetcc.scheduling.choosing import Chooser
from fleetcc.scheduling.fleet import Demand, HostState, Instruction, Surrender
from fleetcc.scheduling.lines import Line, Queue
from fleetcc.scheduling.rescue import Rescuer
from fleetcc.scheduling.roster import Able, Roster
from fleetcc.scheduling.state import PATIENCE_SECONDS, REST_SECONDS, Host, Job


class Asker:
    """The demands of one client, and what else follows from the queue as it is now."""

    def __init__(
        self, roster: Roster, queue: Queue, jobs: dict[int, Job], chooser: Chooser, rescuer: Rescuer
    ) -> None:
        self.helpers: dict[Host, int] = {}  # asked although nothing is queued
        self._roster = roster
        self._queue = queue
        self._jobs = jobs
        self._chooser = chooser
        self._rescuer = rescuer

    def settle(self, now: float) -> list[Instruction]:
        """Give up, connect, demand."""
        instructions: list[Instruction] = []
        wanted: dict[Host, int] = {}
        for line in self._queue.lines:
            instructions += self._settle_line(line, wanted, now)
        if not self._queue.count:
            if now >= self._rescuer.next_look:
                self.helpers = dict.fromkeys(self._rescuer.helpers(now), 1)
            wanted = self.helpers
        priority = self._queue.highest_priority
        for host in self._roster:
            instructions += _demand(host, wanted.get(host, 0), priority, now)
        return instructions

    def next_deadline(self, now: float) -> float | None:
        """When to settle although nothing has happened."""
        times = []
        if self._queue.count:
            for host in self._roster:
                if host.asked and now < host.asked_at + PATIENCE_SECONDS:
                    times.append(host.asked_at + PATIENCE_SECONDS)
                if host.resting_until > now:
                    times.append(host.resting_until)
            pause = self._roster.backoffs.next_end(now)
            if pause is not None:
                times.append(pause)
        elif self._jobs and self._rescuer.is_of_use:
            times.append(max(now, self._rescuer.next_look))
        return min(times, default=None)

    def _settle_line(self, line: Line, wanted: dict[Host, int], now: float) -> list[Instruction]:
        able = self._roster.able(line.key, now)
        if not able.hosts:
            return self._surrender(line, now)
        for host in self._hosts_to_ask(line, able, now):
            wanted[host] = wanted.get(host, 0) + len(line.ranks)
        return self._roster.connects(able.away)

    def _surrender(self, line: Line, now: float) -> list[Instruction]:
        why = self._roster.why_nobody(line.key, now)
        self._queue.drop(line)
        numbers = [number for _, _, number in line.ranks]
        for number in numbers:
            del self._jobs[number]
        return [Surrender(number, why) for number in numbers]

    def _hosts_to_ask(self, line: Line, able: Able, now: float) -> list[Host]:
        """Those that are asked for this line's jobs, or should be."""
        asked: list[Host] = []
        idle: list[Host] = []
        covered, jobs = 0, len(line.ranks)
        for host in able.ready:
            if host.asked:
                asked.append(host)
                covered += host.probably_free(now)
            elif now >= host.resting_until:
                idle.append(host)
        if not idle or covered >= jobs:
            return asked
        # The same speed, as far as one knows, within a fifth: then whoever has fewer jobs of ours.
        idle.sort(key=lambda host: (not host.probably_free(now), -round(5 * log(host.speed)), len(host.runs)))
        for host in idle:
            if covered >= jobs:
                break
            if host.has_declined and self._chooser.choose(host, now) is None:
                host.resting_until = now + REST_SECONDS
                continue
            asked.append(host)
            covered += host.probably_free(now)
        return asked


def withdraw(host: Host) -> list[Instruction]:
    """Nothing is there for the host."""
    if not host.asked:
        return []
    host.asked = 0
    return [Demand(host.id, 0, host.asked_priority)]


def _demand(host: Host, most: int, priority: Priority, now: float) -> list[Instruction]:
    """Tell the host what it could get, when that differs from what it was told in a way that matters."""
    if host.state is not HostState.UP:
        return []
    if not most:
        return withdraw(host)
    enough = host.asked > host.facts.slots // 4 or host.asked >= most
    if host.asked and enough and priority is host.asked_priority:
        return []
    if not host.asked:
        host.asked_at = now
    host.asked, host.asked_priority = most, priority
    return [Demand(host.id, most, priority)]
