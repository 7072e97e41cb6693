"""All that is known of one job, one host or one reason, as rows. Pure."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from fleetcc.monitor.amounts import bytes_text, jobs_text, seconds_text
from fleetcc.monitor.log import status_text
from fleetcc.monitor.picture import HERE, HostView, JobView
from fleetcc.monitor.top.host_rows import trouble
from fleetcc.monitor.top.rows import REASONS, Row
from fleetcc.settings import printable

_TITLE: Final = 12  # cells


def job_details(job: JobView, now: float, most: int) -> list[Row]:
    """What, where, why, how long, and each part of its life with its time."""
    return [
        Row("", ((printable(job.label) or f"job {job.job}", "title"),)),
        *_fields(_job_fields(job, now), most),
        Row("", ()),
        *_phases(job, now),
    ]


def host_details(view: HostView, now: float, most: int) -> list[Row]:
    """What it is, how it is, what it did."""
    event = view.event
    busy = view.seconds_busy + sum(job.placed_for(now) for job in view.lanes if job is not None)
    fields = [
        ("state", trouble(view)),
        ("server", event.server),
        ("slots", f"{event.slots}, and {jobs_text(view.running)} there"),
        ("speed", f"{event.speed:.2f} (1 is ordinary)" if event.speed else "not known yet"),
        ("takes files", "" if event.host == HERE else "yes" if event.takes_files else "no"),
        ("done", f"{jobs_text(view.done)}; its slots were taken for {seconds_text(busy)}, together"),
        ("jobs", ", ".join(job.label for job in view.jobs())),
    ]
    return [Row("", ((printable(event.host), "title"),)), *_fields(fields, most)]


def reason_details(slug: str, count: int, most: int) -> list[Row]:
    """The whole text of a reason."""
    reason = REASONS.get(slug)
    fields = [("meaning", reason.text if reason else "not known to this version"), ("jobs", str(count))]
    return [Row("", ((printable(slug), "title"),)), *_fields(fields, most)]


def _fields(fields: Iterable[tuple[str, str]], most: int) -> Iterator[Row]:
    for title, value in fields:
        lines = textwrap.wrap(printable(value), max(20, most - _TITLE), break_on_hyphens=False)
        for number, line in enumerate(lines):
            yield Row("", ((f"{title if number == 0 else '':<{_TITLE}}", "dim"), (line, "plain")))


def _job_fields(job: JobView, now: float) -> Iterator[tuple[str, str]]:
    yield "job", f"{job.job}" + (f" of build {job.build}" if job.build else "")
    yield "client", job.client
    yield "directory", job.directory
    slot = f", slot {job.slot}" if job.slot >= 0 else ""
    yield "state", job.state + (f" on {job.host}{slot}" if job.host else "")
    yield "mode", job.mode + (f", {job.files} files" if job.files else "")
    yield "because", _because(job)
    yield "age", seconds_text(job.age(now)) + (" (ended)" if job.ended is not None else "")
    yield "predicted", seconds_text(job.predicted) if job.predicted else ""
    yield "compiler", _compiler(job)
    yield "bytes", f"{bytes_text(job.sent)} sent, {bytes_text(job.received)} received"


def _because(job: JobView) -> str:
    if not job.reason:
        return ""
    reason = REASONS.get(job.reason)
    parts = [f"{job.reason}: {reason.text}" if reason else job.reason, job.detail]
    return "; ".join(part for part in parts if part)


def _compiler(job: JobView) -> str:
    parts = [
        f"{seconds_text(job.run_seconds)} elapsed" if job.run_seconds else "",
        f"{seconds_text(job.cpu_seconds)} of a processor" if job.cpu_seconds else "",
        f"{bytes_text(job.peak_bytes)} of memory" if job.peak_bytes else "",
        status_text(job.status) if job.status > 0 else "",
    ]
    return ", ".join(part for part in parts if part)


def _phases(job: JobView, now: float) -> Iterator[Row]:
    ends = [phase.time for phase in job.phases[1:]] + [now if job.ended is None else job.ended]
    yield Row("", ((f"{'after':>10}  {'for':>10}  what", "heading"),))
    for phase, end in zip(job.phases, ends, strict=True):
        after, lasted = (
            seconds_text(max(0.0, phase.time - job.started)),
            seconds_text(max(0.0, end - phase.time)),
        )
        if phase.time == job.ended:
            lasted = ""
        where = f" on {printable(phase.host)}" if phase.host else ""
        yield Row("", ((f"{after:>10}  {lasted:>10}  ", "number"), (f"{phase.state}{where}", "plain")))
