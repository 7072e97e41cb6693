"""The example session of docs/protocol.md, byte for byte what both ends say."""

from pathlib import Path

from fleetcc.wire.fleet import OPENING, Hello, Job, Part, Result, Welcome
from fleetcc.wire.fleet_answers import Finished
from fleetcc.wire.fleet_client import FleetClient
from fleetcc.wire.fleet_server import FleetServer

MANUAL = Path(__file__).parents[3] / "docs" / "protocol.md"
IDENTITY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SOURCE = b"int x;\n"
OBJECT = b"\x7fELF"


def session() -> list[tuple[str, bytes]]:
    """Who says what: C the client, S the server."""
    client = FleetClient(Hello("a1b2", "fleetcc 1", "ann@red", ("preprocessed", "zstd")))
    server = FleetServer(1 << 20, now=0.0)
    said: list[tuple[str, bytes]] = []

    def client_says(data: bytes) -> None:
        said.append(("C", data))
        server.receive(data.removeprefix(OPENING), 0.0)

    def server_says(data: bytes) -> list[object]:
        said.append(("S", data))
        return list(client.receive(data, 0.0))

    client_says(client.opening())
    server_says(server.welcome(Welcome("fleetccd 1", "c3d4", 8, (IDENTITY,), capabilities=("zstd",))))
    client_says(client.demand(2, "normal"))
    server_says(server.grant(2, 0.0))
    argv = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
    first, head = client.job(Job("preprocessed", IDENTITY, argv, "expanded", len(SOURCE), len(SOURCE)))
    client_says(head)
    client_says(b"".join(client.blobs(first, SOURCE)))
    client_says(client.decline(1))
    server_says(server.started(first))
    result = Result(0, (Part("object", 4, 4),), run_seconds=0.5, cpu_seconds=0.25, peak_bytes=1 << 20)
    frames = list(server.result(first, result, [OBJECT]))
    server_says(frames[0])
    (finished,) = server_says(frames[1])
    assert isinstance(finished, Finished)
    server_says(server.drain("restart"))
    return said


def manual() -> list[tuple[str, bytes]]:
    """The frames of the example: hexadecimal digits up to a #, C or S before each."""
    block = MANUAL.read_text(encoding="utf-8").split("```session\n")[1].split("```")[0]
    found: list[tuple[str, bytes]] = []
    for line in block.splitlines():
        who, digits = line[0], line[1:].split("#")[0]
        if who == " ":
            who, digits = found[-1][0], found.pop()[1].hex() + digits
        found.append((who, bytes.fromhex(digits)))
    return found


def test_the_example_of_the_manual_is_what_both_ends_say() -> None:
    assert manual() == session()
