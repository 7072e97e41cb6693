"""Reads nothing from a client for a while, and still notices when it leaves."""

import asyncio
from collections.abc import Callable

from fleetcc.server.hangup import HangupWatch


class Reading:
    """One transport's reading."""

    def __init__(self, transport: asyncio.Transport, hangups: HangupWatch, left: Callable[[], None]) -> None:
        self._transport = transport
        self._hangups = hangups
        self._left = left

    def pause(self) -> None:
        """Read no more; `left` is called when the client leaves."""
        self._transport.pause_reading()
        self._hangups.watch(self._descriptor(), self._left)

    def resume(self) -> None:
        """Read on."""
        self.forget()
        self._transport.resume_reading()

    def forget(self) -> None:
        """Watch no longer."""
        self._hangups.forget(self._descriptor())

    def _descriptor(self) -> int:
        found: int = self._transport.get_extra_info("socket").fileno()
        return found
