"""What became of every second of every slot of the fleet during a build. Pure.

Theory of operation. The fleet's slots times the build's length are the slot-seconds that there were. At each
moment each slot is given to one cause, and each job of that moment can answer for one slot only, in this
order:

    run       a compiler ran on it
    travel    its job was on the way there or back, or asked whether it may come
    full      it was not ours to have: a job waited, and the host did not take it (others use it, or its load)
    prepare   a job was being looked at, scanned or preprocessed here
    here      a job ran on this machine, or waited for it
    starved   there were not so many jobs, and more came later
    tail      there were not so many jobs, and no more came
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import HERE, MOST_LANES, Level, Stretch, end_of, laid, levels, stretches

CAUSES: Final = ("run", "travel", "full", "prepare", "here", "starved", "tail")
# The first that has jobs takes idle slots first.
_CLAIMS: Final = ("run", "travel", "full", "prepare", "here")
# A wait that is shorter is the question to the host and its answer.
_ROUND_TRIP_SECONDS: Final = 0.02
# So much of the time in which a host compiles at all must be spent with so many compilers.
_STEADY_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host beside the build's own records."""

    slots: int = 0  # 0: as many as were seen to compile at once
    speed: float = 1.0  # beside others


@dataclass(frozen=True, slots=True)
class Measures:
    """One build. Shares are of the fleet's slot-seconds, and add up to 1 where there are any."""

    jobs: int
    on_hosts: int  # jobs that had a host at any time
    seconds: float  # from the first job's arrival to the last one's end
    slots: int  # of the hosts that the build has used
    shares: Mapping[str, float]  # by CAUSES
    waiting: float  # share of the time in which a job waited for a host, longer than for its answer
    open: float  # jobs that were there at once, on average, until the last one came
    parallel: int  # jobs for hosts that were there when one more came, in nine of ten cases not more
    last_arrival: float  # seconds from the start


def measure(records: Sequence[Record], slots: Mapping[str, int]) -> Measures:
    """The figures of a build's jobs; `slots` by host, as `slots_of` finds them."""
    start = min((record.started for record in records), default=0.0)
    end = max(map(end_of, records), default=0.0)
    last = max((record.started for record in records), default=0.0)
    lost: defaultdict[str, float] = defaultdict(float)
    waiting = 0.0
    spans, on_hosts = _spans(records)
    total = sum(slots.values())
    for level in _gapless(spans, start, end):
        waiting += level.seconds if level.counts["full"] else 0.0
        for cause, seconds in _shared(level, total, is_over=level.start >= last):
            lost[cause] += seconds
    whole = total * (end - start)
    return Measures(
        jobs=len(records),
        on_hosts=len(on_hosts),
        seconds=end - start,
        slots=total,
        shares={cause: lost[cause] / whole if whole else 0.0 for cause in CAUSES},
        waiting=waiting / (end - start) if end > start else 0.0,
        open=_average(records, start, last),
        parallel=_usual(on_hosts),
        last_arrival=last - start,
    )


def slots_of(records: Sequence[Record], facts: Mapping[str, HostFacts]) -> dict[str, int]:
    """By host that was used: the most slots that its jobs tell, else what `facts` know, else what was seen.

    That is as many as compiled at once, or all lanes but one: a host is sent one job more than it has slots,
    so that none is idle for a round trip.
    """
    told: dict[str, int] = {}
    for record in records:
        for stretch in stretches(record):
            if stretch.place not in {"", HERE}:
                told.setdefault(stretch.place, 0)
        if record.host in told:
            told[record.host] = max(told[record.host], record.slots)
    if not all(told.values()):
        seen = _seen_slots(records, facts)
        told = {host: slots or seen[host] for host, slots in told.items()}
    return {host: min(slots, MOST_LANES) for host, slots in told.items()}


def _seen_slots(records: Sequence[Record], facts: Mapping[str, HostFacts]) -> dict[str, int]:
    """As if no job told any."""
    compiling: dict[str, list[tuple[str, float, float]]] = {}
    for record in records:
        for stretch in stretches(record):
            compiling.setdefault(stretch.place, []).extend(_causes(record, stretch))
    found = {}
    for host, pieces in laid(records).items():
        known = facts[host].slots if host in facts else 0
        highest = max(lane for lane, _ in pieces)
        found[host] = max(1, _steady(compiling[host]), known or highest)
    return found


def _steady(spans: list[tuple[str, float, float]]) -> int:
    """The most compilers at once, but for moments: when one began is known by the end of it only."""
    lasted: defaultdict[int, float] = defaultdict(float)
    for level in levels([span for span in spans if span[0] == "run"]):
        lasted[level.counts["run"]] += level.seconds
    enough = _STEADY_SHARE * sum(seconds for count, seconds in lasted.items() if count)
    most = 0.0
    for count in sorted(lasted, reverse=True):
        most += lasted[count]
        if most >= enough:
            return count
    return 0


def _average(records: Sequence[Record], start: float, end: float) -> float:
    if end <= start:
        return float(len(records))
    return sum(min(end, end_of(record)) - record.started for record in records) / (end - start)


def _usual(records: Sequence[Record]) -> int:
    """How many were there when one came, itself included: what make's -j lets be. An average would fall
    short of it where all come at once, and a maximum is reached by chance."""
    ends = sorted(map(end_of, records))
    arrivals = sorted(record.started for record in records)
    seen = sorted(index + 1 - bisect_right(ends, when) for index, when in enumerate(arrivals))
    return seen[int(0.9 * (len(seen) - 1))] if seen else 0


def _spans(records: Sequence[Record]) -> tuple[list[tuple[str, float, float]], list[Record]]:
    """What the jobs did, and those of them that had a host."""
    spans: list[tuple[str, float, float]] = []
    on_hosts = []
    for record in records:
        life = stretches(record)
        for stretch in life:
            spans += _causes(record, stretch)
        if any(stretch.place not in {"", HERE} for stretch in life):
            on_hosts.append(record)
    return spans, on_hosts


def _causes(record: Record, stretch: Stretch) -> Iterator[tuple[str, float, float]]:
    start, end = stretch.start, stretch.end
    match stretch.state:
        case "compiling" if stretch.place != HERE:
            # What its compiler does not account for is the way there and back.
            ran = min(record.run_seconds or stretch.seconds, stretch.seconds)
            yield from (("travel", start, end - ran), ("run", end - ran, end))
        case "uploading" | "returning":
            yield ("here" if stretch.place == HERE else "travel"), start, end
        case "compiling" | "verifying":
            yield "here", start, end
        case "waiting" if stretch.is_for_here:
            yield "here", start, end
        case "waiting":
            yield ("travel" if stretch.seconds < _ROUND_TRIP_SECONDS else "full"), start, end
        case _:
            yield "prepare", start, end


def _gapless(spans: list[tuple[str, float, float]], start: float, end: float) -> Iterator[Level[str]]:
    """Also when nothing is there: a build may wait for something else than compilers."""
    yield from levels([("", start, end), *((kind, max(start, a), min(end, b)) for kind, a, b in spans)])


def _shared(level: Level[str], slots: int, *, is_over: bool) -> Iterator[tuple[str, float]]:
    """What each cause has of the slots at this level, in seconds."""
    free = slots
    for cause in _CLAIMS:
        taken = min(free, level.counts[cause])
        free -= taken
        yield cause, taken * level.seconds
    yield ("tail" if is_over else "starved"), free * level.seconds
