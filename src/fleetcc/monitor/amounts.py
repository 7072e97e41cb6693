"""Seconds, bytes and shares as people read them."""

import time
from typing import Final

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")


def bytes_text(count: float) -> str:
    """1234567 is `1.2 MB`; a unit is 1024 of the one before."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def seconds_text(seconds: float) -> str:
    """0.0123 is `12 ms`, 75 is `1 min 15 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def share_text(share: float) -> str:
    """0.123 is `12 %`; what rounds to nothing or to all, and is not, is `<1 %` or `>99 %`."""
    percent = round(100 * share)
    if percent == 100 and share < 1:
        return ">99 %"
    return "<1 %" if share > 0 and not percent else f"{percent} %"


def clock_text(when: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A Unix time, in this machine's time zone."""
    return time.strftime(form, time.localtime(when))


def jobs_text(count: int) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} job" if count == 1 else f"{count} jobs"
