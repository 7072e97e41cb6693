"""Keeps a picture true: takes the events of the agent, and of the next when that leaves."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from fleetcc.errors import FleetccError, UsageError
from fleetcc.monitor.events import STREAM_VERSION, Hello, Lost, decode
from fleetcc.monitor.picture import Picture

Connect: TypeAlias = Callable[[], socket.socket | None]  # may block; raises FleetccError

_AGAIN_SECONDS: Final = 0.5  # an agent that starts is to be seen at once, and asking costs one connect()
_READ_BYTES: Final = 1 << 16
_LINES_AT_ONCE: Final = 200  # a millisecond or two; then keys and drawing have their turn
_REPAIR_SECONDS: Final = 2.0  # so often a picture with gaps is made whole, by connecting again
_MOST_LINE_BYTES: Final = 64 << 20  # a Hello with all jobs of the greatest build is a hundredth of it


class Feed:
    """One agent after another as one picture. `news` counts what was taken; `trouble` says why none comes."""

    def __init__(self, connect: Connect, nobody: str) -> None:
        self.picture = Picture()
        self.news = 0
        self.trouble = ""
        self._connect = connect
        self._nobody = nobody  # what to say when no agent runs
        self._has_gaps = False

    @property
    def is_connected(self) -> bool:
        """Whether an agent is telling."""
        return not self.trouble

    async def run(self) -> None:
        """For ever; raises UsageError when no agent can ever be found like this."""
        while True:
            try:
                connection = await self._connected()
            except UsageError:
                raise
            except FleetccError as error:
                self._stuck(str(error))
            else:
                if connection is None:
                    self._stuck(self._nobody)
                elif await self._follow(connection):
                    continue
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _connected(self) -> socket.socket | None:
        connecting = asyncio.get_running_loop().run_in_executor(None, self._connect)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close)
            raise

    def _stuck(self, why: str) -> None:
        if self.trouble != why:
            self.trouble = why
            self.news += 1

    async def _follow(self, connection: socket.socket) -> bool:
        """Take this agent's events until it leaves; True: connect again at once, there are gaps."""
        reader, writer = await asyncio.open_connection(sock=connection)
        repair_at = asyncio.get_running_loop().time() + _REPAIR_SECONDS
        self._has_gaps = False
        rest = b""
        try:
            while (chunk := await self._read(reader, repair_at)) is not None:
                *lines, rest = (rest + chunk).split(b"\n")
                if not chunk or len(rest) > _MOST_LINE_BYTES:
                    self._stuck("the agent has left; waiting for the next")
                    return False
                if not await self._take(lines):
                    return False
        finally:
            writer.close()
        return True

    async def _read(self, reader: asyncio.StreamReader, repair_at: float) -> bytes | None:
        """What has come, nothing at the end; None: there are gaps, and it is time to close them."""
        if self._has_gaps and asyncio.get_running_loop().time() > repair_at:
            return None
        try:
            async with asyncio.timeout_at(repair_at if self._has_gaps else None):
                return await reader.read(_READ_BYTES)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    async def _take(self, lines: list[bytes]) -> bool:
        """False: this stream means something else by its words."""
        for number, line in enumerate(lines, start=1):
            try:
                event = decode(line)
            except msgspec.DecodeError:
                continue  # an event of a later version; docs/events.md says to pass it over
            if isinstance(event, Hello):
                if event.version != STREAM_VERSION:
                    self._stuck(
                        f"this agent's events have version {event.version} where {STREAM_VERSION} is known; "
                        "`fleetcc agent stop`, then the next compile starts one of this version"
                    )
                    return False
                self.trouble = ""
            self._has_gaps |= isinstance(event, Lost)
            self.picture.take(event)
            self.news += 1
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return True


def _close(connecting: asyncio.Future[socket.socket | None]) -> None:
    """Nobody wants this connection any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connection = connecting.result()
        if connection is not None:
            connection.close()
