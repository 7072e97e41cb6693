"""What links tell, written down: HostEvents for tests."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fleetcc.backends.link import Spoken
from fleetcc.errors import HostError
from fleetcc.scheduling.fleet import Facts

PATIENCE_SECONDS: Final = 20.0


class LinkEvents:
    """Keeps every event as a tuple whose first item is its name."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()

    def note(self, *event: Any) -> None:
        """Write down what a test has seen elsewhere, so that the order can be compared."""
        self.told.append(event)
        self._news.set()

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """All events of this name, without it."""
        return [event[1:] for event in self.told if event[0] == name]

    @property
    def names(self) -> list[str]:
        """What happened, in order."""
        return [event[0] for event in self.told]

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until this is so; asked after each event."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def next(self, name: str, count: int = 1) -> tuple[Any, ...]:
        """Wait for this many events of a name; the last of them."""
        await self.until(lambda: len(self.of(name)) >= count)
        return self.of(name)[count - 1]

    # -- HostEvents

    def up(self, host: str, facts: Facts, server: str, instance: str) -> None:
        """Written down."""
        self.note("up", host, facts, server, instance)

    def down(self, host: str, error: HostError | None) -> None:
        """Written down."""
        self.note("down", host, error)

    def draining(self, host: str, why: str) -> None:
        """Written down."""
        self.note("draining", host, why)

    def granted(self, host: str, count: int) -> None:
        """Written down."""
        self.note("granted", host, count)

    def started(self, host: str, number: int) -> None:
        """Written down."""
        self.note("started", host, number)

    def finished(self, host: str, number: int, spoken: Spoken) -> None:
        """Written down."""
        self.note("finished", host, number, spoken)

    def failed(self, host: str, number: int, error: HostError) -> None:
        """Written down."""
        self.note("failed", host, number, error)
