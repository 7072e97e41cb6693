"""The life of a daemon: listens, serves until told to stop, lets running jobs end, goes."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import UsageError
from fleetcc.server import logs, stats_text
from fleetcc.server.announce import announced
from fleetcc.server.connection import Connection
from fleetcc.server.job import in_thread
from fleetcc.server.listening import BACKLOG
from fleetcc.server.notify import Notifier
from fleetcc.server.offer import offer_of
from fleetcc.server.options import ServerOptions
from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets that a daemon listens on, by whom they are for."""

    jobs: Sequence[socket.socket]
    http: Sequence[socket.socket] = ()
    http_names: Sequence[str] = ()  # that browsers may call this machine by
    stats: Sequence[socket.socket] = ()


class Daemon:
    """One daemon process."""

    def __init__(
        self,
        options: ServerOptions,
        listeners: Listeners,
        notifier: Notifier,
        ready: Callable[[], None],
    ) -> None:
        self._options = options
        self._listeners = listeners
        self._notifier = notifier
        self._ready = ready
        self._stop = asyncio.Event()
        self._service: Service | None = None

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the end of --lifetime."""
        self._service = Service(self._options)
        await self._service.serve(self._work)
        stats = self._service.stats
        _log.info(
            "stopped accepted=%d refused=%d overloaded=%d rejected=%d jobs=%s",
            stats.accepted,
            stats.refusals["not-allowed"],
            stats.refusals["overloaded"],
            stats.rejected,
            " ".join(f"{outcome}:{count}" for outcome, count in sorted(stats.by_outcome().items())) or "none",
        )

    async def _work(self, service: Service) -> None:
        # Those that look may do so while the last jobs end.
        async with contextlib.AsyncExitStack() as to_the_end:
            await self._open_windows(service, to_the_end)
            servers = [await self._listen(service, sock) for sock in self._listeners.jobs]
            self._handle_signals()
            service.fleet.identify()
            self._say_ready()
            async with contextlib.AsyncExitStack() as while_serving:
                await self._announce(service, while_serving)
                await self._stop.wait()
            await self._drain(service, servers)

    async def _open_windows(self, service: Service, to_the_end: contextlib.AsyncExitStack) -> None:
        listeners = self._listeners
        if listeners.http:
            from fleetcc.server import http  # noqa: PLC0415 - needs extras, and takes 200 ms

            serving = http.served(service, listeners.http, listeners.http_names)
            await to_the_end.enter_async_context(serving)
        if listeners.stats:
            await to_the_end.enter_async_context(stats_text.served(service, listeners.stats))

    async def _announce(self, service: Service, while_serving: contextlib.AsyncExitStack) -> None:
        if not self._options.is_announced:
            return
        options = self._options
        arguments = (self._listeners.jobs, options.slots, options.compilers)
        offer = await in_thread(service.pool, offer_of, *arguments)
        if offer is not None:
            try:
                await while_serving.enter_async_context(announced(offer, _log.info))
            except UsageError as error:
                _log.warning("%s", error)

    async def _listen(self, service: Service, sock: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if sock.family == socket.AF_UNIX:
            return await loop.create_unix_server(lambda: Connection(service), sock=sock, backlog=BACKLOG)
        return await loop.create_server(lambda: Connection(service), sock=sock, backlog=BACKLOG)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reopen_logs)
        if self._options.lifetime_seconds:
            loop.call_later(self._options.lifetime_seconds, self._asked_to_stop, "--lifetime")

    def _say_ready(self) -> None:
        listeners = self._listeners
        places = " ".join(map(_place, listeners.jobs))
        options = self._options
        allowed = " ".join(str(network) for network in options.access.networks)
        _log.info(
            "listening on %s slots=%d load_limit=%g memory_reserve=%dM allow=%s",
            places,
            options.slots,
            options.load_limit,
            options.memory_reserve_bytes >> 20,
            allowed,
        )
        for what, sockets in (("http", listeners.http), ("stats", listeners.stats)):
            if sockets:
                _log.info("%s on %s", what, " ".join(map(_place, sockets)))
        self._notifier.say("READY=1", f"STATUS=listening on {places}, {options.slots} slots")
        self._ready()

    def _asked_to_stop(self, why: str) -> None:
        assert self._service is not None
        if self._stop.is_set():
            _log.info("%s again: ending running jobs", why)
            self._service.kill()
            return
        _log.info("%s: leaving when %d running jobs have ended", why, self._service.gate.running)
        self._notifier.say("STOPPING=1")
        self._stop.set()

    def _reopen_logs(self) -> None:
        self._notifier.say("RELOADING=1")
        logs.reopen()
        self._notifier.say("READY=1")

    async def _drain(self, service: Service, servers: Sequence[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        service.drop_waiting()
        try:
            async with asyncio.timeout(self._options.drain_timeout_seconds):
                await service.idle()
        except TimeoutError:
            _log.warning("jobs still ran after %g s: ending them", self._options.drain_timeout_seconds)


def _place(sock: socket.socket) -> str:
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return str(name)
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
