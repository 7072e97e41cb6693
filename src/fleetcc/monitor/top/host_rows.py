"""Hosts as rows: a cell for each slot, coloured by how long it has been taken. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from fleetcc.monitor.amounts import jobs_text
from fleetcc.monitor.cells import cut, pad, width
from fleetcc.monitor.picture import HERE, HostView, JobView, Picture
from fleetcc.monitor.progress import short_name
from fleetcc.monitor.top.rows import Glyphs, Piece, Row, age_tone, heading, short_seconds
from fleetcc.settings import printable

_LEAST_LANES: Final = 8
_LONGEST_NAME: Final = 20
_COUNTS: Final = "{:>9} {:>6} {:>7}"  # jobs/slots, speed, done
_COUNTS_WIDTH: Final = 24


def host_heading(picture: Picture, most: int) -> Row:
    """Names of the columns."""
    lanes = pad("slots", _lane_width(picture, most))
    return heading(
        pad("host", _name_width(picture)) + "  " + lanes + _COUNTS.format("jobs", "speed", "done"), most
    )


def host_rows(picture: Picture, now: float, most: int, glyphs: Glyphs) -> list[Row]:
    """This machine first, then the hosts by name; one of many slots takes several rows."""
    views = sorted(picture.hosts.values(), key=lambda view: (view.event.host != HERE, view.event.host))
    name, lanes = _name_width(picture), _lane_width(picture, most)
    return [row for view in views for row in _host(view, now, most, name, lanes, glyphs)]


def trouble(view: HostView) -> str:
    """Why a host that is not up is not, and when that may change."""
    event = view.event
    left = sum(1 for _ in view.jobs())
    why = printable(event.why.removeprefix(f"{event.host}: "))  # who it is about is said already
    parts = [
        f"{event.state}: {why}" if why else event.state,
        f"tried again after {short_seconds(event.pause)} s" if event.pause else "",
        f"still with {jobs_text(left)}" if left and event.state != "up" else "",
    ]
    return ", ".join(part for part in parts if part)


def _name_width(picture: Picture) -> int:
    return min(_LONGEST_NAME, max([len(HERE), *(width(short_name(name)) for name in picture.hosts)]))


def _lane_width(picture: Picture, most: int) -> int:
    """As much as the biggest host needs, as much as there is."""
    needed = max((len(view.lanes) + len(view.waiting) for view in picture.hosts.values()), default=0)
    return max(_LEAST_LANES, min(needed, most - _name_width(picture) - 2 - _COUNTS_WIDTH))


def _host(view: HostView, now: float, most: int, name: int, lanes: int, glyphs: Glyphs) -> Iterator[Row]:
    event = view.event
    title: Piece = (pad(short_name(event.host), name) + "  ", "good" if event.state == "up" else "bad")
    if event.state != "up":
        yield Row(event.host, (title, (cut(trouble(view), most - name - 2), "bad")))
        return
    cells = [_cell(job, now, glyphs) for job in (*view.lanes, *view.waiting.values())]
    speed = f"{event.speed:.2f}" if event.speed else ""
    counts = _COUNTS.format(f"{view.running}/{event.slots}", speed, view.done)
    for first in range(0, max(1, len(cells)), lanes):
        line = cells[first : first + lanes]
        end = " " * (lanes - len(line)) + (counts if first == 0 else "")
        begin = title if first == 0 else (" " * (name + 2), "plain")
        yield Row(event.host, (begin, *_joined(line), (end, "plain")))


def _cell(job: JobView | None, now: float, glyphs: Glyphs) -> Piece:
    if job is None:
        return glyphs.free, "dim"
    if job.state == "uploading":
        return glyphs.uploading, "upload"
    return glyphs.running, age_tone(job.placed_for(now))


def _joined(cells: Sequence[Piece]) -> Iterator[Piece]:
    """Neighbours of one tone as one piece."""
    for tone, same in groupby(cells, key=lambda cell: cell[1]):
        yield "".join(text for text, _ in same), tone
