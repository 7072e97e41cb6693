"""The story of a job that has ended, in plain sentences: what `fleetcc explain --last` tells. Pure."""

from collections.abc import Iterator
from typing import Final

from fleetcc.monitor.amounts import bytes_text, clock_text, seconds_text
from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import HERE, Stretch, end_of, stretches, was_remote
from fleetcc.monitor.log import status_text
from fleetcc.monitor.stats import REASONS

_MODES: Final = {
    "files": "as files: digests of all that it could read, and the contents that the host lacked",
    "text": "as preprocessed text",
    "pump": "as files in distcc's pump mode",
}
# What a phase is to a person; {place} is where.
_PHASES: Final = {
    "planning": "the agent looked at the command",
    "scanning": "the files that it can read were found",
    "waiting": "it waited for a host to have a free slot",
    "preprocessing": "it was preprocessed here",
    "uploading": "it travelled to {place}",
    "compiling": "the compiler ran on {place}",
    "verifying": "it was compiled here as well, to compare",
    "returning": "its results came back and were put in place",
}
_SAME_SECONDS: Final = 1.25  # a prediction that is off by less is right


def story_lines(record: Record) -> list[str]:
    """A headline, then what happened, then what it came to."""
    return [_headline(record), *_events(record), *_outcome(record), *_figures(record)]


def _headline(record: Record) -> str:
    when = clock_text(record.started)
    return (
        f"job {record.job}, {record.label or '?'}, in {record.directory or '?'}; build {record.build}, {when}"
    )


def _events(record: Record) -> Iterator[str]:
    for stretch in stretches(record):
        if stretch.seconds >= 0.0005 or stretch.state in {"uploading", "compiling"}:
            yield _event(record, stretch.start, f"{_phase(stretch)} ({seconds_text(stretch.seconds)})")
    yield _event(record, end_of(record), _end(record))


def _event(record: Record, when: float, text: str) -> str:
    return f"  +{when - record.started:8.3f} s  {text}"


def _phase(stretch: Stretch) -> str:
    if stretch.is_for_here:
        return "it waited for a slot of this machine"
    place = "this machine" if stretch.place == HERE else stretch.place
    return _PHASES.get(stretch.state, stretch.state).format(place=place)


def _end(record: Record) -> str:
    if record.state == "cancelled":
        return "whoever wanted it went away"
    if record.state == "failed":
        return "it failed: nothing was compiled"
    if record.status > 0:
        return f"it ended with {status_text(record.status)}"
    return "it was done"


def _outcome(record: Record) -> Iterator[str]:
    if was_remote(record):
        mode = f", {_MODES[record.mode]}" if record.mode else ""
        yield f"It was compiled on {record.host}{mode}."
    elif record.reason:
        detail = f" ({record.detail})" if record.detail else ""
        yield f"It ran here because of {record.reason}: {REASONS.get(record.reason, 'not known')}{detail}."
    others = [host for host in dict.fromkeys(record.hosts) if host != record.host]
    if others and record.raced:
        yield f"{' and '.join(others)} had it as well: it was raced, and the first result counted."
    elif others:
        yield f"{' and '.join(others)} had it before and did not bring it to an end."


def _figures(record: Record) -> Iterator[str]:
    if record.files:
        yield f"It could read {record.files} files."
    if record.sent or record.received:
        yield f"{bytes_text(record.sent)} were sent and {bytes_text(record.received)} came back."
    if record.run_seconds:
        parts = [f"The compiler took {seconds_text(record.run_seconds)}"]
        if record.cpu_seconds:
            parts.append(f"{seconds_text(record.cpu_seconds)} of CPU time")
        if record.peak_bytes:
            parts.append(f"{bytes_text(record.peak_bytes)} of memory at most")
        yield ", ".join(parts) + "."
    if record.predicted:
        yield f"{seconds_text(record.predicted)} had been predicted{_judged(record)}."


def _judged(record: Record) -> str:
    if not record.run_seconds:
        return ""
    ratio = record.run_seconds / record.predicted
    if ratio > _SAME_SECONDS:
        return f"; it took {ratio:.1f} times as long"
    if ratio < 1 / _SAME_SECONDS:
        return f"; it was {1 / ratio:.1f} times as fast"
    return ", rightly"
