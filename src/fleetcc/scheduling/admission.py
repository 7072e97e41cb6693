"""Whose waiting request may upload, and whose gets the next slot: fair to clients, not to connections.

Theory of operation. A request is QUEUED once its head is known; nothing more of it is read. It may
then send its body (UPLOADING) when its client has nothing else on the way or the window has room,
so a free slot always finds work but 1,000 waiting requests cost their heads only. An upload that
takes too long is SLOW: it goes on, but no longer keeps others out of the window. A body that is
complete and checked is READY, and only a READY request may take a slot (RUNNING).

A *late* request is a place in the line without a job: the standing demand of a fleet client, which
binds one when it is granted, so UPLOADING is its grant. Free slots and one place more are granted: the
one beyond capacity is there when a slot comes free, and every other job stays free to go elsewhere.

A slot goes to the client with the fewest compilers running for its weight, then to the one served
longest ago, then to the one that has waited longest. So weights count where there are slots to share, and
a client that has none is next, whatever its weight. Several processes share the slots of one machine;
each says in a `Claim` per client what it has READY, all of them see all claims, and `choose` is the same
function of them in every process, so they agree without talking.

Times are seconds of one monotonic clock that all processes of the machine share.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from fleetcc.model import Priority

# A LAN moves an ordinary preprocessed source in far less; a slower client must not keep others out.
SLOW_UPLOAD_SECONDS: Final = 2.0
# The same for a grant that no job has used: a round trip around the world takes less.
SLOW_GRANT_SECONDS: Final = 0.3
# Clients without work are remembered for `served`; this many, the rest are forgotten.
REMEMBERED_CLIENTS: Final = 1_000
# Clients of distcc's protocol cannot say what they are.
DEFAULT_WEIGHT: Final = Priority.NORMAL.weight


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process has READY for one client."""

    process: str
    client: str
    ready: int
    oldest: float  # arrival of the oldest READY request
    served: float  # when this process last started a job of this client; 0.0: never
    weight: int = DEFAULT_WEIGHT


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
            burden(running.get(claim.client, 0), claim.weight),
            served[claim.client],
            claim.oldest,
            claim.process,
            claim.client,
        ),
        default=None,
    )


def burden(running: int, weight: int) -> float:
    """How much of its share a client has: the least is next.

    With halves added, slots come out in the proportion of the weights (as seats do by Sainte-Lague's rule),
    and not in favour of the small ones; but whoever has none is next, so that no weight starves anybody.
    """
    return (running + 0.5) / weight if running else 0.0


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
    arrival: float  # of a late request: of its grant, because no job waited before
    is_late: bool = False
    has_job: bool = True  # false for a demand and a grant
    stage: Stage = Stage.QUEUED
    since: float = 0.0  # when it came to this stage


@dataclass(eq=False, slots=True)
class _Client:
    # Dictionaries without values: ordered sets from whose middle an entry leaves in constant time.
    stages: dict[Stage, dict[Entry, None]] = field(
        default_factory=lambda: {stage: {} for stage in Stage if stage is not Stage.GONE}
    )
    served: float = 0.0
    weight: int = DEFAULT_WEIGHT

    def count(self, *stages: Stage) -> int:
        return sum(len(self.stages[stage]) for stage in stages)

    def oldest(self, stage: Stage) -> Entry:
        return next(iter(self.stages[stage]))

    @property
    def first_queued(self) -> Entry | None:
        return next(iter(self.stages[Stage.QUEUED]), None)

    @property
    def ahead(self) -> int:
        return self.count(Stage.UPLOADING, Stage.READY)

    def upload_turn(self) -> tuple[float, float, float]:
        entry = self.oldest(Stage.QUEUED)
        # A grant that is not used is no reason for the next one.
        unused = self.count(Stage.SLOW) if entry.is_late else 0
        share = burden(self.ahead + unused + self.count(Stage.RUNNING), self.weight)
        return share, self.served, entry.arrival


