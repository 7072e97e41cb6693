"""Bodies packed with zstd: whole buffers whose plain size is told beside them."""

import tracemalloc
from random import Random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.wire import zstd

TEXT = b"int x;\n" * 1000


def sizeless(plain: bytes, **parameters: int) -> bytes:
    """A frame that does not tell how long it will be."""
    made = zstandard.ZstdCompressionParameters.from_level(1, write_content_size=False, **parameters)
    return zstandard.ZstdCompressor(compression_params=made).compress(plain)


@given(st.one_of(st.binary(max_size=3000), st.binary(max_size=9).map(lambda word: word * 1000)))
def test_what_was_packed_comes_back(plain: bytes) -> None:
    encoding, packed = zstd.pack(plain)

    assert len(packed) <= len(plain)
    assert zstd.unpack(encoding, packed, len(plain)) == plain


@pytest.mark.parametrize(
    "plain", [b"", TEXT[:511], Random(1).randbytes(5000)], ids=["none", "short", "noise"]
)
def test_what_would_not_get_shorter_stays_as_it_is(plain: bytes) -> None:
    assert zstd.pack(plain) == (zstd.RAW, plain)


def test_what_gets_shorter_is_one_frame_that_tells_its_size() -> None:
    encoding, packed = zstd.pack(TEXT)

    assert encoding == zstd.ZSTD
    assert zstandard.frame_content_size(packed) == len(TEXT)


@pytest.mark.parametrize("said", [0, 1, len(TEXT) - 1, len(TEXT) + 1, 1 << 30])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [(zstd.RAW, TEXT), (zstd.ZSTD, zstandard.compress(TEXT)), (zstd.ZSTD, sizeless(TEXT))],
    ids=["raw", "zstd", "zstd without a size"],
)
def test_another_size_than_was_announced_is_an_error(encoding: str, body: bytes, said: int) -> None:
    with pytest.raises(ProtocolError):
        zstd.unpack(encoding, body, said)


def test_a_frame_without_a_size_is_as_good_when_it_fits() -> None:
    assert zstd.unpack(zstd.ZSTD, sizeless(TEXT), len(TEXT)) == TEXT


def test_a_window_of_two_gigabytes_is_nothing_to_be_afraid_of() -> None:
    assert zstd.unpack(zstd.ZSTD, sizeless(TEXT, window_log=31), len(TEXT)) == TEXT


@pytest.mark.parametrize("make", [zstandard.compress, sizeless], ids=["with a size", "without"])
def test_a_bomb_is_refused_before_it_is_unpacked(make) -> None:
    bomb = make(bytes(64 << 20))

    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            zstd.unpack(zstd.ZSTD, bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        TEXT,
        zstandard.compress(TEXT)[:-1],
        zstandard.compress(TEXT) + b"x",
        zstandard.compress(TEXT) + zstandard.compress(TEXT),
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
    ],
    ids=["nothing", "a byte", "text", "cut", "followed", "two frames", "a frame to skip"],
)
def test_a_body_that_is_not_one_whole_frame_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        zstd.unpack(zstd.ZSTD, body, len(TEXT))


def test_an_encoding_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(ProtocolError, match="encoding 'lzo'; raw and zstd are known"):
        zstd.unpack("lzo", TEXT, len(TEXT))


@given(st.binary(max_size=200), st.integers(0, 1000))
def test_damage_is_a_text_of_the_announced_size_or_one_error(body: bytes, size: int) -> None:
    for encoding in zstd.ENCODINGS:
        try:
            assert len(zstd.unpack(encoding, body, size)) == size
        except ProtocolError:
            continue
