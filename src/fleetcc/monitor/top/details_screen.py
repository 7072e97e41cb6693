"""A window over the panes: details of one thing, or the help."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fleetcc.monitor.top.pane import Content, Pane
from fleetcc.monitor.top.rows import AGES, DRAWN, OLDEST, Piece, Row

_KEYS: Final = (
    ("q", "quit"),
    ("tab", "to the next pane: hosts, jobs, reasons"),
    ("up down", "the row (also k j, pages, home, end)"),
    ("enter", "all about the job, the host or the reason of this row"),
    ("s", "sort jobs: longest first, by state, by host, by name"),
    ("/", "only jobs that have these words in state, host, source,"),
    ("", "directory, build, mode or reason; escape: all again"),
    ("f", "with the jobs that have ended lately, or without"),
    ("p", "hold the picture still, and go on"),
    ("?", "this text"),
)


class Details(ModalScreen[None]):
    """Rows that are asked for again as often as the panes below; any of its keys closes it."""

    CSS = """
    Details { align: center middle; }
    Details Pane { width: 92%; max-width: 110; height: auto; max-height: 90%; padding: 0 1;
                   border: round $accent; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "dismiss", "close"),
        Binding("ctrl+c", "app.quit", "quit", priority=True),
        Binding("up,k", "scroll(-1)", "up"),
        Binding("down,j", "scroll(1)", "down"),
    ]

    def __init__(self, source: Callable[[int], list[Row]]) -> None:
        super().__init__()
        self._rows = source

    def compose(self) -> ComposeResult:
        """One pane."""
        yield Pane(lambda most: Content.of(None, self._rows(most)), "details")

    def action_scroll(self, rows: int) -> None:
        """Rows that have no room."""
        self.query_one(Pane).action_move(rows)


def help_rows(_: int) -> list[Row]:
    """Keys, and what the colours of slots mean."""
    keys = [Row("", ((f"{key:>8}  ", "number"), (text, "plain"))) for key, text in _KEYS]
    return [
        Row("", (("fleetcc top", "title"), (": hosts, slots and jobs, live", "plain"))),
        *keys,
        Row("", ()),
        Row("", (("   slots  ", "number"), *_kinds())),
        Row("", (("          taken under ", "plain"), *_ages())),
    ]


def _kinds() -> tuple[Piece, ...]:
    return (f"{DRAWN.free} free  ", "dim"), (f"{DRAWN.uploading} uploading  ", "upload")


def _ages() -> list[Piece]:
    ages: list[Piece] = [(f"{DRAWN.running} {limit:g} s  ", tone) for limit, tone in AGES]
    return [*ages, (f"{DRAWN.running} longer", OLDEST)]
