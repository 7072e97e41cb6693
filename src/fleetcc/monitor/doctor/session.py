"""A connection of frames on which no work is asked for: who is there, how far, and what the line carries.

Pings do all of it. The answer tells the clock of the server, and padding makes a ping as long as is wanted;
servers that know neither pass it over.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc import __version__
from fleetcc.backends.stream import StreamProtocol
from fleetcc.wire import fleet
from fleetcc.wire.fleet_answers import Closing, Reply
from fleetcc.wire.fleet_client import FleetClient

ANSWER_SECONDS: Final = 1.5
# A server that has just started still looks at its compilers.
_LOOKING_SECONDS: Final = 1.0
_PINGS: Final = 5

# What is sent to measure a line, each step as padding of so many pings, which go out together. A link of
# 1 Mbit/s takes half a second for the first, one of 1 Gbit/s 30 ms for all.
_MOST: Final = fleet.MAX_PADDING_BYTES
_STEPS: Final = ((64 << 10, 1), (_MOST, 1), (_MOST, 4), (_MOST, 8))
# Who has measured for so long knows enough, whatever a scheduler did meanwhile.
_ENOUGH_SECONDS: Final = 0.15
# TCP begins slowly: what took only some round trips tells more of the distance than of the line.
_ENOUGH_ROUND_TRIPS: Final = 3
# Round trips differ: what is left when one is taken off is no less than this share of the whole.
_LEAST_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """A host's clock, beside ours."""

    ahead: float  # seconds; below 0: it is behind
    error: float  # seconds by which that may be wrong


class Stream(StreamProtocol):
    """Collects what comes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_over = False
        self._news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Some bytes."""
        self.data += data
        self._news.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The end."""
        self.is_over = True
        self._news.set()

    async def until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait for it; False: it did not come to be in time, or ever."""
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    if self.is_over:
                        return False
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True


class Session:
    """One connection. Each method raises ProtocolError for what no server may say."""

    def __init__(self, transport: asyncio.Transport, stream: Stream) -> None:
        # No replica and no demand: nothing is kept for it, and nothing is granted.
        hello = fleet.Hello(
            agent=secrets.token_hex(8),
            program=f"fleetcc {__version__} doctor",
            user=f"{os.geteuid()}@{os.uname().nodename}"[:128],
        )
        self._client = FleetClient(hello)
        self._transport = transport
        self._stream = stream
        self.frames: fleet.Welcome | None = None
        self.complaint = ""
        self.drains = ""
        self.round_trips: list[float] = []
        self.clock: ClockSeen | None = None  # None: the server does not tell

    @property
    def is_good(self) -> bool:
        """Whether the server is there, and stays."""
        return self.frames is not None and not (self.complaint or self.drains or self._stream.is_over)

    async def hello(self) -> None:
        """Say who is there, and learn the same."""
        self._transport.write(self._client.opening())
        await self._until(lambda: self.frames is not None, ANSWER_SECONDS)

    async def settle(self) -> None:
        """Wait until the server knows itself."""
        await self._until(lambda: self.frames is None or not self.frames.looking, _LOOKING_SECONDS)

    async def ping(self) -> None:
        """Count some round trips, and compare clocks."""
        for _ in range(_PINGS):
            wall, begun = time.time(), time.monotonic()
            if not self.is_good or not await self._answered((b"",), ANSWER_SECONDS):
                return
            seconds = time.monotonic() - begun
            self.round_trips.append(seconds)
            error = seconds / 2
            if self._client.clock and (self.clock is None or error < self.clock.error):
                self.clock = ClockSeen(self._client.clock - (wall + error), error)

    async def upload(self, round_trip: float, seconds: float) -> float:
        """Bytes a second that the line carries to the host; 0: that cannot be told.

        `round_trip`: seconds, of the quickest ping without padding; `seconds`: all that may be spent. When
        that is too little for the first step, the answer is what the line carries at most.
        """
        noise = os.urandom(_MOST)  # ssh and some lines pack what can be packed
        begun, best = time.monotonic(), 0.0
        for size, count in _STEPS:
            step = time.monotonic()
            is_whole = await self._answered((noise[:size],) * count, begun + seconds - step)
            if not self.is_good:
                return 0.0
            now = time.monotonic()
            spent = net_seconds(now - step, round_trip)
            rate = size * count / spent
            is_sure = spent >= _ENOUGH_ROUND_TRIPS * round_trip
            if not is_whole:
                return min(best or rate, rate) if is_sure else best  # what is late is not quicker than that
            best = max(best, rate)
            if is_sure and now - begun >= _ENOUGH_SECONDS:
                break
        return best

    async def _answered(self, paddings: Sequence[bytes], seconds: float) -> bool:
        """Send pings together; whether the last of them was answered in time."""
        for padding in paddings:
            self._transport.write(self._client.ping(padding))
        return await self._until(lambda: self._client.is_ping_answered, seconds)

    async def _until(self, ready: Callable[[], bool], seconds: float) -> bool:
        def look() -> bool:
            self._receive()
            return ready() or bool(self.complaint)

        return await self._stream.until(look, seconds)

    def _receive(self) -> None:
        data = bytes(self._stream.data)
        self._stream.data.clear()
        for event in self._client.receive(data, time.monotonic()):
            match event:
                case fleet.Welcome():
                    self.frames = event
                case fleet.Drain():
                    self.drains = event.why or "it is leaving"
                case Closing():
                    self.complaint = event.error.sentence
                case Reply():
                    self._transport.write(event.data)
                case _:
                    pass


def net_seconds(seconds: float, round_trip: float) -> float:
    """What bytes took, when so long after the first of them the last was answered for."""
    return max(seconds - round_trip, seconds * _LEAST_SHARE)
