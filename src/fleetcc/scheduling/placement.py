"""Which host of its list a job gets, and when: the client's half until hosts speak the fleet protocol.

Theory of operation
-------------------
Stock distcc hosts cannot say that they are ready, so the client counts what it has given them and never
exceeds the limit of the host list. A job names its candidates in the order of its list; it gets the one
with the smallest share of its limit in use, ties in list order: distcc's breadth-first rule, made
proportional to limits. When every candidate is full the job waits; jobs are served oldest first, each by
the first of *its* candidates that has room, so two builds with different lists share one agent.

A host that failed is left alone for 1, 2, 4 ... `backoff_max` seconds, for everything (it could not be
reached) or for one compiler name (it closed without an answer, or has no such compiler). A success clears
both. Nothing here knows the time; `now` comes in and `next_deadline` goes out.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

FIRST_BACKOFF_SECONDS: Final = 1.0

H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[H]):
    """One host that may take the job, and how many jobs of ours it may have at once."""

    host: H
    limit: int


@dataclass(frozen=True, slots=True)
class Placed(Generic[H]):
    """The job got this host; give it back with `release`."""

    ticket: int
    host: H


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Every candidate is being left alone; the job must run locally."""

    ticket: int


@dataclass(slots=True)
class _Backoff:
    failures: int
    until: float


@dataclass(slots=True)
class _Waiting(Generic[H]):
    candidates: Sequence[Candidate[H]]
    compiler: bytes


@dataclass(slots=True)
class Placement(Generic[H]):
    """The counts and back-offs of all hosts that any job has named."""

    running: dict[H, int] = field(default_factory=dict)
    _waiting: OrderedDict[int, _Waiting[H]] = field(default_factory=OrderedDict)
    _backoffs: dict[tuple[H, bytes | None], _Backoff] = field(default_factory=dict)
    _next_ticket: int = 0

    def request(
        self, candidates: Sequence[Candidate[H]], compiler: bytes, now: float
    ) -> Placed[H] | Nowhere | int:
        """A host at once, or Nowhere, or the ticket under which `release` or `tick` will name one."""
        ticket = self._next_ticket
        self._next_ticket += 1
        answer = self._answer(ticket, candidates, compiler, now)
        if answer is None:
            self._waiting[ticket] = _Waiting(candidates, compiler)
            return ticket
        return answer

    def cancel(self, ticket: int) -> None:
        """The waiting job went away."""
        self._waiting.pop(ticket, None)

    def release(self, host: H, now: float) -> list[Placed[H] | Nowhere]:
        """A job on `host` ended; the answers for waiting jobs that this allows."""
        remaining = self.running[host] - 1
        if remaining:
            self.running[host] = remaining
        else:
            del self.running[host]
        return self.tick(now)

    def succeeded(self, host: H, compiler: bytes) -> None:
        """The host did a job: it is forgiven."""
        if self._backoffs:
            self._backoffs.pop((host, None), None)
            self._backoffs.pop((host, compiler), None)

    def failed(self, host: H, compiler: bytes | None, now: float, backoff_max: float) -> float:
        """Leave the host alone, for one compiler or (None) for all; returns for how many seconds.

        Failures while it is left alone anyway (jobs that were already there) do not add up.
        """
        if backoff_max <= 0:
            return 0.0
        key = (host, compiler)
        previous = self._backoffs.get(key)
        if previous is not None and now < previous.until:
            return previous.until - now
        failures = 1 if previous is None else previous.failures + 1
        pause = min(backoff_max, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 30))
        self._backoffs[key] = _Backoff(failures, now + pause)
        return pause

    def left_alone_until(self, host: H, compiler: bytes, now: float) -> float | None:
        """Until when the host is left alone, None when it may be asked."""
        if not self._backoffs:
            return None
        ends = [
            backoff.until
            for backoff in (self._backoffs.get((host, None)), self._backoffs.get((host, compiler)))
            if backoff is not None and now < backoff.until
        ]
        return max(ends, default=None)

    def tick(self, now: float) -> list[Placed[H] | Nowhere]:
        """Answers for waiting jobs after time has passed or counts have changed."""
        answers: list[Placed[H] | Nowhere] = []
        for ticket, waiting in list(self._waiting.items()):
            answer = self._answer(ticket, waiting.candidates, waiting.compiler, now)
            if answer is not None:
                del self._waiting[ticket]
                answers.append(answer)
        return answers

    def next_deadline(self, now: float) -> float | None:
        """When to call `tick` although nothing has happened: the end of the next back-off."""
        if not self._waiting:
            return None
        return min((b.until for b in self._backoffs.values() if b.until > now), default=None)

    @property
    def waiting_count(self) -> int:
        """How many jobs wait for a host."""
        return len(self._waiting)

    def _answer(
        self, ticket: int, candidates: Sequence[Candidate[H]], compiler: bytes, now: float
    ) -> Placed[H] | Nowhere | None:
        best: H | None = None
        best_share = 1.0
        all_left_alone = True
        for candidate in candidates:
            if self.left_alone_until(candidate.host, compiler, now) is not None:
                continue
            all_left_alone = False
            share = self.running.get(candidate.host, 0) / candidate.limit
            if share < best_share:
                best, best_share = candidate.host, share
        if all_left_alone:
            return Nowhere(ticket)
        if best is None:
            return None
        self.running[best] = self.running.get(best, 0) + 1
        return Placed(ticket, best)
