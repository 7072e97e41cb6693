"""A heading and rows with a cursor; draws again only the lines that changed, for slow terminals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from fleetcc.monitor.top.rows import Row

_PLAIN: Final = Style()
TONES: Final = {
    "plain": _PLAIN,
    "dim": Style(color="#8a8a8a"),
    "title": Style(bold=True),
    "heading": Style(bold=True, color="cyan"),
    "number": Style(bold=True),
    "label": _PLAIN,
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="bright_red"),
    "upload": Style(color="bright_blue"),
    "age0": Style(color="bright_cyan"),
    "age1": Style(color="green"),
    "age2": Style(color="yellow"),
    "age3": Style(color="magenta"),
    "age4": Style(color="bright_red"),
}
_FOCUSED: Final = Style(reverse=True)
_CURSOR: Final = Style(bgcolor="grey30")
_NOTHING: Final = Row("", ())


@dataclass(frozen=True, slots=True)
class Content:
    """What a pane shows now: `row(n)` is the row of the n-th key, made when it is to be seen."""

    heading: Row | None
    keys: Sequence[str]
    row: Callable[[int], Row]

    @classmethod
    def of(cls, heading: Row | None, rows: Sequence[Row]) -> "Content":
        """Of rows that are made already."""
        return cls(heading, [row.key for row in rows], rows.__getitem__)


class Pane(Widget):
    """Asks `source` for its content whenever `look` is called, and when its size changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("home,g", "edge(0)", "first", show=False),
        Binding("end,G", "edge(1)", "last", show=False),
        Binding("enter", "choose", "details", show=False),
    ]

    class Chosen(Message):
        """Somebody wants to know more about the thing with this key."""

        def __init__(self, pane: "Pane", key: str) -> None:
            super().__init__()
            self.pane = pane
            self.key = key

    def __init__(self, source: Callable[[int], Content], pane_id: str, *, focusable: bool = False) -> None:
        super().__init__(id=pane_id)
        self.can_focus = focusable
        self._source = source
        self._content = Content(None, (), lambda _: _NOTHING)
        self._lines: list[tuple[Row, Style]] = []
        self._cursor = 0
        self._first = 0  # the row that is seen first
        self._follows = ""  # the key that the cursor stays with

    def look(self) -> None:
        """Ask anew, and draw what is different."""
        if not self.size.width:
            return
        height = self._full_height()
        self._content = self._source(self.size.width)
        if self._follows in self._content.keys:
            self._cursor = self._content.keys.index(self._follows)
        self._draw()
        if self._full_height() != height:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """For `height: auto`; a pane that is new has no size yet, and gets none without this."""
        if not self._full_height():
            self._content = self._source(width)
        return self._full_height()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row, style = self._lines[y] if y < len(self._lines) else (_NOTHING, _PLAIN)
        segments = [Segment(text, TONES.get(tone, _PLAIN)) for text, tone in row.pieces]
        strip = Strip(segments).adjust_cell_length(self.size.width)
        return strip.apply_style(self.rich_style + style)

    def _full_height(self) -> int:
        return len(self._content.keys) + (self._content.heading is not None)

    def _room(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height - (self._content.heading is not None))

    def _draw(self) -> None:
        content, count = self._content, len(self._content.keys)
        self._cursor = max(0, min(self._cursor, count - 1))
        self._first = max(0, min(self._first, count - self._room()))
        lines = [(content.heading, _FOCUSED if self.has_focus else _PLAIN)] if content.heading else []
        for number in range(self._first, min(count, self._first + self._room())):
            is_under = self.has_focus and number == self._cursor
            lines.append((content.row(number), _CURSOR if is_under else _PLAIN))
        before, self._lines = self._lines, lines
        for y, (old, new) in enumerate(zip_longest(before, lines)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    # -- the cursor

    def action_move(self, rows: int) -> None:
        """Up or down."""
        self._go_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """A screen of rows up or down."""
        self._go_to(self._cursor + pages * self._room())

    def action_edge(self, end: int) -> None:
        """The first row or the last."""
        self._go_to(end * (len(self._content.keys) - 1))

    def action_choose(self) -> None:
        """Tell the app which thing is meant."""
        if self._cursor < len(self._content.keys):
            self.post_message(self.Chosen(self, self._content.keys[self._cursor]))

    def _go_to(self, cursor: int) -> None:
        keys = self._content.keys
        self._cursor = max(0, min(cursor, len(keys) - 1))
        self._follows = keys[self._cursor] if keys else ""
        if not self.can_focus:  # text without a cursor: what is seen moves at once
            self._cursor = max(0, min(cursor, len(keys) - self._room()))
        if not self.can_focus or self._cursor < self._first:
            self._first = self._cursor
        elif self._cursor >= self._first + self._room():
            self._first = self._cursor - self._room() + 1
        self._draw()

    # -- what textual tells

    def on_mount(self) -> None:
        """There is a screen now."""
        self.call_after_refresh(self.look)

    def on_resize(self, _: events.Resize) -> None:
        """The rows have another width."""
        self.look()

    def on_focus(self) -> None:
        """The cursor is here."""
        self._draw()

    def on_blur(self) -> None:
        """The cursor has gone to another pane."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """The row that was clicked."""
        row = self._first + event.y - (self._content.heading is not None)
        if self.can_focus and 0 <= row < len(self._content.keys):
            self._go_to(row)

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        """The wheel."""
        self.action_move(3)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        """The wheel."""
        self.action_move(-3)
