"""The application behind the page: `/` and `/static/NAME`, `/events`, `/reasons.json`, `/snapshot.json`.

It shows and never changes anything. Who runs it says where it listens and whom it admits.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

import msgspec
from aiohttp import web

from fleetcc.model import Reason
from fleetcc.monitor.web.assets import PAGE, Asset, load_assets
from fleetcc.monitor.web.guard import Guard, is_loopback, put_headers
from fleetcc.monitor.web.snapshot import take_snapshot
from fleetcc.monitor.web.source import BusSource, Source
from fleetcc.monitor.web.stream import send_events

__all__ = ["BusSource", "Source", "make_app", "make_runner"]

MOST_STREAMS: Final = 64  # browsers that watch at the same time
_SNAPSHOT_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 20.0
# Whoever watches is told at once that it ends; nobody else has much to be waited for.
_SHUTDOWN_SECONDS: Final = 1.0


def make_app(
    source: Source, *, admits: Callable[[str], bool] = is_loopback, names: Collection[str] = ()
) -> web.Application:
    """The page of this source, for peers whose address is admitted.

    `names` are the host names that a browser may call this machine by, beside localhost and the address of
    the connection itself. Streams end when the application shuts down.
    """
    app = web.Application(middlewares=[Guard(admits, names).middleware])
    app.on_response_prepare.append(put_headers)
    pages = _Pages(source, load_assets())
    app.on_shutdown.append(pages.shut_down)
    app.router.add_get("/", pages.page)
    app.router.add_get("/static/{name}", pages.static)
    app.router.add_get("/events", pages.events)
    app.router.add_get("/reasons.json", pages.reasons)
    app.router.add_get("/snapshot.json", pages.snapshot)
    return app


def make_runner(app: web.Application, *, idle_seconds: float = _IDLE_SECONDS) -> web.AppRunner:
    """To be set up. A connection that asks for nothing for so long, or never says all of it, is closed."""
    return web.AppRunner(
        app, access_log=None, keepalive_timeout=idle_seconds, shutdown_timeout=_SHUTDOWN_SECONDS
    )


class _Pages:
    """The handlers, and the streams that are open."""

    def __init__(self, source: Source, assets: dict[str, Asset]) -> None:
        self._source = source
        self._assets = assets
        self._streams: set[asyncio.Task[None]] = set()

    async def page(self, request: web.Request) -> web.Response:
        return _file(request, self._assets[PAGE])

    async def static(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="there is no such file\n")
        return _file(request, asset)

    async def events(self, request: web.Request) -> web.StreamResponse:
        if len(self._streams) >= MOST_STREAMS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_STREAMS} browsers watch already\n")
        task = request.task
        self._streams.add(task)
        try:
            return await send_events(request, self._source)
        finally:
            self._streams.discard(task)

    async def reasons(self, _request: web.Request) -> web.Response:
        return _json({reason.slug: reason.text for reason in Reason})

    async def snapshot(self, _request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_SNAPSHOT_SECONDS):
                found = await take_snapshot(self._source)
        except TimeoutError:
            found = None
        if found is None:
            raise web.HTTPServiceUnavailable(text="the source of this page is away\n")
        return _json(found)

    async def shut_down(self, _app: web.Application) -> None:
        for task in self._streams:
            task.cancel()


def _file(request: web.Request, asset: Asset) -> web.Response:
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.content, headers={**headers, "Content-Type": asset.content_type})


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
