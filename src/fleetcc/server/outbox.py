"""What a fleet client has still to take: small messages at once, bulk piece by piece between them.

The transport never holds more than a little bulk, so a grant or an answer to a ping does not wait behind a
big object, and several big ones travel side by side.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fleetcc.server.stats import Stats

# What the transport may hold before bulk waits.
HIGH_WATER_BYTES: Final = 256 << 10
_TCP_NOTSENT_LOWAT: Final = 25  # Linux; Python 3.12 names it
# How long a client may take to read why its connection ends, before that is closed at both ends.
LINGER_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Bulk:
    frames: Iterator[bytes]
    left: int  # bytes that have not been handed to the transport, about


class Outbox:
    """Writes to one transport."""

    def __init__(self, transport: asyncio.WriteTransport, stats: Stats) -> None:
        self._transport = transport
        self._stats = stats
        self._is_writable = True
        self._bulk: deque[_Bulk] = deque()
        self._written = 0
        self._taken = (0, 0.0)  # bytes that had left when it was looked last, and since when so many
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None and getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6):
            # The kernel would take megabytes, and a ping behind them is late on a slow line.
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, HIGH_WATER_BYTES)

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken, about."""
        return self._transport.get_write_buffer_size() + sum(bulk.left for bulk in self._bulk)

    def write(self, data: bytes) -> None:
        """Send a small message before all bulk."""
        if data:
            self._written += len(data)
            self._stats.sent += len(data)
            self._transport.write(data)

    def write_bulk(self, frames: Iterator[bytes], size: int) -> None:
        """Send these frames as room comes; they are asked for one at a time."""
        self._bulk.append(_Bulk(frames, size))
        self.pump()

    def pause(self) -> None:
        """The transport holds enough."""
        self._is_writable = False

    def resume(self) -> None:
        """The transport has room again."""
        self._is_writable = True
        self.pump()

    def pump(self) -> None:
        """Hand over as much bulk as there is room for."""
        while self._is_writable and self._bulk:
            bulk = self._bulk.popleft()
            frame = next(bulk.frames, None)
            if frame is not None:
                bulk.left = max(0, bulk.left - len(frame))
                self._bulk.append(bulk)
                self.write(frame)

    def stalled(self, now: float, limit_seconds: float) -> bool:
        """Whether the client has taken nothing for so long; to be asked now and then."""
        held = self._transport.get_write_buffer_size()
        taken = self._written - held
        if taken != self._taken[0] or not held:
            self._taken = taken, now
        return now - self._taken[1] >= limit_seconds

    def clear(self) -> None:
        """Forget the bulk."""
        self._bulk.clear()

    def finish(self, silence_seconds: float) -> None:
        """Send what is on its way, then close; a client that takes nothing for so long is not waited for.

        Closing at once would throw away what the client has not read, if it is still sending.
        """
        if self._transport.can_write_eof():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._linger, silence_seconds, -1)
        else:
            self._transport.close()

    def _linger(self, silence_seconds: float, last_left: int) -> None:
        left = self._transport.get_write_buffer_size()
        if not left or left == last_left:
            self._transport.abort()
        else:
            asyncio.get_running_loop().call_later(silence_seconds, self._linger, silence_seconds, left)
