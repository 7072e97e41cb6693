"""A stock distccd: one connection for each job, and nobody who says "ready".

Theory of operation. distccd accepts a connection only when one of its workers is free; until then the kernel
of its machine takes some 116 KB of the request and no more. So the rest of a longer request moves when, and
only when, the job was accepted (within 3 ms of it, as measured): that is its beginning here. A host gets at
most `limit` jobs and one connection that is not accepted yet; this link grants in its name accordingly. A
request that fits into the socket's buffer gives no sign and counts as accepted when it is sent.

Cancelling closes the connection, which is how a distcc server learns that nobody waits any more.
"""

import asyncio
import fcntl
import logging
import struct
import termios
from collections.abc import Callable
from typing import Final

from fleetcc.backends.link import (
    MAX_PLAIN_BYTES,
    HostEvents,
    HostTimeouts,
    KilledError,
    Order,
    Spoken,
)
from fleetcc.backends.stream import Opener, StreamProtocol, explain_silence
from fleetcc.errors import HostError, HostRefusedError, ProtocolError
from fleetcc.hosts.grammar import HostSpec
from fleetcc.model import Priority
from fleetcc.wire.distcc import Limits, Response, ResponseReader, encode_request, unpack_body

log = logging.getLogger(__name__)

# A big request goes to the transport in pieces, so that each piece that leaves proves progress.
_SEND_BYTES: Final = 256 << 10
# What the kernel of a server takes of a connection that nobody has accepted: tcp_rmem's default.
OBSERVABLE_BYTES: Final = 128 << 10
_FIRST_LOOK_SECONDS: Final = 0.002
_LAST_LOOK_SECONDS: Final = 0.05
_SIOCOUTQ: Final = termios.TIOCOUTQ
# Smaller bodies are unpacked where they arrive.
_INLINE_BYTES: Final = 64 << 10

# Statuses with which servers report that no compiler ran (distcc-compat.md 1.4 and 4.4).
_FIRST_SERVER_STATUS: Final = 100

LZO: Final = "lzo"
RAW: Final = "raw"
_PROTOCOLS: Final = {RAW: 1, LZO: 2}


