"""Invariant: any bytes, cut anywhere, are one pump request or one ProtocolError, and so is its tree."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.server.pump_tree import plan_tree
from fleetcc.wire.distcc import Limits, RequestEvent, RequestReader, pack_body
from fleetcc.wire.pump import Content, PumpBody, PumpFile, PumpHead, PumpLimits, Target, encode_pump_request
from fuzz import campaign

LIMITS: Final = Limits(50, 500, 1000, pump=PumpLimits(max_files=20, max_path_bytes=900, max_file_bytes=900))

_ARGV: Final = (b"gcc", b"-I/p/inc", b"-MD", b"-c", b"a.c", b"-o", b"a.o")
_FILES: Final = (
    PumpFile(b"/p/a.c", Content(pack_body(3, b'#include "b.h"\n'))),
    PumpFile(b"/p/inc/b.h", Content(pack_body(3, b"int b;\n" * 9))),
    PumpFile(b"/p/link", Target(b"../p/inc")),
    PumpFile(b"/usr/include", Target(b"../" * 22 + b"usr/include")),
    PumpFile(b"/p/forced/forcing_technique_271828", Content(b"")),
)
SEEDS: Final = tuple(
    b"".join(encode_pump_request(b"/p", _ARGV, _FILES[start:end]))
    for start, end in ((0, 0), (0, 1), (0, 5), (2, 5), (1, 3))
)


def check(data: bytes, choices: Random) -> None:
    """Read the input whole and in pieces, and make a tree of what was read."""
    events = _read([data])
    assert events == _read(campaign.pieces(data, choices))
    match events:
        case [PumpHead() as head, PumpBody() as body]:
            _check_tree(head, body)


def _check_tree(head: PumpHead, body: PumpBody) -> None:
    try:
        tree = plan_tree(head.cwd, body.files)
    except ProtocolError:
        return
    leaves = {*tree.files, *tree.links, *tree.own}
    assert not leaves & set(tree.directories)
    for path in (*leaves, *tree.directories):
        assert b"/../" not in path + b"/"
        parent = path.rpartition(b"/")[0]
        assert not parent or parent in tree.directories
    for link in tree.links:
        resolved = tree.resolve(link)
        assert resolved is None or b"/../" not in resolved + b"/"


def _read(chunks: list[bytes]) -> list[RequestEvent] | str:
    reader = RequestReader(LIMITS)
    try:
        events = [event for chunk in chunks for event in reader.receive(chunk)]
        reader.receive_eof()
    except ProtocolError as error:
        return str(error)
    return events


if __name__ == "__main__":
    campaign.main(check, SEEDS)
