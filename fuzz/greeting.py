"""Invariant: any bytes are one ProtocolError or a welcome that survives being sent again."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.model import Form
from fleetcc.wire.greeting import Welcome, encode_welcome, parse_welcome
from fuzz import campaign

SEEDS: Final = (
    encode_welcome(Welcome("fleetccd 0.1.0", (Form.EXPANDED, Form.DIRECTIVES), (1, 2), 8, 7, 2, 0)),
    encode_welcome(Welcome("", (), (), 0, 0, 0, 0)),
)


def check(data: bytes, _: Random) -> None:
    """Parse the input."""
    try:
        welcome = parse_welcome(data)
    except ProtocolError:
        return
    assert parse_welcome(encode_welcome(welcome)) == welcome


if __name__ == "__main__":
    campaign.main(check, SEEDS)
