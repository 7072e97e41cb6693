"""Runs one placed job on a host that speaks distcc's protocol 1 or 2, and asks hosts what they are.

One connection carries one job (distcc-compat.md 1.1). Cancelling the coroutine closes the connection,
which is how a distcc server learns that nobody waits any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fleetcc.backends.stream import SSH_SERVERS, Resolver, StreamProtocol, open_stream
from fleetcc.errors import HostError, HostRefusedError, ProtocolError
from fleetcc.hosts.grammar import HostSpec
from fleetcc.wire.distcc import Limits, Response, ResponseReader, encode_request
from fleetcc.wire.greeting import GREETING, MAX_WELCOME_BYTES, Welcome, is_welcome_complete, parse_welcome

# A big request goes to the transport in pieces, so that each piece that leaves proves progress.
_SEND_BYTES: Final = 256 << 10

# What shells and ssh end with; a server that says no ends with less.
_FIRST_SHELL_STATUS: Final = 126
_COMMAND_NOT_FOUND: Final = 127
# How long after the end of its output a command may take to end itself.
_SSH_END_SECONDS: Final = 2.0

P = TypeVar("P", bound=StreamProtocol)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class HostTimeouts:
    """The settings that bound one conversation."""

    connect_seconds: float
    io_seconds: float
    ssh: tuple[str, ...]


@dataclass(slots=True)
class DistccBackend:
    """Knows nothing of placing; keeps only what names resolved to, and which ssh hosts lack our server."""

    limits: Limits = field(default_factory=Limits)
    resolver: Resolver = field(default_factory=Resolver)
    _stock_over_ssh: set[str] = field(default_factory=set)  # names of hosts without our server

    async def run(
        self, host: HostSpec, protocol: int, argv: Sequence[bytes], raw_body: bytes, timeouts: HostTimeouts
    ) -> Response:
        """Send the job and wait for its outcome.

        Raises HostRefusedError when the host closed without a word, HostError for every other failure.
        """

        async def converse() -> Response:
            make = lambda: _Conversation(protocol, self.limits, timeouts.io_seconds)  # noqa: E731 - a factory
            transport, conversation = await self._open(host, make, timeouts)
            try:
                return await conversation.exchange(transport, encode_request(protocol, argv, raw_body))
            except HostRefusedError as error:
                await self._explain_ssh(host, conversation)
                raise HostRefusedError(f"{host.text}: {error}") from error
            except HostError as error:
                raise HostError(f"{host.text}: {error}") from error
            finally:
                transport.abort()

        return await self._with_either_server(host, converse)

    async def greet(self, host: HostSpec, timeouts: HostTimeouts) -> Welcome | None:
        """What a fleetccd says of itself; None for a stock distccd, which closes without a word.

        Raises HostError when the host cannot be reached or answers with something else.
        """

        async def converse() -> bytes:
            transport, greeter = await self._open(host, _Greeter, timeouts)
            try:
                transport.write(GREETING)
                async with asyncio.timeout(timeouts.connect_seconds):
                    answer = await greeter.answer
                if not answer:
                    await self._explain_ssh(host, greeter)
                return answer
            except TimeoutError:
                # A stock distccd whose workers are all busy accepts us later; as a stock host it is usable.
                return b""
            finally:
                transport.abort()

        answer = await self._with_either_server(host, converse)
        try:
            return parse_welcome(answer) if answer else None
        except ProtocolError as error:
            raise HostError(f"{host.text} is not a compile server: {error}") from error

    async def _open(
        self, host: HostSpec, factory: Callable[[], P], timeouts: HostTimeouts
    ) -> tuple[asyncio.Transport, P]:
        return await open_stream(
            host,
            factory,
            resolver=self.resolver,
            connect_timeout_seconds=timeouts.connect_seconds,
            ssh=timeouts.ssh,
            ssh_server=SSH_SERVERS[host.name in self._stock_over_ssh],
        )

    async def _with_either_server(self, host: HostSpec, converse: Callable[[], Awaitable[R]]) -> R:
        """Converse with our server over ssh, or with distcc's where ours is not installed."""
        try:
            return await converse()
        except _NotInstalledError:
            self._stock_over_ssh.add(host.name)
        try:
            return await converse()
        except _NotInstalledError as error:
            self._stock_over_ssh.discard(host.name)
            raise HostError(f"{host.text}: neither {' nor '.join(SSH_SERVERS)} is on PATH there") from error

    async def _explain_ssh(self, host: HostSpec, protocol: StreamProtocol) -> None:
        """Raise what the ssh command's status says about a connection that closed without a word."""
        if protocol.ssh_ended is None:
            return
        try:
            async with asyncio.timeout(_SSH_END_SECONDS):
                status = await asyncio.shield(protocol.ssh_ended)
        except TimeoutError:
            return
        if status == _COMMAND_NOT_FOUND and host.command is None:
            raise _NotInstalledError
        if status < 0 or status >= _FIRST_SHELL_STATUS:
            raise HostError(f"{host.text}: the ssh command ended with status {status} and without an answer")


class _NotInstalledError(Exception):
    """The other side's shell does not know the server's command."""


class _Conversation(StreamProtocol):
    """Feeds the reader; the clock of the I/O timeout restarts with every piece in either direction."""

    def __init__(self, protocol: int, limits: Limits, io_seconds: float) -> None:
        self._reader = ResponseReader(protocol, limits)
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


class _Greeter(StreamProtocol):
    """Collects the answer to a greeting until its blank line or the end."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        if is_welcome_complete(self._data) or len(self._data) > MAX_WELCOME_BYTES:
            self._finish()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self._data)
