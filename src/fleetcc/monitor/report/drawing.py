"""The report's two pictures, as inline SVG: who had the slots, and the timeline of every lane. Pure.

Jobs that are narrower than a dot are drawn together, so that a page about 100,000 jobs is still a page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, log10
from typing import Final

from fleetcc.monitor.amounts import jobs_text, seconds_text, share_text
from fleetcc.monitor.lanes import HERE, QUEUE, Level, Piece, levels
from fleetcc.monitor.report.markup import element, text
from fleetcc.monitor.trace import natural

WIDTH: Final = 1200.0
_LABELS: Final = 200.0  # the names of hosts
_LANE: Final = 12.0
_GAP: Final = 6.0
_AXIS: Final = 22.0
_QUEUE_HEIGHT: Final = 60.0
_NARROW: Final = 1.5  # dots
_LEAST: Final = 0.2  # dots: what is narrower cannot be seen beside the rest of its job
_CLASSES: Final = {"compiling": "run", "uploading": "travel", "returning": "travel"}
# Below this many lanes each has its line; beyond, they are thinner.
_MANY_LANES: Final = 150
_THIN: Final = 4.0

CAUSE_TEXTS: Final = {
    "run": "compilers ran",
    "travel": "on the way there or back",
    "full": "not ours to have: jobs waited",
    "prepare": "jobs were prepared here",
    "here": "jobs ran here",
    "starved": "fewer jobs than slots",
    "tail": "no more jobs came",
}


def key(classes: Mapping[str, str]) -> str:
    """What the colours mean."""
    box = element("rect", width=10, height=10)
    items = [
        element("li", element("svg", element("g", box, class_=name), viewBox="0 0 10 10") + " " + text(words))
        for name, words in classes.items()
    ]
    return element("ul", "".join(items), class_="key")


def shares_bar(shares: Mapping[str, float]) -> str:
    """One bar of all slot-seconds."""
    at, parts = 0.0, []
    for cause, share in shares.items():
        if share > 0:
            name = f"{CAUSE_TEXTS[cause]}: {share_text(share)}"
            parts.append(_rect(cause, at * WIDTH, 0, share * WIDTH, 30, name))
            at += share
    return _svg("".join(parts), 30, "Who had the slot-seconds of the fleet")


def timeline(places: Mapping[str, Sequence[tuple[int, Piece]]], start: float, end: float) -> str:
    """A line for each lane of each host, and how many jobs waited above them."""
    scale = (WIDTH - _LABELS) / max(end - start, 1e-6)
    top, parts = _AXIS, []
    queue = places.get(QUEUE, ())
    if queue:
        parts.append(_label("jobs waiting", top + 12))
        parts.append(_queue(queue, start, scale, top))
        top += _QUEUE_HEIGHT + _GAP
    hosts = sorted(
        (place for place in places if place != QUEUE), key=lambda name: (name != HERE, natural(name))
    )
    lanes = {host: 1 + max(lane for lane, _ in places[host]) for host in hosts}
    height = _LANE if sum(lanes.values()) <= _MANY_LANES else _THIN
    for host in hosts:
        parts.append(_label(host, top + 10))
        parts += _host(places[host], start, scale, top, height)
        top += max(lanes[host] * height, _LANE) + _GAP
        parts.append(element("line", x1=0, x2=WIDTH, y1=_n(top - _GAP / 2), y2=_n(top - _GAP / 2)))
    parts.append(_axis(end - start, scale, top))
    return _svg("".join(parts), top, "Timeline: a line for each slot of each host")


def _host(
    pieces: Sequence[tuple[int, Piece]], start: float, scale: float, top: float, height: float
) -> Iterator[str]:
    for lane, group in _drawn(pieces, scale):
        y = top + lane * height
        if len(group) > 1:
            left, right = _x(group[0].start, start, scale), _x(group[-1].end, start, scale)
            yield _rect("run", left, y, right - left, height - 1, jobs_text(len(group)))
            continue
        yield from _piece(group[0], start, scale, y, height - 1)


def _piece(piece: Piece, start: float, scale: float, y: float, height: float) -> Iterator[str]:
    record = piece.record
    name = f"{record.label}: {seconds_text(piece.end - piece.start)} on {piece.place}"
    if record.reason and record.reason != "remote":
        name += f" ({record.reason})"
    longest = max(piece.stretches, key=lambda stretch: stretch.seconds)
    parts = []
    for stretch in piece.stretches:
        left, width = _x(stretch.start, start, scale), stretch.seconds * scale
        if width >= _LEAST or stretch is longest:
            parts.append(_rect(_class(piece, stretch.state), left, y, max(width, _LEAST), height))
    yield element("g", element("title", text(name)) + "".join(parts))


def _class(piece: Piece, state: str) -> str:
    if piece.record.state != "done":
        return "failed"
    if piece.place == HERE:
        return "here"
    return _CLASSES.get(state, "prepare")


def _drawn(pieces: Sequence[tuple[int, Piece]], scale: float) -> Iterator[tuple[int, list[Piece]]]:
    """Pieces of a lane that follow each other within a dot are one."""
    groups: dict[int, list[Piece]] = {}
    for lane, piece in pieces:
        group = groups.get(lane)
        if group is not None and (piece.end - group[0].start) * scale < _NARROW:
            group.append(piece)
            continue
        if group is not None:
            yield lane, group
        groups[lane] = [piece]
    yield from groups.items()


def _queue(pieces: Sequence[tuple[int, Piece]], start: float, scale: float, top: float) -> str:
    """An area: as high as jobs waited."""
    found = list(_peaks(levels([("", piece.start, piece.end) for _, piece in pieces]), scale))
    most = max((count for _, _, count in found), default=1) or 1
    parts = [element("text", text(f"at most {most}"), x=8, y=_n(top + 28), class_="quiet")]
    for left, right, count in found:
        height = _QUEUE_HEIGHT * count / most
        x = _LABELS + (left - start) * scale
        parts.append(
            _rect("queue", x, top + _QUEUE_HEIGHT - height, max((right - left) * scale, 0.5), height)
        )
    return "".join(parts)


def _peaks(found: Iterable[Level[str]], scale: float) -> Iterator[tuple[float, float, int]]:
    """The most of each dot's time."""
    left, right, most = 0.0, 0.0, 0
    for level in found:
        if right and (level.end - left) * scale > _NARROW:
            if most:
                yield left, right, most
            left, most = level.start, 0
        left = left or level.start
        right, most = level.end, max(most, level.counts[""])
    if most:
        yield left, right, most


