"""Server-Sent Events: each message is a batch of the stream's lines, one `data:` each.

The writer waits for the browser, and while it waits it asks its source for nothing: whoever is slow loses
events in its own bounded buffer, and is told so by a Lost line.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from aiohttp import web

from fleetcc.monitor.web.source import Source

CONTENT_TYPE: Final = "text/event-stream"
BEAT: Final = b"event: beat\ndata:\n\n"  # says that the line is alive; the page looks for it
AWAY: Final = b"event: away\ndata:\n\n"
BEAT_SECONDS: Final = 15.0
_STUCK_SECONDS: Final = 60.0  # a browser that takes nothing for so long is gone


def message(batch: bytes) -> bytes:
    """Whole lines as one message; an empty batch says that the source is away."""
    if not batch:
        return AWAY
    return b"data: " + batch.rstrip(b"\n").replace(b"\n", b"\ndata: ") + b"\n\n"


async def send_events(request: web.Request, source: Source) -> web.StreamResponse:
    """Answer with events until either end leaves."""
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    lines = source.lines()
    try:
        await _relay(lines, response)
    except* (ConnectionError, TimeoutError):
        request.protocol.force_close()  # the browser has vanished, or is stuck
    finally:
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()
    return response


async def _relay(lines: AsyncIterator[bytes], response: web.StreamResponse) -> None:
    async with asyncio.TaskGroup() as tasks:
        lock = asyncio.Lock()
        beating = tasks.create_task(_beat(response, lock))
        async for batch in lines:
            await _write(response, lock, message(batch))
        beating.cancel()


async def _beat(response: web.StreamResponse, lock: asyncio.Lock) -> None:
    while True:
        await _write(response, lock, BEAT)
        await asyncio.sleep(BEAT_SECONDS)


async def _write(response: web.StreamResponse, lock: asyncio.Lock, data: bytes) -> None:
    async with asyncio.timeout(_STUCK_SECONDS), lock:
        await response.write(data)
