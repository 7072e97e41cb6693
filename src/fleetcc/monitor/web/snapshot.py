"""The picture of one moment as plain values, for scripts."""

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

import msgspec

from fleetcc.monitor.events import decode
from fleetcc.monitor.picture import HostView, JobView, Picture
from fleetcc.monitor.web.source import Source


async def take_snapshot(source: Source) -> dict[str, Any] | None:
    """What the source tells whoever comes now; None when it is away. Waits for ever if it tells nothing."""
    lines = source.lines()
    try:
        async for batch in lines:
            return snapshot_of(picture_of(batch)) if batch else None
    finally:
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()
    return None


def picture_of(batch: bytes) -> Picture:
    """Whole lines, put together; events of a later version are passed over."""
    picture = Picture()
    for line in batch.splitlines():
        try:
            event = decode(line)
        except msgspec.DecodeError:
            continue
        picture.take(event)
    return picture


def snapshot_of(picture: Picture) -> dict[str, Any]:
    """Hosts with their lanes (numbers of jobs), jobs that have not ended, counts. Times are Unix times."""
    hello = picture.hello
    return {
        "version": hello.version if hello else 0,
        "source": hello.source if hello else "",
        "program": hello.program if hello else "",
        "pid": hello.pid if hello else 0,
        "time": picture.time,
        "local": msgspec.to_builtins(picture.local),
        "hosts": [_host(view) for view in picture.hosts.values()],
        "jobs": [_job(view) for view in picture.jobs.values()],
        "total": picture.total,
        "by_reason": dict(picture.by_reason),
    }


def _host(view: HostView) -> dict[str, Any]:
    event = msgspec.structs.asdict(view.event)
    lanes = [None if job is None else job.job for job in view.lanes]
    return {**event, "running": view.running, "lanes": lanes}


def _job(view: JobView) -> dict[str, Any]:
    fields = asdict(view)
    fields["phases"] = [phase._asdict() for phase in view.phases]
    return fields
