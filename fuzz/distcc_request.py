"""Invariant: any bytes, cut anywhere, give the same request or the same one ProtocolError as uncut."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire.distcc import (
    Limits,
    RequestBody,
    RequestEvent,
    RequestHead,
    RequestReader,
    encode_request,
    pack_body,
)
from fuzz import campaign

LIMITS: Final = Limits(max_arguments=50, max_argument_bytes=500, max_body_bytes=1000)

_ARGV: Final = (b"x86_64-linux-gnu-g++-12", b"-O2", b"-c", b"a b.cc", b"-o", b"a.o")
SEEDS: Final = tuple(
    b"".join(encode_request(protocol, argv, pack_body(protocol, source)))
    for protocol in (0, 1, 2, 4)
    for argv in (_ARGV, _ARGV[:1], (b"", *_ARGV))
    for source in (b"", b"int x;\n" * 20)
)


def check(data: bytes, choices: Random) -> None:
    """Read the input whole and in pieces."""
    assert _read([data]) == _read(campaign.pieces(data, choices))


def _read(chunks: list[bytes]) -> list[RequestEvent] | str:
    reader = RequestReader(LIMITS)
    try:
        events = [event for chunk in chunks for event in reader.receive(chunk)]
        reader.receive_eof()
    except ProtocolError as error:
        return str(error)
    assert [type(event) for event in events] in ([], [RequestHead, RequestBody])
    assert len(events) == 2 * reader.is_complete
    return events


if __name__ == "__main__":
    campaign.main(check, SEEDS)
