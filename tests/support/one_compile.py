"""One small compile, on these hosts, and how long it may take."""

from typing import Final

from tests.support.fleet import Client
from tests.support.scripted_server import ScriptedServer

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


def asked(server: ScriptedServer) -> int:
    """How many connections only asked what the server is."""
    return sum(1 for visit in server.visits if visit.head is None)
