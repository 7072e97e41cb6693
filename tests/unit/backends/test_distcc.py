"""Conversations with a server that a test scripts; real sockets on loopback, no real compiler."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fleetcc.backends.distcc import DistccBackend, HostTimeouts
from fleetcc.backends.stream import ssh_command
from fleetcc.errors import HostError, HostRefusedError
from fleetcc.hosts.grammar import HostSpec, parse_host_list
from fleetcc.model import Form
from fleetcc.wire.distcc import RequestBody, RequestReader, encode_response
from fleetcc.wire.greeting import GREETING, Welcome, encode_welcome

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TIMEOUTS = HostTimeouts(connect_seconds=5, io_seconds=5, ssh=("ssh",))
WELCOME = Welcome("fleetccd 0.1.0", (Form.EXPANDED, Form.DIRECTIVES), (1, 2), 2, 2, 0, 0)


async def talk(serve: Serve, ask: Callable[[DistccBackend, HostSpec], Awaitable[object]]) -> Any:
    """Run one conversation with a server of this behaviour."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await ask(DistccBackend(), parse_host_list(f"127.0.0.1:{port}", "test").hosts[0])


async def read_request(reader: asyncio.StreamReader) -> None:
    codec = RequestReader()
    while not any(isinstance(event, RequestBody) for event in codec.receive(await reader.read(65536))):
        pass


def run(body: bytes = b"int x;\n", io_seconds: float = 5.0):
    timeouts = HostTimeouts(5, io_seconds, ("ssh",))
    return lambda backend, host: backend.run(host, 1, [b"gcc", b"-c", b"x.i", b"-o", b"x.o"], body, timeouts)


async def test_the_answer_of_a_compiler_comes_back():
    async def serve(reader, writer):
        await read_request(reader)
        writer.writelines(encode_response(1, 0, b"err", b"out", b"object"))

    response = await talk(serve, run())

    assert (response.status, response.stderr_raw, response.output_raw) == (0, b"err", b"object")


async def test_a_big_request_arrives_whole():
    async def serve(reader, writer):
        await read_request(reader)
        writer.writelines(encode_response(1, 0, b"", b"", b"object"))

    response = await talk(serve, run(b"x" * 5_000_000))

    assert response.output_raw == b"object"


async def test_a_server_that_closes_without_a_word_has_refused():
    async def serve(reader, writer):
        await read_request(reader)

    with pytest.raises(HostRefusedError, match="closed without an answer"):
        await talk(serve, run())


async def test_a_server_that_closes_in_the_middle_has_failed():
    async def serve(reader, writer):
        await read_request(reader)
        writer.write(b"DONE00000001STAT")

    with pytest.raises(HostError, match="in the middle"):
        await talk(serve, run())


async def test_nonsense_is_named():
    async def serve(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        await reader.read()

    with pytest.raises(HostError, match=r"127\.0\.0\.1.*answered nonsense.*HTTP"):
        await talk(serve, run())


async def test_silence_ends_at_the_timeout():
    async def serve(reader, writer):
        await reader.read()

    with pytest.raises(HostError, match=r"no progress for 0\.05 s"):
        await talk(serve, run(io_seconds=0.05))


async def test_a_cancelled_job_closes_its_connection():
    closed = asyncio.Event()
    arrived = asyncio.Event()

    async def serve(reader, writer):
        await read_request(reader)
        arrived.set()
        await reader.read()
        closed.set()

    async def ask(backend, host):
        async with asyncio.TaskGroup() as tasks:
            job = tasks.create_task(run()(backend, host))
            await arrived.wait()
            job.cancel()
        async with asyncio.timeout(5):
            await closed.wait()

    await talk(serve, ask)


async def test_nobody_there_says_which_address_and_why():
    host = parse_host_list("127.0.0.1:1", "test").hosts[0]

    with pytest.raises(HostError, match=r"port 1 \(127\.0\.0\.1: Connection refused\)"):
        await DistccBackend().run(host, 1, [b"gcc"], b"", TIMEOUTS)


async def test_a_name_that_does_not_resolve_is_named():
    host = parse_host_list("no-such-host.invalid", "test").hosts[0]

    with pytest.raises(HostError, match=r"'no-such-host\.invalid'"):
        await DistccBackend().run(host, 1, [b"gcc"], b"", TIMEOUTS)


async def test_a_fleetccd_says_what_it_is():
    async def serve(reader, writer):
        assert await reader.readexactly(len(GREETING)) == GREETING
        writer.write(encode_welcome(WELCOME))

    assert await talk(serve, lambda backend, host: backend.greet(host, TIMEOUTS)) == WELCOME


async def test_a_server_that_closes_without_a_word_is_a_stock_one():
    async def serve(reader, writer):
        await reader.readexactly(len(GREETING))

    assert await talk(serve, lambda backend, host: backend.greet(host, TIMEOUTS)) is None


async def test_something_else_on_the_port_is_no_compile_server():
    async def serve(reader, writer):
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")

    with pytest.raises(HostError, match="is not a compile server"):
        await talk(serve, lambda backend, host: backend.greet(host, TIMEOUTS))


def test_ssh_hosts_run_the_command_that_distcc_runs():
    (host,) = parse_host_list("me@there:/opt/fleetccd", "test").hosts

    assert ssh_command(host, ("ssh", "-q")) == [
        "ssh", "-q", "-l", "me", "there", "/opt/fleetccd", "--inetd", "--enable-tcp-insecure",
    ]  # fmt: skip
