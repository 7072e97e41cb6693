"""`fleetcc web`: the agent's picture in a browser, on loopback and for this user alone."""

import asyncio
import contextlib
import os
import signal
import threading
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Final

import click

from fleetcc.agent.client import connect_events
from fleetcc.errors import ExitCode, FleetccError, UsageError
from fleetcc.monitor.web.owner import is_own_connection
from fleetcc.settings import load_settings

if TYPE_CHECKING:
    from aiohttp import web

_ADDRESS: Final = "127.0.0.1"
_AGAIN_SECONDS: Final = 0.5  # an agent starts with the next compile; then the page shall show it soon
_CHUNK: Final = 1 << 16


@click.command(name="web")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Listen there; 0: any free port.")
@click.option("--no-browser", is_flag=True, help="Only print the address; open no browser.")
def command(*, port: int, no_browser: bool) -> None:
    """Show hosts, jobs and a timeline in a browser until interrupted.

    Listens on 127.0.0.1 and answers no user of this machine but you and root. It changes nothing, and waits
    for an agent when none runs.
    """
    settings = load_settings(os.environb)
    has_display = bool(os.environb.get(b"DISPLAY") or os.environb.get(b"WAYLAND_DISPLAY"))
    asyncio.run(_serve(settings.agent_dir, port, opens=has_display and not no_browser))


class AgentSource:
    """Each viewer has its own connection to the agent, so a slow one loses its own events only."""

    def __init__(self, agent_dir: str) -> None:
        self._agent_dir = agent_dir

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """See monitor.web.source.Source: over every restart of the agent, for ever."""
        while True:
            async with contextlib.aclosing(self._of_one_agent()) as batches:
                async for batch in batches:
                    yield batch
            yield b""
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _of_one_agent(self) -> AsyncGenerator[bytes, None]:
        """Batches until this agent leaves; none when no agent runs."""
        try:
            connection = await asyncio.to_thread(connect_events, self._agent_dir)
        except FleetccError:  # it left while we asked
            return
        if connection is None:
            return
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            rest = b""
            while chunk := await reader.read(_CHUNK):
                whole, end, rest = (rest + chunk).rpartition(b"\n")
                if end:
                    yield whole + end
        except OSError:
            return
        finally:
            writer.close()


async def _serve(agent_dir: str, port: int, *, opens: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = await _runner(agent_dir)
    try:
        url = await _listen(runner, port)
        click.echo(url)
        if opens:
            # It may last as long as the browser, and nobody waits for it.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        await stop.wait()
    finally:
        await runner.cleanup()


async def _runner(agent_dir: str) -> "web.AppRunner":
    try:
        from fleetcc.monitor.web.server import make_app, make_runner  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError("fleetcc web needs aiohttp: pip install 'fleetcc[web]'") from error
    app = make_app(AgentSource(agent_dir))
    app.middlewares.insert(0, _own_user_only())
    runner = make_runner(app)
    await runner.setup()
    return runner


async def _listen(runner: "web.AppRunner", port: int) -> str:
    """The address of the page."""
    from aiohttp import web  # noqa: PLC0415 - an extra

    site = web.TCPSite(runner, _ADDRESS, port)
    try:
        await site.start()
    except OSError as error:
        # asyncio's own words name the address once more.
        why = os.strerror(error.errno) if error.errno else error
        raise _BindError(
            f"cannot listen on {_ADDRESS}:{port}: {why}; --port 0 takes any free port"
        ) from error
    return f"http://{_ADDRESS}:{runner.addresses[0][1]}/"


class _BindError(FleetccError):
    exit_code = ExitCode.BIND_FAILED


def _own_user_only() -> Callable[..., Awaitable["web.StreamResponse"]]:
    """A layer before all others: loopback is everybody's on this machine, the agent's jobs are not."""
    from aiohttp import web  # noqa: PLC0415 - an extra

    @web.middleware
    async def own_user_only(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        transport = request.transport
        if transport is None or not is_own_connection(
            transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        ):
            raise web.HTTPForbidden(text="this page is for the user who runs `fleetcc web`\n")
        return await handler(request)

    return own_user_only
