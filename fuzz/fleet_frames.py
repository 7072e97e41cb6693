"""Invariant: any bytes, cut anywhere, give the same frames or the same one ProtocolError as uncut."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire.files import (
    Contents,
    Directory,
    Entry,
    File,
    FileJob,
    Gone,
    Left,
    Link,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.fleet import (
    Blob,
    Demand,
    Drain,
    Error,
    Frame,
    FrameReader,
    Hello,
    Job,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Unknown,
    Welcome,
    encode,
    encode_bulk,
)
from fuzz import campaign

_DIGEST: Final = "0123456789abcdef" * 4
_RAW: Final = bytes(range(32))
_REPLICA: Final = bytes(range(16))
_PUTS: Final[dict[bytes, Entry]] = {
    b"/usr/x.h": File(_RAW, 900, -5, executable=True),
    b"/l": Link(b"../\xff"),
    b"/d": Directory(),
}
_MESSAGES: Final[tuple[Message, ...]] = (
    Hello("a", "fleetcc 1", "ann@laptop", ("zstd",)),
    Welcome("fleetccd 1", "i", 8, (_DIGEST,), looking=True, capabilities=("zstd",), name="red"),
    Demand(3, "interactive"),
    Job("preprocessed", _DIGEST, (b"gcc", b"-c", b"\xff.i"), "expanded", 7, 900, "zstd"),
    Result(0x100, (Part("stderr", 3, 9, "zstd"), Part("object", 5, 5)), 0.25, 0.125, 1 << 33),
    Ping(7, answer=True, jobs=(1, 2, 0xFFFF_FFFF), clock=1.8e9),
    Ping(8, padding=b"\xff" * 40),
    Drain("restart"),
    Hello("a", "fleetcc 1", replica=b"s" * 16),
    Result(0, (Part("file", 3, 9, "zstd"),), files=(Left(b"/w/x.o", 0o644),)),
    Update(_REPLICA, 7, _PUTS, (b"/old",), fork=True),
    ReplicaState(_REPLICA, 1 << 31),
    FileJob(_REPLICA, 7, b"/bin/cc", (b"cc", b"-c"), (b"LANG=C",), b"/w", 0o22, (b"/w",), "x.c"),
    Missing((_RAW, _RAW)),
    Contents(((_RAW, 900), (_RAW, 0)), 80, "zstd"),
    Gone((_RAW,)),
    Error("failed", "the disk is full", "make room"),
)
SEEDS: Final = (
    *(encode(5, message) for message in _MESSAGES),
    b"".join(encode(number, message) for number, message in enumerate(_MESSAGES)),
    b"".join(encode_bulk(Blob, 1, b"int x;\n")) + b"".join(encode_bulk(Output, 2, bytes(200))),
)


def check(data: bytes, choices: Random) -> None:
    """Read the input whole and in pieces; what was understood survives being sent again."""
    found = _read([data])
    assert found == _read(campaign.pieces(data, choices))
    for number, message in found if isinstance(found, list) else ():
        if not isinstance(message, (Blob, Output, Unknown)):
            assert _read([encode(number, message)]) == [Frame(number, message)]


def _read(chunks: list[bytes]) -> list[Frame] | str:
    reader = FrameReader()
    try:
        return [frame for chunk in chunks for frame in reader.receive(chunk)]
    except ProtocolError as error:
        return str(error)


if __name__ == "__main__":
    campaign.main(check, SEEDS)
