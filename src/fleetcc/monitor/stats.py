"""Figures of many jobs, for people and for programs. Pure.

`Stats` is what `fleetcc stats --json` prints, so its fields are a promise (docs/seeing.md).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from typing import Final

from msgspec import Struct

from fleetcc.model import Reason
from fleetcc.monitor.amounts import bytes_text, clock_text, jobs_text, seconds_text
from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import HERE, Stretch, covered_seconds, end_of, life_of, stretches, was_remote
from fleetcc.settings import printable

REASONS: Final = {reason.slug: reason.text for reason in Reason}
MOST_SLOWEST: Final = 10


class HostStats(Struct, kw_only=True):
    """What one host did; HERE is a host."""

    jobs: int = 0
    seconds: float = 0.0  # that its slots were ours
    cpu_seconds: float = 0.0
    sent: int = 0
    received: int = 0


class Slow(Struct, kw_only=True):
    """One of the units that took longest."""

    label: str
    directory: str
    seconds: float
    host: str
    job: int
    build: str


class Stats(Struct, kw_only=True):
    """Times are seconds, Unix times, and sizes bytes."""

    jobs: int
    done: int
    failed: int
    cancelled: int
    remote: int
    builds: int
    first: float  # when the first job arrived
    last: float  # when the last one ended
    busy_seconds: float  # during which at least one job was there
    compiling_seconds: float  # of all compilers together, here and there
    parallelism: float  # compilers that ran at once while any job was there, on average
    cpu_seconds_remote: float  # that hosts spent on our compilers
    sent: int
    received: int
    sent_per_job: float  # of the jobs that a host did
    received_per_job: float
    by_reason: dict[str, int]
    by_host: dict[str, HostStats]
    slowest: list[Slow]


def stats_of(records: Sequence[Record]) -> Stats:
    """The figures of these jobs."""
    states = Counter(record.state for record in records)
    remote = [record for record in records if was_remote(record)]
    spans = [(record.started, end_of(record)) for record in records]
    busy = covered_seconds(spans)
    lives = [stretches(record) for record in records]
    compiling = sum(map(_compiling, lives))
    sent, received = sum(record.sent for record in records), sum(record.received for record in records)
    return Stats(
        jobs=len(records),
        done=states["done"],
        failed=states["failed"],
        cancelled=states["cancelled"],
        remote=len(remote),
        builds=len({record.build for record in records}),
        first=min((start for start, _ in spans), default=0.0),
        last=max((end for _, end in spans), default=0.0),
        busy_seconds=busy,
        compiling_seconds=compiling,
        parallelism=compiling / busy if busy else 0.0,
        cpu_seconds_remote=sum(record.cpu_seconds for record in remote),
        sent=sent,
        received=received,
        sent_per_job=sum(record.sent for record in remote) / max(1, len(remote)),
        received_per_job=sum(record.received for record in remote) / max(1, len(remote)),
        by_reason=dict(Counter(record.reason for record in records if record.reason).most_common()),
        by_host=_by_host(records, lives),
        slowest=[_slow(record) for record in slowest(records, MOST_SLOWEST)],
    )


def slowest(records: Iterable[Record], most: int) -> list[Record]:
    """The units that compiled longest, the longest first."""
    return nlargest(most, records, key=unit_seconds)


def unit_seconds(record: Record) -> float:
    """How long the unit's compiler ran, as far as that is known; else how long it was on a host or here."""
    if record.run_seconds:
        return min(record.run_seconds, life_of(record))  # a host may say anything
    return _compiling(stretches(record))


def _compiling(life: Iterable[Stretch]) -> float:
    return sum(stretch.seconds for stretch in life if stretch.state == "compiling")


def _by_host(records: Sequence[Record], lives: Sequence[Sequence[Stretch]]) -> dict[str, HostStats]:
    found: dict[str, HostStats] = {}
    for record, life in zip(records, lives, strict=True):
        for stretch in life:
            if stretch.place:
                found.setdefault(stretch.place, HostStats()).seconds += stretch.seconds
        place = (record.host if was_remote(record) else HERE) if record.state != "cancelled" else ""
        if place:
            host = found.setdefault(place, HostStats())
            host.jobs += 1
            host.cpu_seconds += record.cpu_seconds
            host.sent += record.sent
            host.received += record.received
    return dict(sorted(found.items(), key=lambda item: (-item[1].jobs, item[0])))


def _slow(record: Record) -> Slow:
    return Slow(
        label=record.label,
        directory=record.directory,
        seconds=unit_seconds(record),
        host=record.host,
        job=record.job,
        build=record.build,
    )


def stats_text(title: str, stats: Stats) -> str:
    """One screen."""
    lines = [
        f"{title}: {_headline(stats)}",
        *_work(stats),
        *_reasons(stats),
        *_hosts(stats),
        *_slowest(stats),
    ]
    return "\n".join(map(printable, lines))


def _headline(stats: Stats) -> str:
    if not stats.jobs:
        return "no jobs"
    parts = [f"{jobs_text(stats.jobs)}, {stats.remote} on hosts, {_ended_here(stats)} here"]
    parts += [
        f"{count} {word}"
        for count, word in ((stats.failed, "failed"), (stats.cancelled, "cancelled"))
        if count
    ]
    return ", ".join(parts)


def _ended_here(stats: Stats) -> int:
    here = stats.by_host.get(HERE)
    return here.jobs if here is not None else 0


def _work(stats: Stats) -> Iterator[str]:
    if not stats.jobs:
        return
    span = f"{clock_text(stats.first)} to {clock_text(stats.last, '%H:%M:%S')}"
    compiling, cpu = seconds_text(stats.compiling_seconds), seconds_text(stats.cpu_seconds_remote)
    sent, received = bytes_text(stats.sent), bytes_text(stats.received)
    each = f"{bytes_text(stats.sent_per_job)} and {bytes_text(stats.received_per_job)}"
    yield f"  when      {span}; jobs were there for {seconds_text(stats.busy_seconds)} of it"
    yield f"  work      {compiling} of compiling, {stats.parallelism:.1f} at once on average"
    yield f"  bought    {cpu} of CPU time from the fleet"
    yield f"  bytes     {sent} sent, {received} received; for each job of a host {each}"


def _reasons(stats: Stats) -> Iterator[str]:
    if stats.by_reason:
        yield "  by reason"
    for slug, count in stats.by_reason.items():
        yield f"  {count:7}  {slug:<20} {REASONS.get(slug, '')}".rstrip()


def _hosts(stats: Stats) -> Iterator[str]:
    if not stats.by_host:
        return
    width = max(len("host"), *map(len, stats.by_host))
    yield f"  {'host':<{width}} {'jobs':>7} {'busy':>12} {'CPU':>12} {'sent':>9} {'received':>9}"
    for name, host in stats.by_host.items():
        times = f"{seconds_text(host.seconds):>12} {seconds_text(host.cpu_seconds):>12}"
        sizes = f"{bytes_text(host.sent):>9} {bytes_text(host.received):>9}"
        yield f"  {name:<{width}} {host.jobs:7} {times} {sizes}"


def _slowest(stats: Stats) -> Iterator[str]:
    if stats.slowest:
        yield "  slowest"
    for slow in stats.slowest:
        yield f"  {seconds_text(slow.seconds):>12}  {slow.label}  (job {slow.job}, {slow.host or 'nowhere'})"
