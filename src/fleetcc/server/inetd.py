"""One connection on standard input and output: inetd, systemd with Accept=yes, ssh."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from fleetcc.errors import ExitCode, UsageError
from fleetcc.server.connection import Connection, State
from fleetcc.server.options import ServerOptions
from fleetcc.server.service import Service

# How a connection ended, where that is not a success of this process.
_STATUS: Final = {
    None: ExitCode.ACCESS_DENIED,
    "rejected": ExitCode.PROTOCOL_ERROR,
    "left": ExitCode.IO_ERROR,
}


def is_socket(descriptor: int) -> bool:
    """Whether this descriptor is open and a socket."""
    with contextlib.suppress(OSError):
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    return False


def ssh_client(environment: Mapping[str, str]) -> str | None:
    """The address of the client whose sshd has started this process; None without sshd."""
    words = environment.get("SSH_CLIENT", "").split()
    return words[0] if words else None


async def serve_one(options: ServerOptions, client: str | None, sock: socket.socket | None = None) -> int:
    """Serve one connection; on descriptors 0 and 1 unless a socket is given. Returns the exit status.

    `client` is who it is where the connection itself does not tell.
    """
    loop = asyncio.get_running_loop()
    outcome: str | None = None

    async def work(service: Service) -> None:
        nonlocal outcome
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, service.kill)
        connected = sock or (socket.socket(fileno=os.dup(0)) if is_socket(0) else None)
        if connected is not None:
            connection = await _on_socket(service, connected, client)
        else:
            connection = await _on_pipes(service, client or f"uid:{os.getuid()}")
        await service.idle()
        outcome = connection.outcome

    await Service(options).serve(work)
    return _STATUS.get(outcome, 0)


async def _on_socket(service: Service, sock: socket.socket, client: str | None) -> Connection:
    _silence()
    # The address of a network socket is checked against the access list, whatever the environment says.
    connection = Connection(service, client if sock.family == socket.AF_UNIX else None)
    os.set_blocking(sock.fileno(), False)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
    return connection


async def _on_pipes(service: Service, client: str) -> Connection:
    source, sink = os.dup(0), os.dup(1)
    if not all(stat.S_ISFIFO(os.fstat(descriptor).st_mode) for descriptor in (source, sink)):
        raise UsageError(
            "--inetd: standard input and output must be a socket, or pipes (inetd, systemd, ssh)"
        )
    _silence()
    connection = Connection(service, client)
    loop = asyncio.get_running_loop()
    writer, _ = await loop.connect_write_pipe(lambda: _Writer(connection), os.fdopen(sink, "wb", 0))
    pipes = _Pipes(writer)
    # Bytes may come before the reader's connecting is told here.
    connection.connection_made(pipes)
    await loop.connect_read_pipe(lambda: _Reader(connection, pipes), os.fdopen(source, "rb", 0))
    return connection


def _silence() -> None:
    """Nothing but the answer may reach the client: not a warning, not a traceback of ours."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if descriptor < 2 or is_socket(descriptor):
            os.dup2(null, descriptor)
    os.close(null)


class _Pipes(asyncio.Transport):
    """Two pipes that look like one transport, as far as a connection uses one."""

    def __init__(self, writer: asyncio.WriteTransport) -> None:
        super().__init__()
        self.reader: asyncio.ReadTransport | None = None
        self._writer = writer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket" and self.reader is not None:
            return self.reader.get_extra_info("pipe")
        return default

    def pause_reading(self) -> None:
        assert self.reader is not None
        self.reader.pause_reading()

    def resume_reading(self) -> None:
        assert self.reader is not None
        self.reader.resume_reading()

    def writelines(self, list_of_data: Sequence[Any]) -> None:  # type: ignore[override]
        for data in list_of_data:
            self._writer.write(data)

    def write(self, data: Any) -> None:
        self._writer.write(data)

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._writer.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._writer.get_write_buffer_size()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.abort()


class _Reader(asyncio.Protocol):
    def __init__(self, connection: Connection, pipes: _Pipes) -> None:
        self._connection = connection
        self._pipes = pipes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipes.reader = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._connection.received(data)

    def eof_received(self) -> None:
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._connection.eof_received()
        if self._connection.state is State.CLOSED:
            self._pipes.abort()


class _Writer(asyncio.BaseProtocol):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
