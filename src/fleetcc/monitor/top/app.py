"""The app of `fleetcc top`: panes, keys, and when to draw.

Events only change the picture; drawing is by the clock, at most five times a second however many come, and
of lines that are different only: it shall be light on the machine that builds, and on a slow connection.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from fleetcc.errors import FleetccError
from fleetcc.monitor.picture import Picture
from fleetcc.monitor.top.details import host_details, job_details, reason_details
from fleetcc.monitor.top.details_screen import Details, help_rows
from fleetcc.monitor.top.feed import Connect, Feed
from fleetcc.monitor.top.host_rows import host_heading, host_rows
from fleetcc.monitor.top.job_rows import Look, chosen_jobs, job_heading, job_row, jobs_in_all
from fleetcc.monitor.top.pane import Content, Pane
from fleetcc.monitor.top.rows import DRAWN, Row, reason_heading, reason_rows
from fleetcc.monitor.top.summary import Traffic, summary_rows

_DRAW_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 1.0  # without news only the ages of jobs change
_KEYS: Final = "q quit  s sort  / filter  enter details  tab pane  f ended  p pause  ? help"


class Top(App[FleetccError | None]):
    """Ends with the error that keeps it from ever seeing an agent, else with None."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #summary { height: 3; padding: 0 0; }
    #hosts { height: auto; max-height: 40%; }
    #jobs { height: 1fr; min-height: 3; }
    #reasons { height: auto; max-height: 20%; }
    #keys { height: 1; color: $text-muted; }
    #filter { height: 1; border: none; padding: 0; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", priority=True),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter"),
        Binding("escape", "all", "all jobs"),
        Binding("f", "ended", "ended"),
        Binding("p", "pause", "pause"),
        Binding("question_mark", "help", "help"),
    ]

    def __init__(self, connect: Connect, nobody: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.feed = Feed(connect, nobody)
        self._clock = clock
        self._look = Look()
        self._traffic = Traffic()
        self._still: tuple[Picture, float, tuple[float, float]] | None = None
        self._drawn = (-1, 0.0)  # which news, when

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Pane(self._summary, "summary")
        yield Pane(self._hosts, "hosts", focusable=True)
        yield Pane(self._jobs, "jobs", focusable=True)
        yield Pane(self._reasons, "reasons", focusable=True)
        yield Input(placeholder="words that a job must have; escape: all jobs", id="filter")
        yield Pane(lambda _: Content.of(None, [Row("", ((_KEYS, "dim"),))]), "keys")

    def on_mount(self) -> None:
        """Begin to listen, and to draw."""
        self.animation_level = "none"
        self.query_one("#jobs").focus()
        self.run_worker(self._follow(), exit_on_error=True)
        self.set_interval(_DRAW_SECONDS, self._draw_news)

    async def _follow(self) -> None:
        try:
            await self.feed.run()
        except FleetccError as error:
            self.exit(error)

    # -- drawing

    def _draw_news(self) -> None:
        news, when = self._drawn
        if self.feed.news != news or time.monotonic() - when >= _IDLE_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Everything that the front screen shows, as it is now."""
        self._drawn = (self.feed.news, time.monotonic())
        for pane in self.screen.query(Pane):
            pane.look()

    def _now(self) -> tuple[Picture, float]:
        """What is shown, and the time that it is there: an agent that has left gets no older."""
        if self._still is not None:
            return self._still[:2]
        picture = self.feed.picture
        return picture, self._clock() if self.feed.is_connected else picture.time

    def _rates(self) -> tuple[float, float]:
        return self._still[2] if self._still is not None else self._traffic.look(*self._now())

    def _summary(self, most: int) -> Content:
        picture, now = self._now()
        note = "PAUSED: p goes on" if self._still is not None else ""
        rows = summary_rows(picture, now, self._rates(), most, trouble=self.feed.trouble, note=note)
        return Content.of(None, rows)

    def _hosts(self, most: int) -> Content:
        picture, now = self._now()
        return Content.of(host_heading(picture, most), host_rows(picture, now, most, DRAWN))

    def _jobs(self, most: int) -> Content:
        picture, now = self._now()
        jobs = chosen_jobs(picture, self._look)
        return Content(
            job_heading(self._look, len(jobs), jobs_in_all(picture, self._look), most),
            [str(job.job) for job in jobs],
            lambda number: job_row(jobs[number], now, most),
        )

    def _reasons(self, most: int) -> Content:
        picture, _ = self._now()
        return Content.of(reason_heading(picture, most), reason_rows(picture, most))

    # -- keys

    def action_sort(self) -> None:
        """The next order of jobs."""
        self._look = replace(self._look, order=self._look.next_order)
        self.draw()

    def action_ended(self) -> None:
        """With the jobs that have ended, or without."""
        self._look = replace(self._look, with_ended=not self._look.with_ended)
        self.draw()

    def action_pause(self) -> None:
        """Hold the picture; the real one goes on behind it."""
        if self._still is not None:
            self._still = None
        else:
            picture, now = self._now()
            ended = {id(job): job for job in picture.finished}  # they do not change any more
            self._still = (copy.deepcopy(picture, ended), now, self._rates())
        self.draw()

    def action_filter(self) -> None:
        """Ask for words."""
        words = self.query_one("#filter", Input)
        words.display = True
        words.focus()

    def action_all(self) -> None:
        """No filter any more."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one("#jobs").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The jobs follow while one types."""
        self._look = replace(self._look, words=tuple(event.value.split()))
        self.draw()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """The filter stays, the line goes."""
        self._close_filter()

    def action_help(self) -> None:
        """Keys and colours."""
        self._open(help_rows)

    def on_pane_chosen(self, message: Pane.Chosen) -> None:
        """Details of a job, a host or a reason, live."""
        picture, _ = self._now()
        rows: Callable[[int], list[Row]] | None = None
        if message.pane.id == "jobs":
            job = next((job for job in chosen_jobs(picture, self._look) if str(job.job) == message.key), None)
            if job is not None:
                rows = lambda most: job_details(job, self._now()[1], most)  # noqa: E731 - it closes over job
        elif message.pane.id == "hosts":
            view = picture.hosts.get(message.key)
            if view is not None:
                rows = lambda most: host_details(view, self._now()[1], most)  # noqa: E731
        else:
            key = message.key
            rows = lambda most: reason_details(key, self._now()[0].by_reason[key], most)  # noqa: E731
        if rows is not None:
            self._open(rows)

    def _open(self, rows: Callable[[int], list[Row]]) -> None:
        """A window; behind it the panes stand still until it closes."""

        def closed(_: None) -> None:
            self.call_after_refresh(self.draw)

        self.push_screen(Details(rows), closed)
