"""What `fleetcc top` shows is rows of text with tones. Pure: a terminal or a file shows them."""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from fleetcc.model import Reason
from fleetcc.monitor.amounts import jobs_text
from fleetcc.monitor.cells import pad
from fleetcc.monitor.picture import Picture
from fleetcc.settings import printable

Piece: TypeAlias = tuple[str, str]  # a text and its tone, a name that `app` gives a colour

REASONS: Final = {reason.slug: reason for reason in Reason}

# A slot's colour says how long it has been taken: below so many seconds, this tone.
AGES: Final = ((2.0, "age0"), (10.0, "age1"), (30.0, "age2"), (120.0, "age3"))
OLDEST: Final = "age4"


class Glyphs(NamedTuple):
    """How one slot is drawn."""

    free: str
    running: str
    uploading: str


DRAWN: Final = Glyphs("·", "■", "▲")
PLAIN: Final = Glyphs(".", "#", "^")  # for terminals and files that are not UTF-8


@dataclass(frozen=True, slots=True)
class Row:
    """One line. Lines of the same thing have the same key."""

    key: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """Without tones."""
        return "".join(text for text, _ in self.pieces).rstrip()


def heading(text: str, most: int) -> Row:
    """The line above a pane's rows."""
    return Row("", ((pad(text, most), "heading"),))


def age_tone(seconds: float) -> str:
    """The tone of a job that has run so long."""
    return next((tone for limit, tone in AGES if seconds < limit), OLDEST)


def short_seconds(seconds: float) -> str:
    """In at most six cells: `0.4`, `12.3`, `3:25`, `2:03 h`, `4 days`."""
    if seconds < 99.95:
        return f"{seconds:.1f}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes}:{rest:02}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h" if hours < 48 else f"{hours // 24} days"


# -- why jobs ran here


def reason_heading(picture: Picture, most: int) -> Row:
    """How many of the jobs that ended were not compiled on hosts."""
    ended = sum(picture.by_reason.values())
    here = ended - picture.by_reason["remote"]
    share = f" ({100 * here / ended:.0f} %)" if ended else ""
    return heading(f"{'here':>6}  because: {here} of {jobs_text(ended)}{share}", most)


def reason_rows(picture: Picture, most: int) -> list[Row]:
    """Reasons with counts, the most frequent first."""
    counts = sorted(picture.by_reason.items(), key=lambda item: (-item[1], item[0]))
    return [_reason(slug, count, most) for slug, count in counts if slug != "remote"]


def _reason(slug: str, count: int, most: int) -> Row:
    reason = REASONS.get(slug)
    text = pad(reason.text if reason else "", max(0, most - 32))
    return Row(
        slug, ((f"{count:>6}", "number"), (f"  {pad(printable(slug), 22)}  ", "warn"), (text, "plain"))
    )
