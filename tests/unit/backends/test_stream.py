"""How streams to hosts are opened: TCP, and ssh played by a shell script."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener, StreamProtocol, explain_silence, ssh_command
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import HostSpec, parse_host_list

# What an ssh command is here: it notes what it was asked for and does what the test wants.
SSH = """#!/bin/sh
printf '%s\\n' "$*" >> "$0.asked"
{}
"""


class Conversation(StreamProtocol):
    """Collects what the host says until it closes."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed.set_result(self.data)


def host_of(entry: str) -> HostSpec:
    (host,) = parse_host_list(entry, "test").hosts
    return host


async def listen_to(host: HostSpec, *ssh: str, opener: Opener | None = None) -> bytes:
    """All that the host says."""

    async def talk(transport: asyncio.Transport, conversation: Conversation) -> bytes:
        try:
            data = await conversation.closed
            if not data:
                await explain_silence(host, conversation)
            return data
        finally:
            transport.abort()
            if conversation.ssh_ended is not None:
                await conversation.ssh_ended

    async with asyncio.timeout(20):
        return await (opener or Opener()).converse(host, HostTimeouts(5.0, 5.0, ssh), Conversation, talk)


class Ssh:
    """A script that stands for ssh."""

    def __init__(self, path: Path, does: str) -> None:
        self.command = str(path)
        self._asked = Path(f"{path}.asked")
        path.write_text(SSH.format(does))
        path.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines()


@pytest.fixture
def make_ssh(tmp_path: Path) -> Any:
    return lambda does: Ssh(tmp_path / "ssh", does)


def refused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_tcp_host_is_reached_at_its_port() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        assert await listen_to(host_of(f"127.0.0.1:{port}")) == b"hello"


async def test_nobody_there_says_which_address_and_why() -> None:
    port = refused_port()

    with pytest.raises(HostError, match=rf"cannot connect to 127\.0\.0\.1 port {port}: .*onnection refused"):
        await listen_to(host_of(f"127.0.0.1:{port}"))


async def test_a_name_that_does_not_resolve_is_named_with_the_resolvers_words() -> None:
    with pytest.raises(HostError, match=r"cannot connect to no-such-host\.invalid port 3632: ") as caught:
        await listen_to(host_of("no-such-host.invalid"))

    assert "Unknown error" not in str(caught.value)


async def test_a_host_that_does_not_answer_in_time_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        host = host_of(f"127.0.0.1:{address[1]}")

        with pytest.raises(HostError, match=r"no answer in 0\.05 s"):
            await Opener().converse(host, HostTimeouts(0.05, 5.0, ()), Conversation, _unexpected)

        for filler in fillers:
            filler.close()


async def _unexpected(_: asyncio.Transport, __: Conversation) -> None:
    raise AssertionError("connected")


def test_ssh_hosts_run_the_command_that_distcc_runs() -> None:
    host = host_of("me@there:/opt/fleetccd")

    assert ssh_command(host, ("ssh", "-q")) == [
        "ssh", "-q", "-l", "me", "there", "/opt/fleetccd", "--inetd", "--enable-tcp-insecure",
    ]  # fmt: skip


async def test_an_ssh_hosts_command_speaks_on_its_standard_streams(make_ssh: Any) -> None:
    ssh = make_ssh("printf hello")

    assert await listen_to(host_of("@there"), ssh.command, "-x") == b"hello"
    assert ssh.asked == ["-x there fleetccd --inetd --enable-tcp-insecure"]


ONLY_DISTCCD = 'case "$*" in *distccd*) printf stock ;; *) exit 127 ;; esac'


async def test_distccd_is_run_where_fleetccd_is_not_installed_and_that_is_remembered(make_ssh: Any) -> None:
    ssh, opener = make_ssh(ONLY_DISTCCD), Opener()

    for _ in range(2):
        assert await listen_to(host_of("@there"), ssh.command, opener=opener) == b"stock"

    assert [line.split()[1] for line in ssh.asked] == ["fleetccd", "distccd", "distccd"]


async def test_a_host_without_either_server_says_so_and_is_asked_for_both_again(make_ssh: Any) -> None:
    ssh, opener = make_ssh("exit 127"), Opener()

    for _ in range(2):
        with pytest.raises(HostError, match="neither fleetccd nor distccd is on PATH there"):
            await listen_to(host_of("@there"), ssh.command, opener=opener)

    assert len(ssh.asked) == 4


async def test_a_command_that_the_list_names_is_never_replaced(make_ssh: Any) -> None:
    ssh = make_ssh("exit 127")

    with pytest.raises(HostError, match="ended with status 127"):
        await listen_to(host_of("@there:/opt/fleetccd"), ssh.command)
    assert len(ssh.asked) == 1


@pytest.mark.parametrize(("does", "status"), [("exit 255", "255"), ("kill -9 $$", "-9")])
async def test_ssh_that_fails_says_how(make_ssh: Any, does: str, status: str) -> None:
    with pytest.raises(HostError, match=f"the ssh command ended with status {status} and without an answer"):
        await listen_to(host_of("@there"), make_ssh(does).command)


async def test_a_server_that_says_no_over_ssh_has_said_nothing(make_ssh: Any) -> None:
    assert await listen_to(host_of("@there"), make_ssh("exit 109").command) == b""


async def test_an_ssh_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot run '.*/nothing' for @there: No such file"):
        await listen_to(host_of("@there"), str(tmp_path / "nothing"))


async def test_the_ssh_command_ends_with_the_conversation(make_ssh: Any, tmp_path: Path) -> None:
    fifo = tmp_path / "ended"
    os.mkfifo(fifo)
    ssh = make_ssh(f"cat > /dev/null; echo over > {fifo}")
    host = host_of("@there")

    async def talk(transport: asyncio.Transport, conversation: Conversation) -> asyncio.Future[int] | None:
        transport.abort()
        return conversation.ssh_ended

    ended = await Opener().converse(host, HostTimeouts(5.0, 5.0, (ssh.command,)), Conversation, talk)

    assert ended is not None
    async with asyncio.timeout(20):
        assert await asyncio.to_thread(fifo.read_text) == "over\n"
        assert await ended == 0
