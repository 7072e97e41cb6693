"""Invariant: whatever a client says, cut anywhere, a server takes nothing unasked, and no job twice."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire.files import Contents, Directory, Entry, File, FileJob, Gone, Link, ReplicaState, Update
from fleetcc.wire.files_paths import path_fault
from fleetcc.wire.fleet import Blob, Cancel, Decline, Demand, Hello, Job, Message, Ping, encode, encode_bulk
from fleetcc.wire.fleet_requests import (
    ContentsBegin,
    ContentsEnd,
    ContentsPiece,
    Event,
    FilesOffered,
    Offered,
    Opened,
    Updated,
    Uploaded,
)
from fleetcc.wire.fleet_server import FleetServer
from fuzz import campaign

LIMIT: Final = 1000
GRANTS: Final = 3
WANTED: Final = tuple(b"%032d" % number for number in range(4))

_REPLICA: Final = b"r" * 16
_JOB: Final = Job("preprocessed", "0" * 64, (b"cc",), "expanded", 7, 7)
_FILES: Final = FileJob(_REPLICA, 1, b"/bin/cc", (b"cc",), (b"A=b",), b"/w", 0o22, (b"/w",))
_PUTS: Final[dict[bytes, Entry]] = {b"/a/b": File(WANTED[0], 3, 4), b"/l": Link(b"../x"), b"/d": Directory()}


def _about(job: int, *messages: Message) -> bytes:
    return b"".join(encode(job, message) for message in messages)


_HELLO: Final = _about(0, Hello("a", "p", replica=b"s" * 16))
_UPDATES: Final = _about(0, Update(_REPLICA, 1, _PUTS, (b"/old",), fork=True), Update(_REPLICA, 2))
_PACK: Final = _about(0, Contents(((WANTED[0], 3), (WANTED[1], 4)), 7)) + b"".join(
    encode_bulk(Blob, 0, b"abcdefg")
)
_CUT: Final = _about(0, Contents(((WANTED[2], 9),), 8, "zstd")) + b"".join(encode_bulk(Blob, 0, b"abc"))
SEEDS: Final = (
    _HELLO
    + _about(0, Demand(3))
    + _about(1, _JOB)
    + b"".join(encode_bulk(Blob, 1, b"int x;\n"))
    + _about(1, Cancel()),
    _HELLO + _UPDATES + _about(1, _FILES) + _PACK + _about(0, Ping(7), Gone((WANTED[3],))),
    _HELLO
    + _UPDATES
    + _CUT
    + _about(2, _FILES)
    + _about(0, Gone((WANTED[2], WANTED[3])), Decline(1))
    + _PACK,
)


def check(data: bytes, choices: Random) -> None:
    """Take the input as what a client said, whole and in pieces."""
    events = _listen([data])
    assert events == _listen(campaign.pieces(data, choices))
    if events is None:
        return
    jobs = [event.number for event in events if isinstance(event, (Offered, FilesOffered))]
    assert jobs == sorted(set(jobs))
    assert len(jobs) <= GRANTS
    assert all(len(event.raw) <= LIMIT for event in events if isinstance(event, Uploaded))
    begun = [event.contents for event in events if isinstance(event, ContentsBegin)]
    answered = [digest for contents in begun for digest, _ in contents.blobs]
    assert len(set(answered)) == len(answered)
    assert set(answered) <= set(WANTED)
    _check_pieces(events)
    updates = [event.update for event in events if isinstance(event, Updated)]
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert not any(path_fault(path) for update in updates for path in update.puts if path != b"/")


def _check_pieces(events: list[Event]) -> None:
    left = None
    for event in events:
        match event:
            case ContentsBegin():
                assert left is None
                left = event.contents.raw_bytes
            case ContentsPiece():
                assert left is not None
                left -= len(event.raw)
                assert left >= 0
            case ContentsEnd():
                assert left is not None
                assert event.is_whole == (not left)
                left = None


def _listen(chunks: list[bytes]) -> list[Event] | None:
    """None: it broke the protocol; of two faults in one chunk either may be told."""
    server = FleetServer(LIMIT, 0.0)
    server.replica_state(ReplicaState(_REPLICA))
    server.missing(WANTED, 0.0)
    server.grant(GRANTS, 0.0)
    try:
        events = [event for chunk in chunks for event in server.receive(chunk, 0.0)]
    except ProtocolError:
        return None
    assert server.is_open == any(isinstance(event, Opened) for event in events)
    return events


if __name__ == "__main__":
    campaign.main(check, SEEDS)
