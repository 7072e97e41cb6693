"""One request and its response on a connection to a stock distccd, and when the host accepted it.

`backends.distcc` says how acceptance can be seen.
"""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import Final

from fleetcc.backends.stream import StreamProtocol
from fleetcc.errors import HostError, HostRefusedError, ProtocolError
from fleetcc.wire.distcc import Limits, Response, ResponseReader

# A big request goes to the transport in pieces, so that each piece that leaves proves progress.
_SEND_BYTES: Final = 256 << 10
# What the kernel of a server takes of a connection that nobody has accepted: tcp_rmem's default.
OBSERVABLE_BYTES: Final = 128 << 10
_FIRST_LOOK_SECONDS: Final = 0.002
_LAST_LOOK_SECONDS: Final = 0.05
_SIOCOUTQ: Final = termios.TIOCOUTQ


def unacknowledged_bytes(transport: asyncio.Transport) -> int:
    """What the kernel still holds of what was written: not yet taken by the other side's kernel."""
    sock = transport.get_extra_info("socket")
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0\0\0\0"))
    except (OSError, ValueError):  # closed, or no socket of which that can be seen
        return 0
    return int(count)


class Conversation(StreamProtocol):
    """One exchange; the clock of its timeout restarts with every piece in either direction."""

    def __init__(self, protocol: int, io_seconds: float, accepted: Callable[[], None]) -> None:
        self._reader = ResponseReader(protocol, Limits())
        self._accepted = accepted
        self._io_seconds = io_seconds
        self._loop = asyncio.get_running_loop()
        self._response: asyncio.Future[Response] = self._loop.create_future()
        self._timeout: asyncio.Timeout | None = None
        self._heard = False
        self._writable = asyncio.Event()
        self._writable.set()

    async def exchange(self, transport: asyncio.Transport, parts: list[bytes]) -> Response:
        """Send the request and wait for the response; raises HostError."""
        try:
            async with asyncio.timeout(self._io_seconds) as self._timeout:
                await self._send(transport, b"".join(parts))
                await self._watch_acceptance(transport, sum(map(len, parts)))
                return await self._response
        except TimeoutError as error:
            raise HostError(f"no progress for {self._io_seconds:g} s") from error
        finally:
            if self._response.done() and not self._response.cancelled():
                self._response.exception()  # it may have failed while we were sending: that is told once

    async def _send(self, transport: asyncio.Transport, data: bytes) -> None:
        if len(data) <= _SEND_BYTES:
            transport.write(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _SEND_BYTES):
            if self._response.done():
                return
            transport.write(view[start : start + _SEND_BYTES])
            await self._writable.wait()
            self._progressed()

    async def _watch_acceptance(self, transport: asyncio.Transport, request_bytes: int) -> None:
        """Tell when the server has taken the whole request, as far as that can be seen from here."""
        pause = _FIRST_LOOK_SECONDS
        while request_bytes > OBSERVABLE_BYTES and not self._response.done():
            if not transport.get_write_buffer_size() and not unacknowledged_bytes(transport):
                break
            await asyncio.wait([self._response], timeout=pause)
            pause = min(2 * pause, _LAST_LOOK_SECONDS)
        self._accepted()

    def pause_writing(self) -> None:
        """The host takes less than it is sent."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Part of the response."""
        self._heard = True
        self._progressed()
        try:
            events = self._reader.receive(data)
        except ProtocolError as error:
            self._fail(HostError(f"answered nonsense: {error}"))
            return
        for event in events:
            if isinstance(event, Response) and not self._response.done():
                self._response.set_result(event)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The host has closed, or the connection is broken."""
        self._writable.set()
        if self._heard:
            self._fail(HostError("closed in the middle of its answer"))
        else:
            self._fail(
                HostRefusedError(
                    "closed without an answer: this address is not allowed there, the compiler or an "
                    "option is refused, or the server is stopping; its log says which"
                )
            )

    def _fail(self, error: HostError) -> None:
        if not self._response.done():
            self._response.set_exception(error)

    def _progressed(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._loop.time() + self._io_seconds)
