"""One build from its start to its end: the command, the tokens it draws from, the agent, the last line."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.cli.run_agent import follow
from fleetcc.cli.run_child import Child, StartError
from fleetcc.cli.run_screen import LastLine
from fleetcc.cli.run_summary import Tally
from fleetcc.jobserver.capacity import Capacity
from fleetcc.jobserver.serving import Jobserver
from fleetcc.monitor.picture import Picture
from fleetcc.monitor.progress import progress_line

_LOOK_SECONDS: Final = 1.0
_MOST_LOOKING: Final = 0.02  # of a processor's time, however many processes there are
_PAINT_SECONDS: Final = 0.25
_FIRST_EVENTS_SECONDS: Final = 0.3
# An agent tells of a job in its next batch, 20 a second, after its launcher has been told.
_BATCH_SECONDS: Final = 0.1
_LAST_EVENTS_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, and how."""

    command: Sequence[str]
    environment: Mapping[str, str]
    build: str
    agent_dir: str | None  # None: no agent is asked for anything
    has_agent: bool  # one runs, as far as is known
    shows_progress: bool
    shows_summary: bool


class Build:
    """One build; `run` carries it to its end."""

    def __init__(self, order: Order, jobserver: Jobserver | None, processors: int) -> None:
        self._order = order
        self._jobserver = jobserver
        self._capacity = Capacity(processors)
        self._picture = Picture()
        self._tally = Tally(order.build)
        self._news = asyncio.Event()
        self._line: LastLine | None = None

    async def run(self) -> int:
        """Its exit status, 128 + n after signal n; raises StartError."""
        try:
            return await self._run()
        finally:
            if self._jobserver is not None:
                self._jobserver.close()

    async def _run(self) -> int:
        ended: int | StartError
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._follow())]
            if self._order.has_agent:  # tools look for tokens as they start; ninja then only as jobs end
                await self._news_within(_FIRST_EVENTS_SECONDS)
            try:
                ended = await self._carry(tasks, background)
            except StartError as error:  # not in a group of exceptions
                ended = error
            for task in background:
                task.cancel()
        if isinstance(ended, StartError):
            raise ended
        if self._order.shows_summary:
            print(*self._tally.lines(), sep="\n", file=sys.stderr)
        return ended

    async def _carry(self, tasks: asyncio.TaskGroup, background: "list[asyncio.Task[None]]") -> int:
        inherited = self._jobserver.channel.inherited if self._jobserver is not None else ()
        child = Child(self._order.command, self._order.environment, inherited)
        background.append(tasks.create_task(self._look(child.pid)))
        if self._order.shows_progress:
            background.append(tasks.create_task(self._paint()))
        status = await child.wait()
        if self._order.shows_summary:
            await self._take_last_events()
        return status

    async def _follow(self) -> None:
        if self._order.agent_dir is None:
            return
        async with contextlib.aclosing(follow(self._order.agent_dir)) as events:
            async for event in events:
                if event is None:
                    self._capacity.forget()
                else:
                    self._capacity.take(event)
                    self._tally.take(event)
                    if self._order.shows_progress:
                        self._picture.take(event)
                if self._jobserver is not None:
                    self._jobserver.set_capacity(self._capacity.total)
                self._news.set()

    async def _look(self, root: int) -> None:
        seconds = _LOOK_SECONDS
        while self._jobserver is not None:
            await asyncio.sleep(seconds)
            before = time.thread_time()
            self._jobserver.look(root)
            seconds = max(_LOOK_SECONDS, (time.thread_time() - before) / _MOST_LOOKING)

    async def _take_last_events(self) -> None:
        if self._tally.has_begun:
            await asyncio.sleep(_BATCH_SECONDS)
        while self._tally.running and await self._news_within(_LAST_EVENTS_SECONDS):
            pass

    async def _news_within(self, seconds: float) -> bool:
        """Wait for the next event, so long at most."""
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _paint(self) -> None:
        loop = asyncio.get_running_loop()
        self._line = LastLine(sys.stderr.fileno())
        loop.add_signal_handler(signal.SIGTSTP, self._stop)
        try:
            while True:
                self._line.paint(progress_line(self._picture, time.time(), self._line.width))
                await asyncio.sleep(_PAINT_SECONDS)
        finally:
            loop.remove_signal_handler(signal.SIGTSTP)
            self._line.close()

    def _stop(self) -> None:
        """Ctrl-Z: the terminal is the shell's until we go on."""
        assert self._line is not None
        self._line.close()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._line = LastLine(sys.stderr.fileno())
