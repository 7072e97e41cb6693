"""One launcher's connection: frames in and out, descriptors, and the news that it has gone.

Raw sockets rather than streams: descriptors travel with the bytes, and one job is a handful of small
messages. Knows nothing of compilers.
"""

import array
import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError
from fleetcc.wire.launcher import (
    ANSWER_HEADER,
    MAX_LAUNCHER_ANSWER_BYTES,
    REQUEST_HEADER,
    ControlRequest,
    JobRequest,
    RequestHeader,
    decode_request,
    decode_request_header,
)

log = logging.getLogger(__name__)

# One for all connections, because each read is taken out at once; a new one for each read would cost more
# than the read.
_BUFFER: Final = memoryview(bytearray(256 << 10))
# Three standard descriptors come with a request, two memory files with an answer.
_MAX_DESCRIPTORS: Final = 8
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)


class LauncherGoneError(Exception):
    """The launcher closed its end before its job was over."""


@dataclass(frozen=True, slots=True)
class LauncherMessage:
    """What the launcher says after its request; `descriptors` belong to the receiver."""

    kind: bytes
    payload: bytes
    descriptors: tuple[int, ...]


class LauncherConnection:
    """Owns the socket. Calls `on_request` once, `on_gone` once, and answers `receive`."""

    def __init__(
        self,
        sock: socket.socket,
        pid: int,
        loop: asyncio.AbstractEventLoop,
        on_request: Callable[["LauncherConnection", JobRequest | ControlRequest], None],
        on_gone: Callable[["LauncherConnection"], None],
    ) -> None:
        self.pid = pid
        self._sock = sock
        self._loop = loop
        self._on_request = on_request
        self._on_gone = on_gone
        self._chunks = bytearray()
        self._header: RequestHeader | None = None
        self._requested = False
        self._awaited: asyncio.Future[LauncherMessage] | None = None
        self._queued: list[LauncherMessage] = []
        self._descriptors: list[int] = []
        self.is_gone = False
        self._lease_ended: asyncio.Future[None] | None = None
        loop.add_reader(sock.fileno(), self._readable)

    def start(self) -> None:
        """Read what has come with the connection, without waiting for the loop."""
        self._readable()

    async def receive(self) -> LauncherMessage:
        """The next message; raises LauncherGoneError."""
        if self._queued:
            return self._queued.pop(0)
        if self.is_gone:
            raise LauncherGoneError
        self._awaited = self._loop.create_future()
        try:
            return await self._awaited
        finally:
            self._awaited = None

    async def send(self, *parts: bytes) -> None:
        """Send all of it; raises LauncherGoneError."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        try:
            sent = self._sock.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise LauncherGoneError from error
        if sent < len(data):
            await self._send_rest(memoryview(data)[sent:])

    async def until_gone(self) -> None:
        """Wait for the other end to close: the end of a lease."""
        if not self.is_gone:
            self._lease_ended = self._loop.create_future()
            await self._lease_ended

    def close(self) -> None:
        """Close our end; idempotent."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()
        for message in self._queued:
            close_all(message.descriptors)
        self._queued.clear()
        close_all(self._descriptors)
        self._descriptors.clear()

    def take_descriptors(self) -> list[int]:
        """The launcher's own standard descriptors, in ascending order; the caller closes them."""
        taken, self._descriptors = self._descriptors, []
        return taken

    async def _send_rest(self, view: memoryview) -> None:
        try:
            await self._loop.sock_sendall(self._sock, view)
        except OSError as error:
            raise LauncherGoneError from error

    def _readable(self) -> None:
        try:
            count, ancillary, _, _ = self._sock.recvmsg_into(
                (_BUFFER,), _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            count, ancillary = 0, []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                self._descriptors.extend(received)
        if not count:
            self._gone()
            return
        self._chunks += _BUFFER[:count]
        try:
            self._parse()
        except Exception as error:  # it will run its compiler itself when we close
            if not isinstance(error, ProtocolError):  # else it is not our launcher
                log.exception("a launcher's request could not be taken")
            self._gone()
            self.close()

    def _parse(self) -> None:
        if not self._requested:
            self._parse_request()
        while self._requested and len(self._chunks) >= ANSWER_HEADER.size:
            kind, _, _, length = ANSWER_HEADER.unpack_from(self._chunks)
            if kind not in b"pwf" or length > MAX_LAUNCHER_ANSWER_BYTES:
                raise ProtocolError(f"launcher message {bytes((kind,))!r} of {length} bytes")
            end = ANSWER_HEADER.size + length
            if len(self._chunks) < end:
                return
            payload = bytes(self._chunks[ANSWER_HEADER.size : end])
            del self._chunks[:end]
            message = LauncherMessage(bytes((kind,)), payload, tuple(self.take_descriptors()))
            if self._awaited is not None and not self._awaited.done():
                self._awaited.set_result(message)
            else:
                self._queued.append(message)

    def _parse_request(self) -> None:
        if self._header is None:
            if len(self._chunks) < REQUEST_HEADER.size:
                return
            self._header = decode_request_header(bytes(self._chunks[: REQUEST_HEADER.size]))
        end = REQUEST_HEADER.size + self._header.length
        if len(self._chunks) < end:
            return
        request = decode_request(self._header, bytes(self._chunks[REQUEST_HEADER.size : end]))
        del self._chunks[:end]
        self._requested = True
        self._on_request(self, request)

    def _gone(self) -> None:
        if self.is_gone:
            return
        self.is_gone = True
        self._loop.remove_reader(self._sock.fileno())
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(LauncherGoneError())
        if self._lease_ended is not None and not self._lease_ended.done():
            self._lease_ended.set_result(None)
        self._on_gone(self)


def close_all(descriptors: list[int] | tuple[int, ...]) -> None:
    """Close descriptors that nobody needs any more."""
    for descriptor in descriptors:
        os.close(descriptor)
