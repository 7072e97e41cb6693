"""What all connections of one server process share, and how a request becomes an order."""

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from fleetcc import __version__
from fleetcc.model import Form
from fleetcc.server.access import peer_address
from fleetcc.server.board import Board
from fleetcc.server.connection import Connection
from fleetcc.server.fleet import FleetSide
from fleetcc.server.gate import Gate
from fleetcc.server.hangup import HangupWatch
from fleetcc.server.meter import Meter
from fleetcc.server.options import ServerOptions
from fleetcc.server.orders import MAX_SOURCE_BYTES, Order, understand_request
from fleetcc.server.running import Running
from fleetcc.server.slots import SlotFiles
from fleetcc.server.stats import Stats
from fleetcc.server.watch import Watch
from fleetcc.server.workspace import Workspace
from fleetcc.wire.distcc import Limits, RequestHead
from fleetcc.wire.greeting import Welcome, encode_welcome

_log: Final = logging.getLogger(__name__)

# Before a request's head is complete little is known about a client: small reads keep 1,000 of them cheap.
HEAD_BUFFER_BYTES: Final = 4 << 10
BODY_BUFFER_BYTES: Final = 256 << 10
# Enough to keep LZO off the event loop; compilers need the processors more.
MAX_THREADS: Final = 4
# One client may fill most of the waiting room, never all of it.
CLIENT_SHARE: Final = 0.75
# Dead clients are noticed after about two minutes even while they wait.
KEEPALIVE_SECONDS: Final = 60


class Work(Protocol):
    """A job, whoever it is for."""

    async def run(self) -> None:
        """Carry it out and answer; raises only CancelledError, and what is a fault of ours."""

    def broken(self) -> None:
        """It ended by a fault of ours."""

    def over(self) -> None:
        """It has ended, however, perhaps before it began."""