def _axis(seconds: float, scale: float, bottom: float) -> str:
    step = _step(seconds)
    parts = []
    for number in range(ceil(seconds / step) + 1):
        x = _LABELS + number * step * scale
        if x <= WIDTH:
            parts.append(element("line", x1=_n(x), x2=_n(x), y1=_AXIS - 4, y2=_n(bottom), opacity=0.5))
            parts.append(
                element(
                    "text", text(_tick(number * step)), x=_n(min(x + 3, WIDTH - 40)), y=13, class_="quiet"
                )
            )
    return "".join(parts)


def _step(seconds: float) -> float:
    """A round one that makes some eight ticks."""
    rough = max(seconds, 1e-3) / 8
    power: float = 10.0 ** int(log10(rough) - (rough < 1))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough)


def _tick(seconds: float) -> str:
    return "0" if not seconds else f"{seconds:.3g} s" if seconds < 120 else seconds_text(seconds)


def _x(when: float, start: float, scale: float) -> float:
    return _LABELS + (when - start) * scale


def _label(name: str, y: float) -> str:
    shown = name if len(name) <= 30 else name[:29] + "…"
    return element("text", element("title", text(name)) + text(shown), x=8, y=_n(y))


def _rect(name: str, x: float, y: float, width: float, height: float, title: str = "") -> str:
    inside = element("title", text(title)) if title else ""
    # Not by `element`, which escapes each attribute: there may be a hundred thousand, and these are ours.
    size = f'width="{_n(width)}" height="{_n(height)}"'
    return f'<rect class="{name}" x="{_n(x)}" y="{_n(y)}" {size}>{inside}</rect>'


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _svg(content: str, height: float, label: str) -> str:
    box = f"0 0 {_n(WIDTH)} {_n(height)}"
    return element("svg", content, viewBox=box, role="img", aria_label=label)
