"""How a host is found out to be a fleet host, a stock one, or this machine; listeners on loopback."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleetcc.agent.links import Links
from fleetcc.agent.local_link import LocalLink
from fleetcc.agent.local_slots import LocalSlots
from fleetcc.backends.distcc import StockLink
from fleetcc.backends.fleet import FleetLink
from fleetcc.backends.link import HostTimeouts, OurSide
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.model import Form
from fleetcc.scheduling.fleet import HostType
from fleetcc.wire.fleet import OPENING, Error, Hello, Welcome, encode
from tests.support.link_events import LinkEvents

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bench:
    """Links, and hosts that behave as the test says."""

    def __init__(self, tasks, executor):
        self.events = LinkEvents()
        self.made = []
        self.visits = 0
        ours = OurSide(Hello("a", "p"), executor, lambda _: None)
        self.links = Links(ours, self.events, tasks, LocalSlots())
        self._servers = []

    async def listen(self, serve: Serve) -> str:
        """A host of this behaviour; its entry."""

        async def handle(reader, writer):
            self.visits += 1
            try:
                assert await reader.readexactly(len(OPENING)) == OPENING
                await serve(reader, writer)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def open(self, entry: str, connect_seconds: float = 5.0):
        """The link that comes of this entry."""
        (spec,) = parse_host_list(entry, "test").hosts
        timeouts = HostTimeouts(connect_seconds, 20.0, ("ssh",))
        await self.links.open("host", spec, timeouts, 2, self.made.append)
        return self.made[-1]

    async def close(self):
        for link in self.made:
            link.close()
        for server in self._servers:
            server.close()
            await server.wait_closed()


@pytest.fixture
async def bench():
    with ThreadPoolExecutor(1) as executor:
        async with asyncio.TaskGroup() as tasks:
            made = Bench(tasks, executor)
            yield made
            await made.close()


def say(data: bytes) -> Serve:
    """Say this and wait until the client leaves."""

    async def serve(reader, writer):
        writer.write(data)
        await reader.read()

    return serve


async def close_at_once(_reader, _writer):
    """As a stock distccd does with what it does not know."""


async def test_a_host_that_welcomes_us_is_a_fleet_host_and_is_told_once(bench):
    entry = await bench.listen(say(encode(0, Welcome("fleetccd 9", "i-1", 8))))

    link = await bench.open(entry)

    assert isinstance(link, FleetLink)
    ((host, facts, server, instance),) = bench.events.of("up")
    assert (host, facts.type, facts.slots, server, instance) == (
        "host", HostType.FLEET, 8, "fleetccd 9", "i-1",
    )  # fmt: skip


async def test_a_host_that_closes_is_a_stock_host_and_is_not_asked_again_soon(bench):
    entry = await bench.listen(close_at_once)

    link = await bench.open(f"{entry}/7")
    again = await bench.open(f"{entry}/7")

    assert isinstance(link, StockLink)
    assert isinstance(again, StockLink)
    assert bench.visits == 1
    ((_, facts, server, instance), _) = bench.events.of("up")
    assert (facts.type, facts.slots, facts.forms) == (HostType.STOCK, 7, {Form.EXPANDED})
    assert (server, instance) == ("distccd", "")
    assert bench.events.of("down") == []


async def test_a_stock_host_that_failed_is_asked_again(bench):
    entry = await bench.listen(close_at_once)
    await bench.open(entry)
    assert bench.links.is_known_stock("host")

    bench.links.ask_again("host")
    await bench.open(entry)

    assert bench.visits == 2


async def test_a_host_that_is_silent_is_a_stock_host_whose_workers_are_busy(bench):
    entry = await bench.listen(say(b""))

    link = await bench.open(entry, connect_seconds=0.05)

    assert isinstance(link, StockLink)
    assert bench.links.is_known_stock("host")
    assert bench.events.names == ["up"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"220 mail.example.com ESMTP\r\n", "is not a compile server"),
        (encode(0, Error("too-many", "32 connections", "one is enough")), "32 connections; one is enough"),
    ],
    ids=["mail", "refused"],
)
async def test_a_host_that_says_something_else_has_failed_and_is_no_stock_host(bench, data, sentence):
    entry = await bench.listen(say(data))

    with pytest.raises(HostError, match=sentence):
        await bench.open(entry)

    assert not bench.links.is_known_stock("host")
    assert bench.events.told == []


async def test_a_host_that_closes_in_the_middle_of_its_welcome_has_failed(bench):
    async def serve(_reader, writer):
        writer.write(encode(0, Welcome("fleetccd 9", "i-1", 8))[:-1])

    entry = await bench.listen(serve)

    with pytest.raises(HostError, match="closed the connection"):
        await bench.open(entry)


async def test_nobody_there_is_a_failure(bench):
    with pytest.raises(HostError, match="cannot connect"):
        await bench.open("127.0.0.1:1")

    assert bench.events.told == []


async def test_an_entry_for_this_machine_needs_no_connection(bench):
    link = await bench.open("localhost/3")

    assert isinstance(link, LocalLink)
    ((_, facts, server, _),) = bench.events.of("up")
    assert (facts.type, facts.slots, server) == (HostType.LOCAL, 3, "this machine")


async def test_the_link_is_there_before_it_tells_anything(bench):
    entry = await bench.listen(say(encode(0, Welcome("fleetccd 9", "i-1", 8))))

    class Watching(LinkEvents):
        def up(self, host, facts, server, instance):
            self.note("made", len(bench.made))

    bench.links.events = Watching()
    await bench.open(entry)

    assert bench.links.events.told == [("made", 1)]
