"""zstd for the fleet protocol: whole buffers whose plain size travels beside them.

A frame that claims another size than its message does is refused before anything is allocated. Both
directions release the interpreter's lock: big bodies belong in a thread.
"""

from typing import Final

import zstandard

from fleetcc.errors import ProtocolError

RAW: Final = "raw"
ZSTD: Final = "zstd"
ENCODINGS: Final = (RAW, ZSTD)

# Preprocessed text shrinks to a sixth at level 1; higher levels cost more than a local network does.
_LEVEL: Final = 1
# Below this the frame costs more than it saves.
_SMALLEST: Final = 512


def pack(plain: bytes) -> tuple[str, bytes]:
    """The encoding that pays, and the bytes in it."""
    if len(plain) < _SMALLEST:
        return RAW, plain
    # A compressor for each call: they may not be shared between threads, and making one costs microseconds.
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(plain)
    return (ZSTD, packed) if len(packed) < len(plain) else (RAW, plain)


def unpack(encoding: str, data: bytes, plain_bytes: int) -> bytes:
    """The plain bytes, which must be as many as was said; raises ProtocolError."""
    if encoding == RAW:
        plain = data
    elif encoding == ZSTD:
        plain = _expand(data, plain_bytes)
    else:
        raise ProtocolError(f"encoding {encoding!r}; {' and '.join(ENCODINGS)} are known")
    if len(plain) != plain_bytes:
        raise ProtocolError(f"{len(plain)} plain bytes where {plain_bytes} were announced")
    return plain


def _expand(data: bytes, plain_bytes: int) -> bytes:
    try:
        size = zstandard.frame_content_size(data)
        if size not in (-1, plain_bytes):
            raise ProtocolError(f"a zstd frame of {size} plain bytes where {plain_bytes} were announced")
        return zstandard.ZstdDecompressor().decompress(
            data, max_output_size=plain_bytes, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise ProtocolError(f"a body that is not zstd: {error}") from None
