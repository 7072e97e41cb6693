"""Stock hosts, played by a listener on loopback that accepts and answers when the test says so."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest

from fleetcc.backends.distcc import StockLink
from fleetcc.backends.link import HostTimeouts, KilledError, Order
from fleetcc.backends.stock_conversation import OBSERVABLE_BYTES
from fleetcc.backends.stream import Opener
from fleetcc.errors import HostError, HostRefusedError
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.model import Form, Priority
from fleetcc.wire.distcc import RequestBody, RequestHead, RequestReader, encode_response, pack_body
from tests.support.link_events import LinkEvents

ARGV: Final = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
BIG: Final = bytes(8 * OBSERVABLE_BYTES)
# For what must not happen: long enough for some twenty looks at the socket.
NEVER_SECONDS: Final = 0.25


def order(body: bytes = b"int x;\n", protocol: int = 1) -> Order:
    encoding = "lzo" if protocol == 2 else "raw"
    return Order(ARGV, Form.EXPANDED, None, encoding, pack_body(protocol, body), len(body))


class Accepted:
    """One connection that the host has accepted."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    async def request(self) -> tuple[RequestHead, bytes]:
        """The whole request."""
        reader, events = RequestReader(), list[Any]()
        while not any(isinstance(event, RequestBody) for event in events):
            data = await self._loop.sock_recv(self._connection, 1 << 16)
            assert data, "the client left"
            events += reader.receive(data)
        return events[0], events[1].raw

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        await self._loop.sock_sendall(self._connection, data)

    async def answer(
        self, status: int = 0, output: bytes = b"object", stderr: bytes = b"", protocol: int = 1
    ) -> None:
        """A whole response."""
        packed = [pack_body(protocol, data) for data in (stderr, b"", output)]
        await self.send(b"".join(encode_response(protocol, status, *packed)))

    async def until_left(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionResetError):
            while await self._loop.sock_recv(self._connection, 1 << 16):
                pass

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        self._connection.close()


