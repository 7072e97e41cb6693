"""The one place where the simulator touches the server's admission: who may send a job, and who starts one.

As fleetccd does it: a client's standing demand is one request in the line; the grant is its permission to
upload; what was not granted yet stays demanded.
"""

from dataclasses import dataclass, field

from fleetcc.model import Priority
from fleetcc.scheduling.admission import Entry, Line, Stage, choose

_PROCESS = "fleetccd"


@dataclass(eq=False, slots=True)
class _Standing:
    most: int
    priority: Priority
    queued: Entry | None = None


@dataclass(slots=True)
class Door:
    """One server's line of requests."""

    slots: int
    _line: Line = field(init=False)
    _standing: dict[str, _Standing] = field(default_factory=dict)
    _granted: dict[str, list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._line = Line(window=self.slots)

    def demand(self, client: str, most: int, priority: Priority, now: float) -> None:
        """A client says what it has; that replaces what it said before."""
        standing = self._standing.setdefault(client, _Standing(0, priority))
        standing.most, standing.priority = most, priority
        self._queue(client, standing, now)

    def grants(self, running: int, now: float) -> dict[str, int]:
        """How many jobs each client may send now."""
        found: dict[str, int] = {}
        while (entry := self._line.next_upload(now, self.slots - running)) is not None:
            standing = self._standing[entry.client]
            standing.queued = None
            standing.most -= 1
            self._granted.setdefault(entry.client, []).append(entry)
            found[entry.client] = found.get(entry.client, 0) + 1
            self._queue(entry.client, standing, now)
        return found

    def declined(self, client: str, count: int) -> None:
        """So many grants come back."""
        for _ in range(min(count, len(self._granted.get(client, ())))):
            self._line.leave(self._granted[client].pop())

    def sent(self, client: str) -> Entry | None:
        """A job comes in on one of the client's grants; None: it has none."""
        granted = self._granted.get(client)
        return granted.pop(0) if granted else None

    def uploaded(self, entry: Entry, now: float) -> None:
        """It is all here."""
        if entry.stage is not Stage.GONE:
            self._line.uploaded(entry, now)

    def starts(self, running: int, now: float) -> list[Entry]:
        """Whose jobs take the slots that are free."""
        found: list[Entry] = []
        while running + len(found) < self.slots:
            claim = choose(self._line.claims(_PROCESS), self._line.running())
            if claim is None:
                break
            found.append(self._line.start(claim.client, now))
        return found

    def leave(self, entry: Entry) -> None:
        """The job is over."""
        self._line.leave(entry)

    def close(self) -> None:
        """No grants from now on."""
        for standing in self._standing.values():
            if standing.queued is not None:
                self._line.leave(standing.queued)
        self._standing.clear()

    def _queue(self, client: str, standing: _Standing, now: float) -> None:
        if standing.most and standing.queued is None:
            standing.queued = self._line.join(client, now, standing.priority.weight, is_late=True)
        elif not standing.most and standing.queued is not None:
            self._line.leave(standing.queued)
            standing.queued = None
