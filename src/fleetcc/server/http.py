"""`--http`: the server in a browser, its events, its numbers for Prometheus, and whether it takes jobs.

Nothing can be changed here, and only those that may send jobs (`--allow`) may look. The names by which a
browser may call this machine are few (see `monitor.web.guard`); `/metrics` and `/healthz` answer to any,
because they tell nothing that a page of another site could read.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from fleetcc.monitor.web.server import BusSource, make_app, make_runner
from fleetcc.server.access import AccessList, peer_address
from fleetcc.server.metrics import make_registry

if TYPE_CHECKING:
    from fleetcc.server.service import Service

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_METHODS: Final = ("GET", "HEAD")


class _Numbers:
    """What is for programs; before everything else, so that no rule for browsers concerns it."""

    def __init__(self, service: "Service", admits: Callable[[str], bool]) -> None:
        self._service = service
        self._admits = admits
        self._registry = make_registry(service)
        self._answers = {"/metrics": self._metrics, "/healthz": self._health}

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """The application's outermost layer."""
        answer = self._answers.get(request.path)
        if answer is None:
            return await handler(request)
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        if not peer or not self._admits(peer[0]):
            raise web.HTTPForbidden(text="this address is not in --allow\n")
        if request.method not in _METHODS:
            raise web.HTTPMethodNotAllowed(request.method, _METHODS, text="nothing can be changed here\n")
        return answer(request)

    def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    def _health(self, _request: web.Request) -> web.Response:
        if self._service.is_draining:
            return web.Response(status=503, text="draining\n")
        return web.Response(text="ok\n")


@contextlib.asynccontextmanager
async def served(
    service: "Service", sockets: Sequence[socket.socket], names: Sequence[str]
) -> AsyncIterator[None]:
    """Serve on these sockets, which listen, as long as this lasts.

    `names`: what a browser may call this machine, beside its addresses.
    """
    runner = make_runner(_app(service, names))
    await runner.setup()
    try:
        for sock in sockets:
            await web.SockSite(runner, sock).start()
        yield
    finally:
        await runner.cleanup()


def _app(service: "Service", names: Sequence[str]) -> web.Application:
    admits = _admitting(service.options.access)
    own_names = (socket.gethostname(), *names)
    app = make_app(BusSource(service.watch.view), admits=admits, names=own_names)
    app.middlewares.insert(0, _Numbers(service, admits).middleware)
    return app


def _admitting(access: AccessList) -> Callable[[str], bool]:
    def admits(address: str) -> bool:
        try:
            return access.admits(peer_address(address))
        except ValueError:  # it has none: gone already
            return False

    return admits
