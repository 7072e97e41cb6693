"""Who is asked whether it is there, and who is given up."""

import asyncio

import pytest

from fleetcc.server.outbox import Outbox
from fleetcc.server.stats import Stats
from fleetcc.server.vigil import Ends, Vigil
from fleetcc.wire.fleet import Hello, encode
from fleetcc.wire.fleet_server import FleetServer
from tests.unit.server.test_outbox import Transport


class Watched:
    """A vigil over a client that does what the test says."""

    def __init__(self, ping_seconds: float, io_seconds: float, *, is_open: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.ends: list[str] = []
        self.protocol = FleetServer(1000, self.loop.time())
        if is_open:
            self.protocol.receive(encode(0, Hello("a", "b")), self.loop.time())
        self.transport = Transport(high=1 << 20)
        outbox = Outbox(self.transport, Stats())
        ends = Ends(
            lambda why: self.ends.append(f"gone: {why}"), lambda why: self.ends.append(f"late: {why}")
        )
        self.vigil = Vigil(ping_seconds, io_seconds, self.protocol, outbox, ends)

    async def end(self) -> str:
        """How it ended."""
        async with asyncio.timeout(10):
            while not self.ends:  # noqa: ASYNC110 - a timer of the loop
                await asyncio.sleep(0)
        return self.ends[0]


async def test_a_silent_client_is_asked_once_and_then_given_up():
    watched = Watched(0.2, 30.0, is_open=True)
    began = watched.loop.time()
    assert (await watched.end()).startswith("gone: nothing came")
    assert watched.loop.time() - began >= 0.2
    assert bytes(watched.transport.held) == FleetServer(1000, 0.0).ping()


async def test_a_client_that_is_heard_is_kept():
    watched = Watched(0.1, 30.0, is_open=True)
    until = watched.loop.time() + 0.4
    while watched.loop.time() < until:
        watched.vigil.heard(watched.loop.time())
        await asyncio.sleep(0.01)
    assert watched.ends == []
    watched.vigil.close()


async def test_a_client_that_does_not_say_hello_is_late_and_is_not_asked():
    watched = Watched(0.05, 0.1, is_open=False)
    assert (await watched.end()).startswith("late: no Hello")
    assert not watched.transport.held


async def test_a_client_that_takes_nothing_is_given_up():
    watched = Watched(30.0, 0.1, is_open=True)
    watched.transport.held += b"x"
    assert (await watched.end()).startswith("gone: took none")


@pytest.mark.parametrize("io_seconds", [0.1])
async def test_a_grant_that_is_not_used_is_late(io_seconds):
    watched = Watched(30.0, io_seconds, is_open=True)
    watched.protocol.grant(1, watched.loop.time())
    assert (await watched.end()).startswith("late: a grant")
