"""The lives of jobs that have ended, as stretches of time in places and as pieces on lanes: what the trace
and the report draw and count. Pure.

A piece is a job's stay in one place: the queue (everything before a host or this machine has it) or a host.
The lane of a piece on a host is the slot that the agent gave it. Where the journal does not say which (a host
that failed, jobs of several agents at once) it is the lowest lane that is free, so that no two pieces of a
lane overlap.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar

from fleetcc.monitor.events import Phase, Record, State

K = TypeVar("K")

HERE: Final = "localhost"
QUEUE: Final = ""
_OUR_NAMES: Final = frozenset((HERE, "local"))
_ON_A_HOST: Final = frozenset(("uploading", "compiling", "returning"))
_AFTER: Final[Callable[[Phase], float]] = attrgetter("after")
# Whoever draws in microseconds shall see that a piece is there.
SHORTEST_SECONDS: Final = 2e-6
# No host has more slots; a number beyond it in a journal is nonsense and shall cost nothing.
MOST_LANES: Final = 10_000


# Of a hundred thousand jobs there are millions of these, and a tuple is made fastest.
class Stretch(NamedTuple):
    """A part of a job's life; Unix times."""

    state: State
    start: float
    end: float
    place: str  # QUEUE, HERE or a host
    is_for_here: bool = False  # waits for a slot of this machine

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


class Piece(NamedTuple):
    """Stretches of one job in one place, one after the other."""

    record: Record
    place: str
    stretches: tuple[Stretch, ...]
    start: float
    end: float  # after the start, always


def life_of(record: Record) -> float:
    """Seconds from the job's arrival to its end."""
    return max([record.seconds, *[phase.after for phase in record.phases]])


def end_of(record: Record) -> float:
    """When the job ended, Unix time."""
    return record.started + life_of(record)


def was_remote(record: Record) -> bool:
    """Whether a host of the fleet made its outcome."""
    return record.reason == "remote"


def stretches(record: Record) -> list[Stretch]:
    """The job's life, without gaps and overlaps."""
    started, end, last = record.started, end_of(record), ""
    if not record.phases:
        state: State = "compiling" if record.host else "waiting"
        place = _host_of(record.host) if record.host else QUEUE
        return [Stretch(state, started, end, place)]
    phases = sorted(record.phases, key=_AFTER)
    ends = [started + phase.after for phase in phases[1:]]
    ends.append(end)
    found = []
    for phase, until in zip(phases, ends, strict=True):
        last = phase.host or last
        place = _place(phase.state, phase.host, last or record.host)
        is_for_here = phase.state == "waiting" and phase.host in _OUR_NAMES
        found.append(Stretch(phase.state, started + phase.after, until, place, is_for_here))
    return found


def _place(state: State, named: str, host: str) -> str:
    if state in _ON_A_HOST:
        return _host_of(host)
    if state == "verifying":
        return HERE
    # A host may wait for what is made here only now: its slot is held.
    return QUEUE if state == "waiting" or named in {"", *_OUR_NAMES} else named


def _host_of(host: str) -> str:
    return HERE if not host or host in _OUR_NAMES else host


def pieces(record: Record) -> list[Piece]:
    """The job's stays, in order; one of no length is left out where there are others."""
    groups: list[list[Stretch]] = []
    for stretch in stretches(record):
        if groups and groups[-1][-1].place == stretch.place:
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    lasting = [group for group in groups if group[-1].end > group[0].start] or groups[-1:]
    return [
        Piece(
            record,
            group[0].place,
            tuple(group),
            group[0].start,
            max(group[-1].end, group[0].start + SHORTEST_SECONDS),
        )
        for group in lasting
    ]


@dataclass(slots=True)
class _Lanes:
    """The lanes of one place while pieces are laid on them in the order of their starts."""

    count: int = 0
    _busy: list[tuple[float, int]] = field(default_factory=list)  # until when, which
    _free: set[int] = field(default_factory=set)
    _order: list[int] = field(default_factory=list)  # the free ones, and some that are no more

    def lane_of(self, piece: Piece) -> int:
        while self._busy and self._busy[0][0] <= piece.start:
            self._let_go(heappop(self._busy)[1])
        slot = piece.record.slot if piece.place == _host_of(piece.record.host) else -1
        wanted = slot if slot < MOST_LANES else -1
        while wanted >= self.count:
            self._let_go(self.count)
            self.count += 1
        lane = wanted if wanted in self._free else self._lowest()
        self._free.discard(lane)
        heappush(self._busy, (piece.end, lane))
        return lane

    def _lowest(self) -> int:
        while self._order:
            lane = heappop(self._order)
            if lane in self._free:
                return lane
        self.count += 1
        return self.count - 1

    def _let_go(self, lane: int) -> None:
        self._free.add(lane)
        heappush(self._order, lane)


def laid(records: Iterable[Record]) -> dict[str, list[tuple[int, Piece]]]:
    """By place: each piece with its lane, in the order of their starts."""
    found: dict[str, list[tuple[int, Piece]]] = {}
    places: dict[str, _Lanes] = {}
    every = [piece for record in records for piece in pieces(record)]
    for piece in sorted(every, key=lambda piece: piece.start):
        lane = places.setdefault(piece.place, _Lanes()).lane_of(piece)
        found.setdefault(piece.place, []).append((lane, piece))
    return found


class Level(NamedTuple, Generic[K]):
    """Between two moments nothing changes: so many of each kind."""

    start: float
    end: float
    counts: Mapping[K, int]  # the same object for all levels: look at once

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


def levels(spans: Iterable[tuple[K, float, float]]) -> Iterator[Level[K]]:
    """How many of each kind there are, over time; `spans` are kind, start and end."""
    changes: list[tuple[float, int, K]] = []
    for kind, start, end in spans:
        if end > start:
            changes += ((start, 1, kind), (end, -1, kind))
    changes.sort(key=lambda change: change[0])
    counts: Counter[K] = Counter()
    for index, (time, step, kind) in enumerate(changes):
        counts[kind] += step
        if index + 1 < len(changes) and changes[index + 1][0] > time:
            yield Level(time, changes[index + 1][0], counts)


def covered_seconds(spans: Sequence[tuple[float, float]]) -> float:
    """How long at least one of them lasted."""
    return sum(level.seconds for level in levels([("", *span) for span in spans]) if level.counts[""])
