"""Measures what the way to each host carries, when all have been visited.

One host after the other: together they would measure the share of each in this machine's own line.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener
from fleetcc.errors import HostError, ProtocolError
from fleetcc.monitor.doctor.session import Session, Stream
from fleetcc.monitor.doctor.visit import Visit

# All hosts together; those that are not reached by then are not measured.
MEASURE_SECONDS: Final = 2.0
# One of them: so long, and some round trips more, in which TCP comes up to speed.
_HOST_SECONDS: Final = 1.0
_HOST_ROUND_TRIPS: Final = 4


async def measure(visits: Iterable[Visit], timeouts: HostTimeouts) -> tuple[Visit, ...]:
    """The same visits, with what each host's line carries; takes at most MEASURE_SECONDS, never raises."""
    deadline = time.monotonic() + MEASURE_SECONDS
    return tuple([await _measured(one, timeouts, deadline) for one in visits])


async def _measured(found: Visit, timeouts: HostTimeouts, deadline: float) -> Visit:
    left = deadline - time.monotonic()
    if not found.round_trips or found.trouble or found.complaint or found.drains or left <= 0:
        return found
    try:
        async with asyncio.timeout(left):
            return replace(found, upload=await _upload(found, timeouts, deadline))
    except (TimeoutError, HostError, ProtocolError):
        return found  # the visit has said what there is to say


async def _upload(found: Visit, timeouts: HostTimeouts, deadline: float) -> float:
    round_trip = min(found.round_trips)

    async def talk(transport: asyncio.Transport, stream: Stream) -> float:
        session = Session(transport, stream)
        try:
            await session.hello()
            left = deadline - time.monotonic() - round_trip
            if not session.is_good or left <= 0:
                return 0.0
            return await session.upload(round_trip, min(left, _HOST_SECONDS + _HOST_ROUND_TRIPS * round_trip))
        finally:
            transport.abort()

    return await Opener().converse(found.member.host, timeouts, Stream, talk)
