"""A build's progress as one line of text, for a terminal that somebody watches."""

from typing import Final

from fleetcc.monitor import cells
from fleetcc.monitor.picture import HERE, HostView, Picture
from fleetcc.settings import printable

_BETWEEN: Final = "  "
_LONGEST_BAR: Final = 16  # a cell for each slot up to here; beyond, a cell for several
_FULL, _EMPTY, _DOWN = "#", ".", "!"


def progress_line(picture: Picture, now: float, width: int) -> str:
    """At most `width` cells: counts first, then a bar for each host, as many as there is room for."""
    first, *others = _parts(picture, now)
    line = cells.cut(f"fleetcc{_BETWEEN}{first}", width)
    for part in others:
        longer = line + _BETWEEN + part
        if cells.width(longer) > width:
            break
        line = longer
    return line


def bar(host: HostView) -> str:
    """`##..`: its slots, taken first; one cell stands for several slots of a big host. `!`: it is not up."""
    slots, running = len(host.lanes), host.running
    if host.event.state != "up" and not running:
        return _DOWN
    length = min(slots, _LONGEST_BAR)
    if not length:
        return ""
    full = -(-running * length // slots)  # rounded up: one job of many is to be seen
    return _FULL * full + _EMPTY * (length - full)


def _parts(picture: Picture, now: float) -> list[str]:
    remote = [view for name, view in picture.hosts.items() if name != HERE]
    busy = [view for view in remote if any(view.jobs())]
    running = sum(1 for view in busy for _ in view.jobs())
    here = picture.hosts.get(HERE)
    parts = [f"{picture.done} done"]
    if picture.failed:
        parts.append(f"{picture.failed} failed")
    parts.append(f"{running} running on {len(busy)} host{'s' * (len(busy) != 1)}")
    parts.append(f"{sum(1 for _ in picture.unplaced())} waiting")
    parts.append(f"{sum(1 for _ in here.jobs()) if here else 0} here")
    parts.append(f"{picture.rate(now):.1f}/s")
    return parts + [f"{short_name(view.event.host)} {bar(view)}" for view in remote if view.lanes]


def short_name(host: str) -> str:
    """A host for people who know their hosts: without the usual port, and without the domain of a name."""
    name = printable(host).removesuffix(":3632")
    if name.startswith("[") or name.replace(".", "").replace(":", "").isdigit():
        return name  # an address
    name, colon, rest = name.partition(":")
    return name.split(".")[0] + colon + rest