class Line:
    """The requests of one process, waiting and running."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._clients: dict[str, _Client] = {}
        self._waiting: dict[Entry, None] = {}  # in order of arrival
        self._totals = dict.fromkeys(Stage, 0)
        self._late_ahead = 0  # late requests that are UPLOADING or READY

    @property
    def waiting(self) -> int:
        """How many requests have no slot yet."""
        return len(self._waiting)

    @property
    def queued(self) -> int:
        """How many wait for their permission to upload."""
        return self._totals[Stage.QUEUED]

    @property
    def ready(self) -> int:
        """How many could start at once."""
        return self._totals[Stage.READY]

    @property
    def has_unused_grants(self) -> bool:
        """Whether a grant waits for its job, and keeps others from one."""
        return any(
            not entry.has_job for client in self._clients.values() for entry in client.stages[Stage.UPLOADING]
        )

    def join(self, client: str, now: float, weight: int = DEFAULT_WEIGHT, *, is_late: bool = False) -> Entry:
        """A request whose head is known, or a demand; the client's weight is the last one that is named."""
        entry = Entry(client, now, is_late, not is_late, Stage.QUEUED, now)
        place = self._clients.setdefault(client, _Client())
        place.weight = weight
        place.stages[Stage.QUEUED][entry] = None
        self._count(entry, 1)
        self._waiting[entry] = None
        return entry

    def next_upload(self, now: float, free: int = 0) -> Entry | None:
        """The next request that may send its body; it is UPLOADING from now on.

        `free` slots could be taken at once, those included for which uploads are on their way.
        """
        if not self._totals[Stage.QUEUED]:
            return None
        ahead_of_all = self._totals[Stage.UPLOADING] + self._totals[Stage.READY]
        has_room = ahead_of_all - self._late_ahead < self._window
        has_late_room = self._late_ahead < max(0, free) + 1
        best = min(
            (
                client
                for client in self._clients.values()
                if (entry := client.first_queued) is not None
                and (has_late_room if entry.is_late else has_room or not client.ahead)
            ),
            key=_Client.upload_turn,
            default=None,
        )
        if best is None:
            return None
        entry = best.oldest(Stage.QUEUED)
        if entry.is_late:
            entry.arrival = now
            self._waiting[entry] = self._waiting.pop(entry)  # stays in order of arrival
        return self._move(entry, Stage.UPLOADING, now)

    def bind(self, entry: Entry, now: float) -> None:
        """A job has come for the grant."""
        entry.has_job = True
        entry.since = now

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
        self._count(entry, -1)
        entry.stage = Stage.GONE
        self._forget_idle_clients()

    def mark_slow(self, now: float) -> bool:
        """Uploads that have taken too long stop counting against the window; whether there were any."""
        slow = [
            entry
            for client in (self._clients.values() if self._totals[Stage.UPLOADING] else ())
            for entry in client.stages[Stage.UPLOADING]
            if now - entry.since >= (SLOW_UPLOAD_SECONDS if entry.has_job else SLOW_GRANT_SECONDS)
        ]
        for entry in slow:
            self._move(entry, Stage.SLOW, now)
        return bool(slow)

    def overdue(self, now: float, limit_seconds: float) -> list[Entry]:
        """Requests that have waited longer than the limit, oldest first; a demand may stand for ever."""
        found = []
        for entry in self._waiting:
            if now - entry.arrival < limit_seconds:
                break
            if entry.stage is not Stage.QUEUED or not entry.is_late:
                found.append(entry)
        return found

    def claims(self, process: str) -> list[Claim]:
        """What this process has READY."""
        if not self.ready:
            return []
        return [
            Claim(process, name, count, client.oldest(Stage.READY).arrival, client.served, client.weight)
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
        self._count(entry, -1)
        entry.stage, entry.since = stage, now
        self._count(entry, 1)
        return entry

    def _count(self, entry: Entry, change: int) -> None:
        self._totals[entry.stage] += change
        if entry.is_late and entry.stage in (Stage.UPLOADING, Stage.READY):
            self._late_ahead += change

    def _forget_idle_clients(self) -> None:
        if len(self._clients) <= REMEMBERED_CLIENTS:
            return
        idle = [
            (client.served, name) for name, client in self._clients.items() if not any(client.stages.values())
        ]
        # Half at once, so that the sort is paid rarely.
        for _, name in sorted(idle)[: REMEMBERED_CLIENTS // 2]:
            del self._clients[name]
