"""What a host says when it is asked what it is; real sockets on loopback."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from fleetcc.backends.greeting import greet
from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.model import Form
from fleetcc.wire.greeting import GREETING, MAX_WELCOME_BYTES, Welcome, encode_unknown_version, encode_welcome

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

WELCOME = Welcome("fleetccd 0.1.0", (Form.EXPANDED, Form.DIRECTIVES), (1, 2), 2, 2, 0, 0)


async def ask(serve: Serve, seconds: float = 5.0) -> Welcome | None:
    """Greet a host of this behaviour."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(len(GREETING)) == GREETING
            await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        (host,) = parse_host_list(f"127.0.0.1:{port}", "test").hosts
        return await greet(Opener(), host, HostTimeouts(seconds, seconds, ("ssh",)))


def say(*pieces: bytes) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return serve


async def test_a_fleetccd_says_what_it_is() -> None:
    assert await ask(say(encode_welcome(WELCOME))) == WELCOME


async def test_the_answer_may_come_in_pieces() -> None:
    data = encode_welcome(WELCOME)

    assert await ask(say(data[:20], data[20:40], data[40:])) == WELCOME


async def test_the_answer_ends_with_its_empty_line_and_not_with_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_welcome(WELCOME))
        await reader.read()  # until the client leaves

    assert await ask(serve) == WELCOME


async def test_a_server_that_closes_without_a_word_is_a_stock_one() -> None:
    assert await ask(say()) is None


async def test_a_server_that_is_too_busy_to_answer_counts_as_a_stock_one() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    assert await ask(serve, seconds=0.05) is None


@pytest.mark.parametrize(
    "data",
    [
        b"220 mail.example.com ESMTP\r\n\r\n",
        encode_welcome(WELCOME)[:-2],
        encode_unknown_version(b"FLEETCC/9\r\n"),
        b"x" * (2 * MAX_WELCOME_BYTES),
    ],
    ids=["mail", "cut", "an older server", "endless"],
)
async def test_something_else_is_no_compile_server(data: bytes) -> None:
    with pytest.raises(HostError, match=r"127\.0\.0\.1:\d+ is not a compile server"):
        await ask(say(data))