class Service:
    """One server process's shared state; `close` gives everything back."""

    def __init__(self, options: ServerOptions) -> None:
        loop = asyncio.get_running_loop()
        directory = options.state_directory
        self.options = options
        self.limits = Limits(max_body_bytes=MAX_SOURCE_BYTES)
        self.stats = Stats()
        self.connections: set[Connection] = set()
        self.compilers: set[Running] = set()
        self.head_buffer = memoryview(bytearray(HEAD_BUFFER_BYTES))
        self.body_buffer = memoryview(bytearray(BODY_BUFFER_BYTES))
        self.workspace = Workspace(options.temporary_directory)
        self.hangups = HangupWatch(loop)
        self.pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="work")
        self.gate = Gate(
            SlotFiles(os.path.join(directory, "slots"), options.slots),
            Board(os.path.join(directory, "waiting")),
            Meter(
                os.path.join(directory, "load"),
                options.slots,
                options.load_limit,
                options.memory_reserve_bytes,
            ),
            options.queue_timeout_seconds,
        )
        self.fleet = FleetSide(self)
        self.started = time.time()
        self.watch = Watch(self)
        self.is_draining = False
        self._tasks = asyncio.TaskGroup()
        self._background: list[asyncio.Task[None]] = []
        self._per_client: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    # -- for connections

    def admit(self, transport: asyncio.Transport) -> str | None:
        """Who the client is, for fairness; None when it is refused."""
        sock: socket.socket = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:
            return self._counted(unix_client(sock))
        peer = transport.get_extra_info("peername")
        if not peer:  # gone already
            return None
        address = peer_address(peer[0])
        if not self.options.access.admits(address):
            self.stats.refuse("not-allowed")
            _log.warning("client=%s result=refused reason=not in --allow", address)
            return None
        _keep_alive(sock)
        return self._counted(str(address))

    def order(self, head: RequestHead) -> Order | str:
        """What a request asks for, or the sentence that refuses it."""
        return understand_request(head, self.options.compilers)

    def start(self, job: Work) -> "asyncio.Task[None]":
        """Carry out a job all of whose input is here, in a task of its own."""
        task = self._tasks.create_task(self._supervise(job))
        # Not in the task: one that is cancelled before its first step never takes one.
        task.add_done_callback(lambda _: job.over())
        return task

    def start_for_a_session(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do this until it is cancelled; a fault in it is the session's, not the server's."""
        return self._tasks.create_task(_guarded(work))

    def start_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this as long as the server lives."""
        self._background.append(self._tasks.create_task(work))

    def opened(self, connection: Connection) -> None:
        """A connection was admitted."""
        self.connections.add(connection)
        self._idle.clear()

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection not in self.connections:
            return  # it was refused
        self.connections.discard(connection)
        self._forget_client(connection.client)
        if not self.connections:
            self._idle.set()

    def welcome(self) -> bytes:
        """The answer to a greeting."""
        return encode_welcome(
            Welcome(
                server=f"fleetccd {__version__}",
                forms=(Form.EXPANDED, Form.DIRECTIVES),
                protocols=(1, 2, 3),
                slots=self.gate.slot_count,
                capacity=self.gate.capacity,
                running=self.gate.running,
                waiting=self.gate.waiting,
                compilers=self.fleet.compilers,
                no_files=self.fleet.files.obstacle,
            )
        )

    def environment(self, folder: bytes) -> dict[bytes, bytes]:
        """A compiler's environment: nothing of the daemon's and nothing of the client's but this.

        The C locale because its messages are plain ASCII, which is right on every client's terminal.
        """
        return {
            b"PATH": self.options.compilers.path,
            b"LC_ALL": b"C",
            b"HOME": folder,
            b"TMPDIR": folder,
            b"_DISTCC_SAFEGUARD": b"1",
        }

    # -- for the process around it

    async def serve(self, work: Callable[["Service"], Awaitable[None]]) -> None:
        """Do this work; afterwards end what still runs, and give everything back."""
        try:
            async with self._tasks:
                try:
                    await work(self)
                finally:
                    self.kill()
                    for task in self._background:
                        task.cancel()
        finally:
            self.close()

    def drop_waiting(self) -> None:
        """No new jobs: close every connection whose job has not begun, and tell fleet clients."""
        self.is_draining = True
        self.watch.host_changed()
        self.fleet.drain("the server was told to stop")
        for connection in [found for found in self.connections if found.is_waiting()]:
            connection.abort()

    def kill(self) -> None:
        """End every compiler and close every connection."""
        for compiler in list(self.compilers):
            compiler.kill()
        for connection in list(self.connections):
            connection.abort()

    async def idle(self) -> None:
        """Wait until no connection is left."""
        await self._idle.wait()

    def close(self) -> None:
        """Give everything back; the event loop still runs."""
        self.watch.close()
        self.gate.close()
        self.hangups.close()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.fleet.close()
        self.workspace.close()

    async def _supervise(self, job: Work) -> None:
        try:
            await job.run()
        except Exception:  # noqa: BLE001 - one of the four places: a job's fault must not end the server
            _log.exception("result=internal-error")
            job.broken()

    def _counted(self, client: str) -> str | None:
        mine = self._per_client.get(client, 0)
        waiting = len(self.connections) - self.gate.running
        limit = self.options.max_waiting
        if waiting >= limit or mine - self.gate.running >= max(1, int(limit * CLIENT_SHARE)):
            self.stats.refuse("overloaded")
            _log.warning("client=%s result=overloaded waiting=%d of the client=%d", client, waiting, mine)
            return None
        self.stats.accepted += 1
        self._per_client[client] = mine + 1
        return client

    def _forget_client(self, client: str) -> None:
        left = self._per_client.get(client, 0) - 1
        if left > 0:
            self._per_client[client] = left
        else:
            self._per_client.pop(client, None)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - one of the four places: a session's fault must not end the server
        _log.exception("result=internal-error")


def unix_client(sock: socket.socket) -> str:
    """Who is on the other end of a Unix socket."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return f"uid:{struct.unpack('3i', credentials)[1]}"


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS // 4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
