"""Invariant: any bytes expand to one text within the limit, whoever expands them, or to one ProtocolError.

One difference is known and allowed: liblzo2, like distcc, takes an end marker of any length, `lzallright`
only the one that compressors write. So where one refuses, the other may still have a text; never another.
"""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire import lzo
from fuzz import campaign

MAX_SIZE: Final = 20_000

_TEXTS: Final = (
    b"a",
    b"int x;\n",
    b"int x;\n" * 300,
    bytes(3000),
    bytes(range(256)) * 3,
    b"template <class T>\n" * 9,
)
SEEDS: Final = tuple(codec.compress(text) for codec in lzo.implementations() for text in _TEXTS)


def check(data: bytes, choices: Random) -> None:
    """Expand the input with a random limit."""
    max_size = choices.randrange(MAX_SIZE)
    assert len(_expand(None, data, max_size) or b"") <= max_size
    if data:
        texts = [_expand(codec, data, max_size) for codec in lzo.implementations()]
        assert len({text for text in texts if text is not None}) <= 1
        assert all(lzo.plain_size(data) == len(text) for text in texts if text is not None)


def _expand(codec: lzo.Codec | None, data: bytes, max_size: int) -> bytes | None:
    try:
        return codec.decompress(data, max_size) if codec else lzo.decompress(data, max_size)
    except ProtocolError:
        return None


if __name__ == "__main__":
    campaign.main(check, SEEDS)
