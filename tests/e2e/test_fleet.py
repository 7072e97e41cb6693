"""Fleets of real servers: both kinds of host in one build, races, and machines that serve something else."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.model import Reason
from tests.support.fleet import (
    Client,
    client,
    eventually,
    installed,
    objects_made_by,
    wait_for_end,
    write_project,
)
from tests.support.listener import Listener
from tests.support.one_compile import SOURCE, compile_as_plain, user_without_backoff
from tests.support.servers import start_fleetccd, stopping
from tests.support.shared_gcc import shared_gcc
from tests.support.stock_distccd import stock_distccd

__all__ = ["client", "installed", "user_without_backoff"]  # fixtures


def test_fleetccd_and_distccd_serve_one_build(client: Client, tmp_path: Path) -> None:
    objects = write_project(client, 40)
    wanted = objects_made_by(client, "make", "-s", "-j8", objects=objects)
    server = start_fleetccd(tmp_path / "server", "--jobs", "2")
    with stopping(server), stock_distccd(2) as stock:
        client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port} {stock}/2,lzo"
        made = objects_made_by(client, "make", "-s", "-j8", "CC=fleetcc gcc -O1", objects=objects)
        status = client.idle_status()
    assert made == wanted
    assert status["by_reason"] == {"remote": 40}
    assert all(count > 0 for count in status["by_host"].values())
    assert len(status["by_host"]) == 2
    assert {host["server"] for host in status["hosts"]} == {"fleetccd 0.1.0", "distccd"}


def test_a_straggler_is_raced_and_the_loser_is_killed(client: Client, tmp_path: Path) -> None:
    client.write("a.c", SOURCE)
    with shared_gcc(client) as gcc:
        slow = start_fleetccd(tmp_path / "slow", "--jobs", "1", environment=gcc.server_environment)
        fast = start_fleetccd(tmp_path / "fast", "--jobs", "1", environment=gcc.prompt_server_environment)
        with stopping(slow, fast):
            client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{fast.port}"
            assert client.run("gcc", "-c", "a.c").spoken == (0, b"", b"")  # so that its duration is known
            client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{slow.port} 127.0.0.1:{fast.port}"
            while not gcc.started:  # whoever is ready first gets the job, and may be the fast one
                assert client.run("gcc", "-c", "a.c").spoken == (0, b"", b"")
            assert client.last_job()["host"] == f"127.0.0.1:{fast.port}"
            races = client.idle_status()["races"]
            (loser,) = gcc.started
            assert wait_for_end(loser, seconds=1.0)
            eventually(lambda: slow.welcome().running == 0)
        assert (races["started"], races["won"]) == (1, 1)


class Chatterbox(Listener):
    """Some other service: answers whatever comes, or greets before anything does."""

    def __init__(self, answer: bytes, *, is_first: bool) -> None:
        super().__init__("127.0.0.1")
        self._answer = answer
        self._is_first = is_first

    def serve(self, connection: socket.socket) -> None:
        """Say it, and wait for the end."""
        if not self._is_first:
            connection.recv(1 << 16)
        connection.sendall(self._answer)
        with contextlib.suppress(OSError):
            while connection.recv(1 << 16):
                pass


@pytest.fixture(
    params=[
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", True),
        (b"220 mail.example.com ESMTP\r\n", True),
        (b"", False),
    ],
    ids=["http", "ssh", "smtp", "silent"],
)
def no_compile_server(request: pytest.FixtureRequest) -> Iterator[Chatterbox]:
    answer, is_first = request.param
    with Chatterbox(answer, is_first=is_first) as server:
        yield server


def test_what_is_no_compile_server_costs_no_compile(user: Client, no_compile_server: Chatterbox) -> None:
    user.environment |= {"FLEETCC_HOSTS": no_compile_server.host, "FLEETCC_CONNECT_TIMEOUT": "1"}
    compile_as_plain(user)
    assert user.last_reason in {Reason.ALL_HOSTS_FAILING.slug, Reason.HOSTS_FAILED.slug}