class StockHost:
    """Listens; accepts nobody by itself."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.accepted: list[Accepted] = []
        self.port = self._listener.getsockname()[1]

    async def accept(self) -> Accepted:
        """The oldest connection that waits, or the next one."""
        connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        connection.setblocking(False)
        self.accepted.append(Accepted(connection))
        return self.accepted[-1]

    def close(self) -> None:
        self._listener.close()
        for accepted in self.accepted:
            accepted.close()


class Bench:
    """One link with everything around it."""

    def __init__(self, tasks: asyncio.TaskGroup, io_seconds: float = 20.0, options: str = "/3") -> None:
        self.host = StockHost()
        self.events = LinkEvents()
        (spec,) = parse_host_list(f"127.0.0.1:{self.host.port}{options}", "test").hosts
        timeouts = HostTimeouts(5.0, io_seconds, ("ssh",))
        self.link = StockLink("red", spec, Opener(), timeouts, self.events, tasks)

    async def grant(self, count: int = 1) -> None:
        """Demand, and wait until so many grants have been told in all."""
        self.link.demand(10, Priority.NORMAL)
        await self.events.next("granted", count)

    async def run(self, number: int, body: bytes = b"int x;\n") -> Accepted:
        """A job on its way to an accepted connection whose request is there."""
        self.link.send(number, order(body))
        accepted = await self.host.accept()
        await accepted.request()
        return accepted

    def close(self) -> None:
        self.link.close()
        self.host.close()


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


@pytest.fixture
async def bench(tasks: asyncio.TaskGroup) -> AsyncIterator[Bench]:
    made = Bench(tasks)
    yield made
    made.close()


async def never(bench: Bench, condition: Callable[[], object]) -> None:
    """This does not become so, as far as one can wait for that."""
    with pytest.raises(TimeoutError):
        await bench.events.until(condition, NEVER_SECONDS)


# -- grants in the host's name


async def test_a_demand_is_granted_at_once_but_not_from_within_the_call(bench: Bench) -> None:
    bench.link.demand(2, Priority.NORMAL)

    assert bench.events.told == []
    await bench.events.next("granted")
    assert bench.events.told == [("granted", "red", 1)]
    assert not bench.link.is_idle


async def test_only_one_grant_is_out_at_a_time(bench: Bench) -> None:
    await bench.grant()
    bench.link.demand(20, Priority.NORMAL)

    await never(bench, lambda: len(bench.events.of("granted")) > 1)


async def test_without_a_demand_there_is_no_grant(bench: Bench) -> None:
    bench.link.demand(0, Priority.NORMAL)

    await never(bench, lambda: bench.events.told)


async def test_a_demand_that_is_used_up_grants_no_more(bench: Bench) -> None:
    bench.link.demand(1, Priority.NORMAL)
    await bench.events.next("granted")
    accepted = await bench.run(1)
    await accepted.answer()
    await bench.events.next("finished")

    assert bench.events.names == ["granted", "started", "finished"]
    assert bench.link.is_idle


async def test_a_grant_that_is_given_back_is_granted_again_while_more_is_wanted(bench: Bench) -> None:
    bench.link.demand(2, Priority.NORMAL)
    await bench.events.next("granted")

    bench.link.decline(1)
    await bench.events.next("granted", 2)
    bench.link.decline(1)

    assert bench.link.is_idle


async def test_a_host_never_has_more_jobs_than_its_limit(bench: Bench) -> None:
    running = []
    for number in range(3):
        await bench.grant(number + 1)
        running.append(await bench.run(number))

    await never(bench, lambda: len(bench.events.of("granted")) > 3)
    await running[1].answer()
    await bench.events.next("granted", 4)

    assert bench.events.names[-2:] == ["finished", "granted"]


async def test_a_big_request_has_begun_when_the_host_takes_it_and_only_then_comes_the_next(
    bench: Bench,
) -> None:
    await bench.grant()
    bench.link.send(1, order(BIG))
    bench.link.demand(20, Priority.NORMAL)

    await never(bench, lambda: bench.events.of("started") or len(bench.events.of("granted")) > 1)
    bench.events.note("accepted")
    accepted = await bench.host.accept()
    await accepted.request()
    await bench.events.next("granted", 2)

    assert bench.events.names == ["granted", "accepted", "started", "granted"]


async def test_a_small_request_gives_no_sign_and_has_begun_when_it_is_sent(bench: Bench) -> None:
    await bench.grant()
    bench.link.send(1, order())

    await bench.events.next("granted", 2)

    assert bench.events.names == ["granted", "started", "granted"]


async def test_a_job_that_is_not_accepted_may_be_cancelled_and_makes_room(bench: Bench) -> None:
    await bench.grant()
    bench.link.send(1, order(BIG))

    bench.link.cancel(1)
    await bench.events.next("granted", 2)

    assert bench.events.names == ["granted", "granted"]


# -- answers


async def test_the_answer_of_a_compiler_is_told(bench: Bench) -> None:
    await bench.grant()
    accepted = await bench.run(7)
    await accepted.answer(output=b"\x7fELF", stderr=b"warning")

    (host, number, spoken) = await bench.events.next("finished")

    assert (host, number) == ("red", 7)
    assert (spoken.status, spoken.stderr, spoken.output) == (0, b"warning", b"\x7fELF")
    assert 0 <= spoken.seconds < 20


async def test_a_compilers_error_is_an_answer(bench: Bench) -> None:
    await bench.grant()
    accepted = await bench.run(7)
    await accepted.answer(status=0x100, stderr=b"no")

    (_, _, spoken) = await bench.events.next("finished")

    assert (spoken.status, spoken.stderr, spoken.output) == (0x100, b"no", b"")


async def test_packed_sources_and_big_packed_objects_travel(tasks: asyncio.TaskGroup) -> None:
    bench = Bench(tasks, options="/1,lzo")
    assert bench.link.encodings == ("lzo",)
    output = bytes(range(256)) * 4000
    await bench.grant()
    bench.link.send(1, order(b"int x;\n" * 1000, protocol=2))
    accepted = await bench.host.accept()
    head, raw = await accepted.request()
    await accepted.answer(output=output, protocol=2)

    (_, _, spoken) = await bench.events.next("finished")
    bench.close()

    assert (head.protocol, head.argv) == (2, ARGV)
    assert raw == pack_body(2, b"int x;\n" * 1000)
    assert spoken.output == output


async def test_a_host_without_lzo_gets_plain_sources(bench: Bench) -> None:
    assert bench.link.encodings == ("raw",)


Serve = Callable[[Accepted], Awaitable[None]]


def answer(**fields: Any) -> Serve:
    async def serve(accepted: Accepted) -> None:
        await accepted.request()
        await accepted.answer(**fields)

    return serve


def send(data: bytes) -> Serve:
    async def serve(accepted: Accepted) -> None:
        await accepted.request()
        await accepted.send(data)
        accepted.close()

    return serve


async def close_at_once(accepted: Accepted) -> None:
    accepted.close()


async def reset(accepted: Accepted) -> None:
    accepted.reset()


LIE = b"DONE00000001STAT00000000SERR00000000SOUT00000000DOTOffffffff"
FAILURES: list[tuple[str, Serve, type[HostError], str]] = [
    ("no word", send(b""), HostRefusedError, "closed without an answer: this address is not allowed"),
    ("unread", close_at_once, HostRefusedError, "closed without an answer"),
    ("reset", reset, HostRefusedError, "closed without an answer"),
    ("half", send(b"DONE00000001STAT"), HostError, "closed in the middle of its answer"),
    ("nonsense", send(b"HTTP/1.1 400 Bad Request\r\n"), HostError, "answered nonsense.*HTTP"),
    ("other protocol", send(b"DONE00000002"), HostError, "answered nonsense.*protocol 2"),
    ("too long", send(LIE), HostError, "answered nonsense.*limit"),
    ("killed", answer(status=9), KilledError, "signal 9"),
    ("no compiler", answer(status=110 << 8, stderr=b"gcc-99: not here\n"), HostRefusedError, "gcc-99: not"),
    ("silent 107", answer(status=107 << 8), HostRefusedError, "status 107"),
    ("no object", answer(output=b""), HostError, "an empty output"),
]


@pytest.mark.parametrize(
    ("serve", "kind", "sentence"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
async def test_a_failure_is_told_once_with_whose_fault_it_was(
    bench: Bench, serve: Serve, kind: type[HostError], sentence: str
) -> None:
    await bench.grant()
    bench.link.send(3, order())
    await serve(await bench.host.accept())

    (_, number, error) = await bench.events.next("failed")

    assert number == 3
    assert type(error) is kind
    await bench.events.next("granted", 2)
    assert len(bench.events.of("failed")) == 1
    with pytest.raises(kind, match=rf"127\.0\.0\.1:{bench.host.port}/3: .*{sentence}"):
        raise error


async def test_a_packed_answer_that_cannot_be_unpacked_is_nonsense(tasks: asyncio.TaskGroup) -> None:
    bench = Bench(tasks, options="/1,lzo")
    await bench.grant()
    bench.link.send(1, order(protocol=2))
    accepted = await bench.host.accept()
    await accepted.request()
    await accepted.send(b"".join(encode_response(2, 0, b"", b"", b"not lzo")))

    (_, _, error) = await bench.events.next("failed")
    bench.close()

    assert "answered nonsense" in str(error)


@pytest.mark.parametrize("body", [b"", BIG], ids=["small", "big"])
async def test_silence_ends_at_the_timeout(tasks: asyncio.TaskGroup, body: bytes) -> None:
    bench = Bench(tasks, io_seconds=0.1)
    await bench.grant()
    bench.link.send(1, order(body))

    (_, _, error) = await bench.events.next("failed")
    bench.close()

    assert "no progress for 0.1 s" in str(error)


async def test_nobody_there_says_which_address_and_why(tasks: asyncio.TaskGroup) -> None:
    bench = Bench(tasks)
    bench.host.close()
    await bench.grant()
    bench.link.send(1, order())

    (_, _, error) = await bench.events.next("failed")
    bench.close()

    assert "cannot connect to 127.0.0.1 port" in str(error)
    assert "Connection refused" in str(error)


# -- the ends


async def test_a_cancelled_job_closes_its_connection_and_nothing_more_is_told_of_it(bench: Bench) -> None:
    await bench.grant()
    accepted = await bench.run(1)
    await bench.events.next("started")

    bench.link.cancel(1)
    async with asyncio.timeout(5):
        await accepted.until_left()
    await bench.events.next("granted", 2)
    bench.link.cancel(1)

    assert bench.events.names == ["granted", "started", "granted"]


async def test_nothing_is_told_after_the_close(bench: Bench) -> None:
    await bench.grant()
    accepted = await bench.run(1)
    await bench.events.next("granted", 2)
    bench.link.decline(1)  # so that another grant is about to be told
    told = list(bench.events.told)

    bench.link.close()
    async with asyncio.timeout(5):
        await accepted.until_left()
    bench.link.demand(0, Priority.NORMAL)

    await never(bench, lambda: bench.events.told != told)
    assert bench.link.is_idle
