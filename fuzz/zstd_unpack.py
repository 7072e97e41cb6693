"""Invariant: any bytes and any size are a text of exactly that size, or one ProtocolError."""

import sys
from pathlib import Path
from random import Random
from typing import Final

import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire import zstd
from fuzz import campaign

_TEXTS: Final = (b"", b"a", b"int x;\n" * 300, bytes(3000), bytes(range(256)) * 3)
_SIZES: Final = sorted({len(text) for text in _TEXTS} | {1 << 20})
SEEDS: Final = tuple(
    zstandard.ZstdCompressor(level=level, write_content_size=sized, write_checksum=checked).compress(text)
    for level in (1, 19)
    for sized in (True, False)
    for checked in (True, False)
    for text in _TEXTS
)


def check(data: bytes, choices: Random) -> None:
    """Unpack the input as one of the texts, or as something else."""
    size = choices.choice((*_SIZES, choices.randrange(4000)))
    for encoding in (*zstd.ENCODINGS, "lzo"):
        try:
            assert len(zstd.unpack(encoding, data, size)) == size
        except ProtocolError:
            continue


if __name__ == "__main__":
    campaign.main(check, SEEDS)
