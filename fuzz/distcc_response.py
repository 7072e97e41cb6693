"""Invariant: any bytes, cut anywhere, give the same response or the same one error as uncut."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import HostRefusedError, ProtocolError
from fleetcc.wire.distcc import Limits, Response, ResponseReader, ResponseStarted, encode_response, pack_body
from fuzz import campaign

LIMITS: Final = Limits(max_body_bytes=1000, max_stream_bytes=300)

SEEDS: Final = tuple(
    b"".join(
        encode_response(protocol, status, pack_body(protocol, diagnostics), b"", pack_body(protocol, output))
    )
    for protocol in (1, 2)
    for status in (0, 0x100, 9)
    for diagnostics in (b"", b"a.cc:1:1: warning: no\n")
    for output in (b"", b"\x7fELF" * 30)
)


def check(data: bytes, choices: Random) -> None:
    """Read the input whole and in pieces, as an answer in either protocol."""
    protocol = choices.choice((1, 2))
    assert _read(protocol, [data]) == _read(protocol, campaign.pieces(data, choices))


def _read(protocol: int, chunks: list[bytes]) -> list[ResponseStarted | Response] | str:
    reader = ResponseReader(protocol, LIMITS)
    try:
        events = [event for chunk in chunks for event in reader.receive(chunk)]
        reader.receive_eof()
    except (ProtocolError, HostRefusedError) as error:
        return str(error)
    assert [type(event) for event in events] == [ResponseStarted, Response]
    return events


if __name__ == "__main__":
    campaign.main(check, SEEDS)
