"""Looks now and then whether a fleet client does what it has to: is there, sends, and takes.

One timer for each connection: a look is a few comparisons, and whatever is late is late by seconds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fleetcc.server.outbox import Outbox
from fleetcc.wire.fleet_server import FleetServer

# How many looks there are in the shortest time that is watched.
_LOOKS: Final = 4
# A process that looks later than this was stopped or starved, and has bytes that it has not read.
_LATE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ends:
    """What to do when a client does not do what it has to."""

    gone: Callable[[str], None]
    late: Callable[[str], None]


class Vigil:
    """Watches one client."""

    def __init__(
        self, ping_seconds: float, io_seconds: float, protocol: FleetServer, outbox: Outbox, ends: Ends
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ping_seconds = ping_seconds
        self._io_seconds = io_seconds
        self._protocol = protocol
        self._outbox = outbox
        self._ends = ends
        self._interval = min(ping_seconds, io_seconds) / _LOOKS
        self._heard = self._looked = self._loop.time()
        self._was_pinged = False
        self._timer = self._loop.call_later(self._interval, self._look)

    def heard(self, now: float) -> None:
        """Bytes have come."""
        self._heard = now
        self._was_pinged = False

    def close(self) -> None:
        """Look no longer."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if now - self._looked > self._interval + _LATE_SECONDS:
            self._heard = max(self._heard, now - self._ping_seconds / 2)
        self._looked = now
        silent = now - self._heard
        overdue = self._protocol.overdue(now, self._io_seconds)
        if self._protocol.is_open and silent >= self._ping_seconds:
            self._ends.gone(f"nothing came for {silent:.1f} s")
        elif overdue is not None:
            self._ends.late(overdue)
        elif self._outbox.stalled(now, self._io_seconds):
            self._ends.gone(f"took none of what it was sent for {self._io_seconds:g} s")
        else:
            if self._protocol.is_open and silent >= self._ping_seconds / 2 and not self._was_pinged:
                self._was_pinged = True
                self._outbox.write(self._protocol.ping())
            self._timer = self._loop.call_later(self._interval, self._look)
