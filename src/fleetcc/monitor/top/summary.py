"""The lines above the panes: who is watched, counts, rates, bytes, and what limits this machine. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from fleetcc.monitor.amounts import bytes_text, jobs_text
from fleetcc.monitor.cells import cut, width
from fleetcc.monitor.picture import HERE, Picture
from fleetcc.monitor.top.rows import Piece, Row
from fleetcc.settings import printable

_WINDOW_SECONDS: Final = 10.0


@dataclass(slots=True)
class Traffic:
    """Bytes per second, lately; looked at every now and then."""

    samples: deque[tuple[float, int, int]] = field(default_factory=deque)

    def look(self, picture: Picture, now: float) -> tuple[float, float]:
        """To hosts and from them."""
        samples = self.samples
        if samples and (picture.sent < samples[-1][1] or now < samples[-1][0]):
            samples.clear()  # another agent
        if not samples or now - samples[-1][0] >= 1.0:
            samples.append((now, picture.sent, picture.received))
        while len(samples) > 1 and now - samples[1][0] >= _WINDOW_SECONDS:
            samples.popleft()
        then, sent, received = samples[0]
        seconds = max(1.0, now - then)
        return (picture.sent - sent) / seconds, (picture.received - received) / seconds


def summary_rows(
    picture: Picture,
    now: float,
    traffic: tuple[float, float] | None,
    most: int,
    *,
    trouble: str = "",
    note: str = "",
) -> list[Row]:
    """Three rows. Trouble stands for who tells; a note is at the right. Without traffic no rates are told."""
    notes = [f"lost {picture.lost} events" if picture.lost else "", note]
    return [
        _line([(printable(trouble), "bad")] if trouble else _who(picture), _joined(notes), most),
        _line(_jobs(picture, now, rates=traffic is not None), "", most),
        _line(_bytes(picture, traffic), "", most),
    ]


def _joined(notes: list[str]) -> str:
    return "  ".join(note for note in notes if note)


def _line(parts: list[Piece], right: str, most: int) -> Row:
    """As many parts as fit beside what is at the right."""
    right = cut(right and f"  {right}", most)
    room = most - width(right)
    pieces: list[Piece] = []
    for text, tone in parts:
        part = f"  {text}" if pieces else cut(text, room)
        if width(part) > room:
            break
        pieces.append((part, tone))
        room -= width(part)
    return Row("", (*pieces, (" " * room, "plain"), (right, "warn")))


def _who(picture: Picture) -> list[Piece]:
    hello = picture.hello
    if hello is None:
        return [("fleetcc top", "title")]
    builds = list(dict.fromkeys(job.build for job in picture.jobs.values() if job.build))
    told = f"build {printable(builds[-1])}" if len(builds) == 1 else f"{len(builds)} builds"
    return [
        (f"{hello.source} {printable(hello.program)}, pid {hello.pid}", "title"),
        *([(told, "plain")] if builds else []),
    ]


def _jobs(picture: Picture, now: float, *, rates: bool) -> list[Piece]:
    remote = [view for name, view in picture.hosts.items() if name != HERE]
    running = sum(1 for view in remote for _ in view.jobs())
    up = [view.event for view in remote if view.event.state == "up"]
    slots = sum(event.slots for event in up)
    here = sum(1 for job in picture.placed() if job.host == HERE)
    waiting = sum(1 for _ in picture.unplaced())
    uploading = sum(job.state == "uploading" for job in picture.jobs.values())
    lately: list[Piece] = [(f"{picture.rate(now):.1f} jobs/s", "number")] if rates else []
    failed: list[Piece] = [(f"{picture.failed} failed", "bad")] if picture.failed else []
    return [
        (jobs_text(picture.total), "number"),
        *lately,
        (f"{running} on {len(up)} host{'s' * (len(up) != 1)} with {slots} slots", "good"),
        (f"{waiting} waiting", "warn" if waiting else "plain"),
        (f"{here} here", "plain"),
        *failed,
        (f"{uploading} uploading", "upload" if uploading else "plain"),
    ]


def _bytes(picture: Picture, traffic: tuple[float, float] | None) -> list[Piece]:
    local = picture.local
    up, down = (f", {bytes_text(rate)}/s" for rate in traffic) if traffic else ("", "")
    limited = f"limited by {local.limited_by}" if local.limited_by else ""
    parts = [
        (f"sent {bytes_text(picture.sent)}{up}", "plain"),
        (f"received {bytes_text(picture.received)}{down}", "plain"),
        (limited, "bad"),
        (f"load {local.load:.1f}", "plain"),
        (f"{bytes_text(local.memory_available)} free" if local.memory_available else "", "plain"),
        (f"store {bytes_text(local.store_bytes)}" if local.store_bytes else "", "plain"),
    ]
    return [part for part in parts if part[0]]
