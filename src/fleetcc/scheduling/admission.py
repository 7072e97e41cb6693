"""Whose waiting request may upload, and whose gets the next slot: fair to clients, not to connections.

Theory of operation. A request is QUEUED once its head is known; nothing more of it is read. It may
then send its body (UPLOADING) when its client has nothing else on the way or the window has room,
so a free slot always finds work but 1,000 waiting requests cost their heads only. An upload that
takes too long is SLOW: it goes on, but no longer keeps others out of the window. A body that is
complete and checked is READY, and only a READY request may take a slot (RUNNING).

A slot goes to the client with the fewest compilers running, then to the one served longest ago, then
to the one that has waited longest. Several processes share the slots of one machine; each says in a
`Claim` per client what it has READY, all of them see all claims, and `choose` is the same function of
them in every process, so they agree without talking.

Times are seconds of one monotonic clock that all processes of the machine share.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

# A LAN moves an ordinary preprocessed source in far less; a slower client must not keep others out.
SLOW_UPLOAD_SECONDS: Final = 2.0
# Clients without work are remembered for `served`; this many, the rest are forgotten.
REMEMBERED_CLIENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process has READY for one client."""

    process: str
    client: str
    ready: int
    oldest: float  # arrival of the oldest READY request
    served: float  # when this process last started a job of this client; 0.0: never


def choose(
    claims: Iterable[Claim], running: Mapping[str, int], passed_over: Container[str] = frozenset()
) -> Claim | None:
    """The claim that the next free slot belongs to; None when nobody has one.

    `running` counts the compilers of each client on this machine, whoever started them.
    `passed_over` names processes that were told of a free slot and did not take it.
    """
    known = list(claims)
    served: dict[str, float] = {}
    for claim in known:
        served[claim.client] = max(served.get(claim.client, 0.0), claim.served)
    return min(
        (claim for claim in known if claim.ready > 0 and claim.process not in passed_over),
        key=lambda claim: (
            running.get(claim.client, 0),
            served[claim.client],
            claim.oldest,
            claim.process,
            claim.client,
        ),
        default=None,
    )


class Stage(Enum):
    """How far a request has come."""

    QUEUED = "queued"
    UPLOADING = "uploading"
    SLOW = "slow"
    READY = "ready"
    RUNNING = "running"
    GONE = "gone"


@dataclass(eq=False, slots=True)
class Entry:
    """One request in the line."""

    client: str
    arrival: float
    stage: Stage = Stage.QUEUED
    since: float = 0.0  # when it came to this stage


@dataclass(eq=False, slots=True)
class _Client:
    # Dictionaries without values: ordered sets from whose middle an entry leaves in constant time.
    stages: dict[Stage, dict[Entry, None]] = field(
        default_factory=lambda: {stage: {} for stage in Stage if stage is not Stage.GONE}
    )
    served: float = 0.0

    def count(self, *stages: Stage) -> int:
        return sum(len(self.stages[stage]) for stage in stages)

    def oldest(self, stage: Stage) -> Entry:
        return next(iter(self.stages[stage]))


class Line:
    """The requests of one process, waiting and running."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._clients: dict[str, _Client] = {}
        self._waiting: dict[Entry, None] = {}  # in order of arrival
        self._totals = dict.fromkeys(Stage, 0)

    @property
    def waiting(self) -> int:
        """How many requests have no slot yet."""
        return len(self._waiting)

    @property
    def ready(self) -> int:
        """How many could start at once."""
        return self._totals[Stage.READY]

    def join(self, client: str, now: float) -> Entry:
        """A request whose head is known."""
        entry = Entry(client, now, Stage.QUEUED, now)
        self._clients.setdefault(client, _Client()).stages[Stage.QUEUED][entry] = None
        self._totals[Stage.QUEUED] += 1
        self._waiting[entry] = None
        return entry

    def next_upload(self, now: float) -> Entry | None:
        """The next request that may send its body; it is UPLOADING from now on."""
        room = self._totals[Stage.UPLOADING] + self._totals[Stage.READY] < self._window
        best: _Client | None = None
        best_key: tuple[int, float, float] | None = None
        for client in self._clients.values() if self._totals[Stage.QUEUED] else ():
            if not client.stages[Stage.QUEUED]:
                continue
            ahead = client.count(Stage.UPLOADING, Stage.READY)
            if ahead and not room:
                continue
            key = (
                ahead + client.count(Stage.RUNNING),
                client.served,
                client.oldest(Stage.QUEUED).arrival,
            )
            if best_key is None or key < best_key:
                best, best_key = client, key
        if best is None:
            return None
        return self._move(best.oldest(Stage.QUEUED), Stage.UPLOADING, now)

    def uploaded(self, entry: Entry, now: float) -> None:
        """The body is complete and good."""
        self._move(entry, Stage.READY, now)

    def start(self, client: str, now: float) -> Entry:
        """The oldest READY request of this client takes a slot."""
        line = self._clients[client]
        line.served = now
        entry = self._move(line.oldest(Stage.READY), Stage.RUNNING, now)
        del self._waiting[entry]
        return entry

    def leave(self, entry: Entry) -> None:
        """Done, or gone away; whatever stage it was in. Leaving twice is no fault."""
        if entry.stage is Stage.GONE:
            return
        self._waiting.pop(entry, None)
        del self._clients[entry.client].stages[entry.stage][entry]
        self._totals[entry.stage] -= 1
        entry.stage = Stage.GONE
        self._forget_idle_clients()

    def mark_slow(self, now: float) -> None:
        """Uploads that have taken too long stop counting against the window."""
        if not self._totals[Stage.UPLOADING]:
            return
        for client in self._clients.values():
            for entry in list(client.stages[Stage.UPLOADING]):
                if now - entry.since >= SLOW_UPLOAD_SECONDS:
                    self._move(entry, Stage.SLOW, now)

    def overdue(self, now: float, limit_seconds: float) -> list[Entry]:
        """Requests that have waited longer than the limit, oldest first."""
        found = []
        for entry in self._waiting:
            if now - entry.arrival < limit_seconds:
                break
            found.append(entry)
        return found

    def claims(self, process: str) -> list[Claim]:
        """What this process has READY."""
        if not self.ready:
            return []
        return [
            Claim(process, name, count, client.oldest(Stage.READY).arrival, client.served)
            for name, client in self._clients.items()
            if (count := len(client.stages[Stage.READY]))
        ]

    def running(self) -> dict[str, int]:
        """Compilers of this process, by client."""
        return {
            name: count
            for name, client in self._clients.items()
            if (count := len(client.stages[Stage.RUNNING]))
        }

    def _move(self, entry: Entry, stage: Stage, now: float) -> Entry:
        stages = self._clients[entry.client].stages
        del stages[entry.stage][entry]
        stages[stage][entry] = None
        self._totals[entry.stage] -= 1
        self._totals[stage] += 1
        entry.stage, entry.since = stage, now
        return entry

    def _forget_idle_clients(self) -> None:
        if len(self._clients) <= REMEMBERED_CLIENTS:
            return
        idle = [
            (client.served, name) for name, client in self._clients.items() if not any(client.stages.values())
        ]
        # Half at once, so that the sort is paid rarely.
        for _, name in sorted(idle)[: REMEMBERED_CLIENTS // 2]:
            del self._clients[name]
