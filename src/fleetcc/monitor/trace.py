"""A build in the Chrome trace event format, for Perfetto and chrome://tracing. docs/seeing.md is for people.

One process for the queue and one for each host, one thread for each lane of it. A job's stay in a place is a
complete event, what it did there are complete events within it; a flow leads from the queue to the last
place. Times are microseconds after the first job's arrival.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import HERE, QUEUE, Piece, laid, levels

_QUEUE_PID: Final = 1
_SHOWN_ALWAYS: Final = ("build", "job", "state")
_SHOWN: Final = (
    "directory", "mode", "reason", "detail", "raced", "predicted", "files", "sent", "received",
    "seconds", "run_seconds", "cpu_seconds", "peak_bytes",
)  # fmt: skip
# Colour names of the viewers.
_COLOURS: Final = {"failed": "terrible", "cancelled": "grey"}

_Stay: TypeAlias = tuple[int, int, Piece]  # process, thread, what is there


class TraceEvent(Struct, kw_only=True, omit_defaults=True, gc=False):
    """One event of the format; times in microseconds."""

    name: str
    ph: str
    pid: int
    tid: int
    ts: int | UnsetType = UNSET
    dur: int | UnsetType = UNSET
    cat: str | UnsetType = UNSET
    id: int | UnsetType = UNSET
    bp: str | UnsetType = UNSET
    cname: str | UnsetType = UNSET
    args: dict[str, Any] | UnsetType = UNSET


def trace_json(records: Sequence[Record], program: str) -> bytes:
    """The whole file; `program` is who wrote it. Some records must be there."""
    start = min(record.started for record in records)
    builds = list(dict.fromkeys(record.build for record in records))
    other = {"program": program, "start": start, "builds": builds, "jobs": len(records)}
    trace = {"traceEvents": trace_events(records), "displayTimeUnit": "ms", "otherData": other}
    return msgspec.json.encode(trace)


def trace_events(records: Sequence[Record]) -> list[TraceEvent]:
    """Metadata first, then in the order of their times, an outer event before what is in it."""
    start = min((record.started for record in records), default=0.0)
    places = laid(records)
    pids = {place: pid for pid, place in enumerate(_ordered(places), _QUEUE_PID)}
    stays: dict[int, list[_Stay]] = {}  # by record
    for place, pieces in places.items():
        for lane, piece in pieces:
            stays.setdefault(id(piece.record), []).append((pids[place], lane, piece))
    timed: list[TraceEvent] = []
    for number, found in enumerate(stays.values(), 1):
        found.sort(key=lambda stay: stay[2].start)
        for stay in found:
            timed += _slices(stay, start, is_last=stay is found[-1])
        timed += _flow(number, found, start)
    timed += _counters(places, start)
    timed.sort(key=lambda event: (event.ts, -event.dur if isinstance(event.dur, int) else 1))
    return [*_names(places, pids), *timed]


def _ordered(places: Iterable[str]) -> list[str]:
    """The queue, this machine, then hosts by name; numbers in names count as numbers."""
    hosts = [place for place in places if place not in {QUEUE, HERE}]
    return [QUEUE, HERE, *sorted(hosts, key=natural)]


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts `b2` before `b10`."""
    words = re.findall(r"([0-9]{1,18})|([^0-9]+|[0-9]+)", name)
    return tuple((int(digits) if digits else -1, text) for digits, text in words)


def _names(places: dict[str, list[tuple[int, Piece]]], pids: dict[str, int]) -> Iterator[TraceEvent]:
    for place, pid in pids.items():
        lanes = sorted({lane for lane, _ in places.get(place, ())})
        name = {QUEUE: "queue", HERE: f"{HERE} (this machine)"}.get(place, place)
        yield _about("process_name", pid, 0, {"name": name})
        yield _about("process_sort_index", pid, 0, {"sort_index": pid})
        for lane in lanes:
            word = "waiting" if place == QUEUE else "slot"
            yield _about("thread_name", pid, lane, {"name": f"{word} {lane}"})
            yield _about("thread_sort_index", pid, lane, {"sort_index": lane})


def _about(name: str, pid: int, tid: int, args: dict[str, Any]) -> TraceEvent:
    return TraceEvent(name=name, ph="M", pid=pid, tid=tid, args=args)


def _slices(stay: _Stay, start: float, *, is_last: bool) -> Iterator[TraceEvent]:
    """Only the last stay has all that is known, which makes most of the file."""
    pid, lane, piece = stay
    record = piece.record
    ts, end = _micros(piece.start - start), _micros(piece.end - start)
    args = args_of(record) if is_last else {name: getattr(record, name) for name in _SHOWN_ALWAYS}
    colour = _COLOURS.get(record.state, UNSET)
    yield TraceEvent(
        name=record.label or "?", ph="X", cat="job", pid=pid, tid=lane, ts=ts, dur=end - ts, args=args,
        cname=colour,
    )  # fmt: skip
    for stretch in piece.stretches:
        inner, inner_end = _micros(stretch.start - start), _micros(stretch.end - start)
        if inner_end > inner:
            yield TraceEvent(
                name=stretch.state, ph="X", cat="phase", pid=pid, tid=lane, ts=inner, dur=inner_end - inner
            )


def args_of(record: Record) -> dict[str, Any]:
    """What a viewer shows of a job."""
    args = {name: getattr(record, name) for name in _SHOWN_ALWAYS}
    args |= {name: value for name in _SHOWN if (value := getattr(record, name))}
    if record.status >= 0:
        args["status"] = record.status
    if len(record.hosts) > 1:
        args["hosts"] = list(record.hosts)
    return args


def _flow(number: int, stays: list[_Stay], start: float) -> Iterator[TraceEvent]:
    """From the first place to the last; each step is at a moment at which the job's slice is there."""
    if len(stays) < 2:
        return
    last = len(stays) - 1
    for index, (pid, lane, piece) in enumerate(stays):
        ts = _micros(piece.start - start)
        if index == 0:  # it leaves at the end
            ts = min(_micros(piece.end - start) - 1, _micros(stays[1][2].start - start))
        phase = "s" if index == 0 else "f" if index == last else "t"
        yield TraceEvent(
            name="job", ph=phase, cat="flow", id=number, pid=pid, tid=lane, ts=ts,
            bp=UNSET if phase == "s" else "e",
        )  # fmt: skip


def _counters(places: Mapping[str, list[tuple[int, Piece]]], start: float) -> Iterator[TraceEvent]:
    kinds = {QUEUE: "queued", HERE: "local"}
    spans = [
        (kinds.get(place, "remote"), piece.start, piece.end)
        for place, pieces in places.items()
        for _, piece in pieces
    ]
    shown: dict[str, tuple[int, ...]] = {}
    for level in levels(spans):
        counts = level.counts
        yield from _changed(shown, level.start - start, counts["remote"], counts["local"], counts["queued"])
    if spans:
        yield from _changed(shown, max(end for _, _, end in spans) - start, 0, 0, 0)


def _changed(
    shown: dict[str, tuple[int, ...]], seconds: float, remote: int, local: int, queued: int
) -> Iterator[TraceEvent]:
    for name, keys, values in (
        ("running", ("remote", "local"), (remote, local)),
        ("queued", ("jobs",), (queued,)),
    ):
        if shown.get(name) != values:
            shown[name] = values
            args = dict(zip(keys, values, strict=True))
            yield TraceEvent(name=name, ph="C", pid=_QUEUE_PID, tid=0, ts=_micros(seconds), args=args)


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)
