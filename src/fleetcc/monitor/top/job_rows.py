"""Jobs as rows: which, in what order, and one line for each. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fleetcc.monitor.amounts import jobs_text
from fleetcc.monitor.cells import cut_left, pad, width
from fleetcc.monitor.picture import JobView, Picture
from fleetcc.monitor.progress import short_name
from fleetcc.monitor.top.rows import Piece, Row, age_tone, heading, short_seconds
from fleetcc.settings import printable

ORDERS: Final[dict[str, Callable[[JobView], Any]]] = {
    "longest first": lambda job: job.started,
    "by state": lambda job: (job.state, job.started),
    "by host": lambda job: (job.host, job.slot, job.started),
    "by name": lambda job: (job.label, job.started),
}
_MOST_ENDED: Final = 200
_COLUMNS: Final = "{:<13} {} {:>6} {:>6}  "  # state, host and slot, seconds, predicted seconds
_WHERE: Final = (15, 26)  # at least, at most
_OTHER_COLUMNS: Final = 30
_LEAST_LABEL: Final = 10
_LEAST_DIRECTORY: Final = 12
_STATE_TONES: Final = {
    "uploading": "upload",
    "waiting": "warn",
    "failed": "bad",
    "cancelled": "bad",
    "done": "dim",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody wants to see the jobs."""

    order: str = next(iter(ORDERS))
    words: tuple[str, ...] = ()  # each must be in the job, whatever the case
    with_ended: bool = False

    @property
    def next_order(self) -> str:
        """The order after this one; after the last the first."""
        names = list(ORDERS)
        return names[(names.index(self.order) + 1) % len(names)]


def chosen_jobs(picture: Picture, look: Look) -> list[JobView]:
    """Those to be shown: on hosts, then waiting, each in the order wished, then the ended, newest first."""
    order = ORDERS[look.order]
    jobs = sorted(picture.jobs.values(), key=lambda job: (not job.is_placed, order(job)))
    if look.with_ended:
        jobs += islice(reversed(picture.finished), _MOST_ENDED)
    if not look.words:
        return jobs
    words = [word.casefold() for word in look.words]
    return [job for job in jobs if _has(job, words)]


def jobs_in_all(picture: Picture, look: Look) -> int:
    """How many there would be to choose from without words."""
    ended = min(_MOST_ENDED, len(picture.finished)) if look.with_ended else 0
    return len(picture.jobs) + ended


def _has(job: JobView, words: list[str]) -> bool:
    texts = (job.state, job.host, job.label, job.directory, job.build, job.client, job.mode, job.reason)
    whole = " ".join(texts).casefold()
    return all(word in whole for word in words)


def job_heading(look: Look, shown: int, of: int, most: int) -> Row:
    """Names of the columns, how many jobs, and how they were chosen."""
    count = (
        f"{shown} of {jobs_text(of)}, with {printable(' '.join(look.words))}" if look.words else jobs_text(of)
    )
    ended = ", ended too" if look.with_ended else ""
    names = _COLUMNS.format("state", pad("host/slot", _where_width(most)), "s", "of")
    return heading(f"{names}{count}, {look.order}{ended}", most)


def job_row(job: JobView, now: float, most: int) -> Row:
    """One job: state, where, how long, of how much predicted, what, why here."""
    slot = f"/{job.slot}" if job.slot >= 0 else ""
    room = _where_width(most)
    where = cut_left(short_name(job.host), room - len(slot)) + slot if job.host else ""
    expected = short_seconds(job.predicted) if job.predicted else ""
    age = job.age(now)
    return Row(
        str(job.job),
        (
            (pad(job.state, 14), "bad" if job.status > 0 else _STATE_TONES.get(job.state, "plain")),
            (pad(where, room + 1), "plain"),
            (f"{short_seconds(age):>6}", age_tone(age) if job.ended is None else "dim"),
            (f" {expected:>6}  ", "dim"),
            *_what(job, max(0, most - room - _OTHER_COLUMNS)),
        ),
    )


def _where_width(most: int) -> int:
    least, widest = _WHERE
    return max(least, min(widest, most // 5 - 1))


def _what(job: JobView, room: int) -> tuple[Piece, ...]:
    """The label, and behind it why it is here, or else, where there is room, its directory."""
    label = printable(job.label) or f"job {job.job}"
    note, tone = printable(job.reason), "warn"
    if job.reason in {"", "remote"}:
        note, tone = printable(job.directory), "dim"
        least = _LEAST_DIRECTORY if room - width(label) - 2 >= _LEAST_DIRECTORY else room
    else:
        least = width(note)
    if not note or least + 2 + _LEAST_LABEL > room:
        return ((pad(cut_left(label, room), room), "label"),)
    label = cut_left(label, room - least - 2)
    left = room - width(label) - 2
    return (label + "  ", "label"), (pad(cut_left(note, left), left), tone)
