"""The agent of a build: started when none runs, watched while the build lasts."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

import msgspec

from fleetcc.agent.client import ask_agent, connect_events
from fleetcc.errors import FleetccError
from fleetcc.monitor.events import Event, Lost, decode

_AGAIN_SECONDS: Final = 0.5
# The longest line: a Hello tells of every host and every running job.
_MOST_BYTES: Final = 64 << 20


def start_agent(agent_dir: str, environment: Mapping[str, str]) -> None:
    """Start one unless one runs, and wait until it listens; raises FleetccError.

    By a process of its own, so that the agent, which outlives us, is nobody's child.
    """
    if ask_agent(agent_dir, "status") is not None:
        return
    done = subprocess.run(
        [sys.executable, "-m", "fleetcc", "agent", "start"], env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode:
        raise FleetccError(done.stderr.decode(errors="replace").strip().removeprefix("fleetcc: "))


async def follow(agent_dir: str) -> AsyncGenerator[Event | None, None]:
    """The agent's events, for ever; None when the agent has left. Another agent is found when it comes."""
    while True:
        with contextlib.suppress(FleetccError, OSError, ValueError):
            connection = await asyncio.to_thread(connect_events, agent_dir)
            if connection is not None:
                reader, writer = await asyncio.open_connection(sock=connection, limit=_MOST_BYTES)
                try:
                    async for event in _events(reader):
                        yield event
                finally:
                    writer.close()
                yield None
        await asyncio.sleep(_AGAIN_SECONDS)


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[Event]:
    """Until the agent leaves, or something is missing: the Hello of a new connection puts that right."""
    while line := await reader.readline():
        try:
            event = decode(line)
        except msgspec.DecodeError:  # of a newer agent
            continue
        yield event
        if isinstance(event, Lost):
            return