class StockLink:
    """The link of one stock host."""

    def __init__(
        self,
        host: str,
        spec: HostSpec,
        opener: Opener,
        timeouts: HostTimeouts,
        events: HostEvents,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.encodings = (LZO,) if spec.protocol > 1 else (RAW,)
        self._host = host
        self._spec = spec
        self._opener = opener
        self._timeouts = timeouts
        self._events = events
        self._tasks = tasks
        self._asked = 0
        self._granted = False  # and neither used nor declined yet
        self._unaccepted: int | None = None
        self._running: dict[int, asyncio.Task[None]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether it has no job and no grant is out."""
        return not self._running and not self._granted

    def demand(self, most: int, priority: Priority) -> None:  # noqa: ARG002 - distccd knows none
        """There are so many jobs."""
        self._asked = most
        self._grant_if_ready()

    def decline(self, count: int) -> None:  # noqa: ARG002 - never more than one
        """The grant is of no use."""
        self._granted = False
        self._grant_if_ready()

    def send(self, number: int, order: Order) -> None:
        """Open a connection for the job."""
        self._granted = False
        self._unaccepted = number
        self._running[number] = self._tasks.create_task(self._run(number, order))

    def cancel(self, number: int) -> None:
        """Close its connection."""
        task = self._running.pop(number, None)
        if task is not None:
            task.cancel()
            self._over(number)

    def close(self) -> None:
        """Close all."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()
        self._asked = 0
        self._granted = False

    def _grant_if_ready(self) -> None:
        room = len(self._running) < self._spec.limit
        if self._asked and room and not self._granted and self._unaccepted is None:
            self._asked -= 1
            self._granted = True
            asyncio.get_running_loop().call_soon(self._say_granted)

    def _say_granted(self) -> None:
        if self._granted:
            self._events.granted(self._host, 1)

    def _accepted(self, number: int) -> None:
        if self._unaccepted == number:
            self._unaccepted = None
            self._events.started(self._host, number)
            self._grant_if_ready()

    def _over(self, number: int) -> None:
        if self._unaccepted == number:
            self._unaccepted = None
        self._grant_if_ready()

    async def _run(self, number: int, order: Order) -> None:
        began = asyncio.get_running_loop().time()

        def accepted() -> None:
            nonlocal began
            began = asyncio.get_running_loop().time()
            if number in self._running:
                self._accepted(number)

        try:
            response = await self._converse(order, accepted)
            seconds = asyncio.get_running_loop().time() - began
            spoken = await self._spoken(response, _PROTOCOLS[order.encoding], seconds)
        except HostError as error:
            self._failed(number, error)
            return
        except Exception as error:  # one of the few places: one connection's fault must not end the agent
            log.exception("job %d on %s failed in the agent", number, self._spec.text)
            self._failed(number, HostError(f"{self._spec.text}: {error!r}"))
            return
        if self._running.pop(number, None) is not None:
            self._over(number)
            self._events.finished(self._host, number, spoken)

    def _failed(self, number: int, error: HostError) -> None:
        if self._running.pop(number, None) is not None:
            self._over(number)
            self._events.failed(self._host, number, error)

    async def _converse(self, order: Order, accepted: Callable[[], None]) -> Response:
        protocol = _PROTOCOLS[order.encoding]
        parts = encode_request(protocol, order.argv, order.body)

        async def talk(transport: asyncio.Transport, conversation: _Conversation) -> Response:
            try:
                return await conversation.exchange(transport, parts)
            except HostRefusedError as error:
                await explain_silence(self._spec, conversation)
                raise HostRefusedError(f"{self._spec.text}: {error}") from error
            except HostError as error:
                raise HostError(f"{self._spec.text}: {error}") from error
            finally:
                transport.abort()

        return await self._opener.converse(
            self._spec,
            self._timeouts,
            lambda: _Conversation(protocol, self._timeouts.io_seconds, accepted),
            talk,
        )

    async def _spoken(self, response: Response, protocol: int, seconds: float) -> Spoken:
        size = len(response.output_raw) + len(response.stderr_raw) + len(response.stdout_raw)
        try:
            if size <= _INLINE_BYTES:
                spoken = _unpacked(response, protocol, seconds)
            else:
                spoken = await asyncio.to_thread(_unpacked, response, protocol, seconds)
        except ProtocolError as error:
            raise HostError(f"{self._spec.text}: answered nonsense: {error}") from error
        self._require_a_compiler(spoken)
        return spoken

    def _require_a_compiler(self, spoken: Spoken) -> None:
        if spoken.status & 0x7F:
            raise KilledError(f"{self._spec.text}: signal {spoken.status & 0x7F}")
        exit_code = spoken.status >> 8
        if exit_code >= _FIRST_SERVER_STATUS:
            sentence = spoken.stderr.decode(errors="backslashreplace").strip()
            raise HostRefusedError(f"{self._spec.text}: {sentence or f'status {exit_code}'}")
        if not spoken.status and not spoken.output:  # no compiler that succeeds leaves nothing
            raise HostError(f"{self._spec.text}: answered with an empty output")


def _unpacked(response: Response, protocol: int, seconds: float) -> Spoken:
    """Raises ProtocolError."""
    stdout, stderr, output = (
        unpack_body(protocol, raw, MAX_PLAIN_BYTES)
        for raw in (response.stdout_raw, response.stderr_raw, response.output_raw)
    )
    return Spoken(response.status, stdout, stderr, output, seconds)


def unacknowledged_bytes(transport: asyncio.Transport) -> int:
    """What the kernel still holds of what was written: not yet taken by the other side's kernel."""
    sock = transport.get_extra_info("socket")
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0\0\0\0"))
    except (OSError, ValueError):  # closed, or no socket of which that can be seen
        return 0
    return int(count)


class _Conversation(StreamProtocol):
    """Feeds the reader; the clock of the I/O timeout restarts with every piece in either direction."""

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
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
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
