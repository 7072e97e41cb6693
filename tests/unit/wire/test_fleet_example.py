"""The example sessions of docs/protocol.md, byte for byte what both ends say."""

from hashlib import sha256
from pathlib import Path

from fleetcc.wire.files import FILES, Contents, Entry, File, FileJob, Left, Link, ReplicaState
from fleetcc.wire.files_client import Wanted
from fleetcc.wire.fleet import OPENING, Hello, Job, Part, Result, Welcome
from fleetcc.wire.fleet_answers import Event, Finished
from fleetcc.wire.fleet_client import FleetClient
from fleetcc.wire.fleet_requests import ContentsBegin, ContentsEnd, ContentsPiece, FilesOffered, Updated
from fleetcc.wire.fleet_server import FleetServer
from fleetcc.wire.fleet_updates import updates

MANUAL = Path(__file__).parents[3] / "docs" / "protocol.md"
IDENTITY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SOURCE = b"int x;\n"
OBJECT = b"\x7fELF"
REPLICA = bytes(range(16))


class Session:
    """Two ends, and who said what: C the client, S the server."""

    def __init__(self, hello: Hello, welcome: Welcome) -> None:
        self.client = FleetClient(hello)
        self.server = FleetServer(1 << 20, now=0.0)
        self.said: list[tuple[str, bytes]] = []
        self.client_says(self.client.opening())
        self.server_says(self.server.welcome(welcome))

    def client_says(self, data: bytes) -> list[object]:
        self.said.append(("C", data))
        return list(self.server.receive(data.removeprefix(OPENING), 0.0))

    def server_says(self, data: bytes) -> list[Event]:
        self.said.append(("S", data))
        return self.client.receive(data, 0.0)


def text_session() -> list[tuple[str, bytes]]:
    """One job that is made of text."""
    session = Session(
        Hello("a1b2", "fleetcc 1", "ann@red", ("preprocessed", "zstd")),
        Welcome("fleetccd 1", "c3d4", 8, (IDENTITY,), capabilities=("zstd",), sandbox="not root"),
    )
    client, server = session.client, session.server
    session.client_says(client.demand(2, "normal"))
    session.server_says(server.grant(2, 0.0))
    argv = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
    first, head = client.job(Job("preprocessed", IDENTITY, argv, "expanded", len(SOURCE), len(SOURCE)))
    session.client_says(head)
    session.client_says(b"".join(client.blobs(first, SOURCE)))
    session.client_says(client.decline(1))
    session.server_says(server.started(first))
    result = Result(0, (Part("object", 4, 4),), run_seconds=0.5, cpu_seconds=0.25, peak_bytes=1 << 20)
    frames = list(server.result(first, result, [OBJECT]))
    session.server_says(frames[0])
    (finished,) = session.server_says(frames[1])
    assert isinstance(finished, Finished)
    session.server_says(server.drain("restart"))
    return session.said


def files_session() -> list[tuple[str, bytes]]:
    """One job that is made of files, of which the server has the compiler's already."""
    session = Session(
        Hello("a1b2", "fleetcc 1", capabilities=(FILES,), replica=b"sixteen secrets."),
        Welcome("fleetccd 1", "c3d4", 8, capabilities=(FILES,)),
    )
    client, server = session.client, session.server
    session.server_says(server.replica_state(ReplicaState(REPLICA)))
    session.client_says(client.demand(1, "normal"))
    session.server_says(server.grant(1, 0.0))
    source = sha256(SOURCE).digest()
    puts: dict[bytes, Entry] = {
        b"/usr/bin/cc": Link(b"gcc-12"),
        b"/usr/bin/gcc-12": File(
            bytes.fromhex(IDENTITY), 1_000_000, 1_700_000_000_000_000_000, executable=True
        ),
        b"/w/x.c": File(source, len(SOURCE), 1_700_000_000_123_456_789),
    }
    (update,) = updates(REPLICA, 1, puts)
    assert session.client_says(client.update(update)) == [Updated(update)]
    argv = (b"cc", b"-c", b"x.c")
    old = (b"/w/x.d",)
    job = FileJob(REPLICA, 1, b"/usr/bin/cc", argv, (b"LANG=C",), b"/w", 0o22, (b"/w",), "x.c", old)
    number, head = client.file_job(job)
    assert session.client_says(head) == [FilesOffered(number, job)]
    assert session.server_says(server.missing([source], 0.0)) == [Wanted((source,))]
    contents = Contents(((source, len(SOURCE)),), len(SOURCE))
    header, blob = client.contents(contents, SOURCE)
    assert session.client_says(header) == [ContentsBegin(contents)]
    assert session.client_says(blob) == [ContentsPiece(SOURCE), ContentsEnd(is_whole=True)]
    session.server_says(server.started(number))
    left = (Left(b"/w/x.o", 0o644),)
    output, end = server.result(number, Result(0, (Part("file", 4, 4),), files=left, removed=old), [OBJECT])
    session.server_says(output)
    (finished,) = session.server_says(end)
    assert isinstance(finished, Finished)
    assert [(one.path, raw) for one, _, raw in finished.files()] == [(b"/w/x.o", OBJECT)]
    return session.said


def manual(rank: int) -> list[tuple[str, bytes]]:
    """The frames of an example: hexadecimal digits up to a #, C or S before each."""
    block = MANUAL.read_text(encoding="utf-8").split("```session\n")[rank].split("```")[0]
    found: list[tuple[str, bytes]] = []
    for line in block.splitlines():
        who, digits = line[0], line[1:].split("#")[0]
        if who == " ":
            who, digits = found[-1][0], found.pop()[1].hex() + digits
        found.append((who, bytes.fromhex(digits)))
    return found


def test_the_first_example_of_the_manual_is_what_both_ends_say() -> None:
    assert manual(1) == text_session()


def test_the_example_of_a_job_made_of_files_is_what_both_ends_say() -> None:
    assert manual(2) == files_session()
