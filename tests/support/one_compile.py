"""One small compile, on these hosts, and how long it may take."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.fleet import Client
from tests.support.scripted_server import ScriptedServer, compile_honestly

SOURCE: Final = "int twice(int x) { return x * 2; }\n"
COMMAND: Final = ("gcc", "-O2", "-c", "a.c", "-o", "a.o")
# Nothing that a host does may hold a compile up for longer than its timeout (1 s in tests) and some work.
SOON_SECONDS: Final = 5.0


def use_hosts(client: Client, *hosts: ScriptedServer, option: str = ",lzo") -> None:
    """The client's host list from now on."""
    client.environment["FLEETCC_HOSTS"] = " ".join(host.host + option for host in hosts)


def compile_as_plain(client: Client) -> None:
    """One compile that must look as without us, and soon."""
    result = client.same_as_plain(*COMMAND, outputs=["a.o"])
    assert result.status == 0
    assert result.seconds < SOON_SECONDS


@pytest.fixture
def user(client: Client) -> Client:
    """A client with one source."""
    client.write("a.c", SOURCE)
    return client


@pytest.fixture(name="user")
def user_without_backoff(client: Client) -> Client:
    """A client with one source, whose hosts are never left alone after a failure."""
    client.write("a.c", SOURCE)
    client.environment |= {"FLEETCC_BACKOFF_PERIOD": "0", "DISTCC_IO_TIMEOUT": "1"}
    return client


@pytest.fixture
def good() -> Iterator[ScriptedServer]:
    """A host that does its work."""
    with ScriptedServer(compile_honestly, "127.0.0.2") as server:
        yield server


@pytest.fixture
def hosts() -> Iterator[list[ScriptedServer]]:
    """Two hosts that do their work."""
    with ScriptedServer(compile_honestly) as one, ScriptedServer(compile_honestly, "127.0.0.2") as two:
        yield [one, two]
