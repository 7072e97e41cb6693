"""Hands events to those who watch. Nobody watches: an event costs one test. Who reads slowly loses events."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

from fleetcc.monitor.events import Event, Hello, Lost, encode

# A viewer may be so far behind: some seconds of a busy build.
MOST_LINES: Final = 8192


class Bus:
    """The viewers of one agent or server; all of it on one event loop."""

    def __init__(self, hello: Callable[[], Hello]) -> None:
        self._hello = hello
        self._viewers: set[Viewer] = set()

    @property
    def is_watched(self) -> bool:
        """Whether anybody would see an event: ask before making one."""
        return bool(self._viewers)

    def publish(self, event: Event) -> None:
        """Tell all viewers; never waits."""
        if self._viewers:
            line = encode(event)
            for viewer in self._viewers:
                viewer.offer(line)

    def watch(self) -> "Viewer":
        """A new viewer, to whom the picture as it is now comes first; to be closed by whoever asked."""
        viewer = Viewer(self)
        viewer.offer(encode(self._hello()))
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: "Viewer") -> None:
        """It wants no more."""
        self._viewers.discard(viewer)


class Viewer:
    """One reader's events, bounded."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lines: deque[bytes] = deque()
        self._lost = 0
        self._news = asyncio.Event()

    def offer(self, line: bytes) -> None:
        """An event, or one more that is lost."""
        if len(self._lines) >= MOST_LINES:
            self._lost += 1
            return
        if self._lost:
            self._lines.append(encode(Lost(count=self._lost)))
            self._lost = 0
        self._lines.append(line)
        self._news.set()

    async def batches(self) -> AsyncGenerator[bytes, None]:
        """Whole lines, as many as have come, as soon as some have; for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            lines, self._lines = self._lines, deque()
            yield b"".join(lines)

    def close(self) -> None:
        """No more."""
        self._bus.leave(self)
