"""The driver of parsers, with a toy protocol: a length byte, then as many bytes, until a length is zero."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.wire.framing import MessageReader, Parser


def _words() -> Parser[bytes]:
    while length := (yield 1)[0]:
        if length == 255:
            raise ProtocolError("255 is not a length")
        yield (yield length)


def _one_body(size: int) -> Parser[bytes]:
    yield (yield size)


def test_events_come_as_soon_as_they_are_complete() -> None:
    reader = MessageReader(_words())

    assert reader.receive(b"\x02a") == []
    assert reader.receive(b"b\x01c\x03de") == [b"ab", b"c"]
    assert reader.receive(b"f\x00") == [b"def"]
    assert reader.is_complete


@given(st.lists(st.binary(min_size=1, max_size=20)), st.lists(st.integers(0, 300)))
def test_any_chunking_gives_the_same_events(words: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(bytes((len(word),)) + word for word in words) + b"\0"
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = MessageReader(_words())

    events = [event for a, b in pairwise(edges) for event in reader.receive(stream[a:b])]

    assert events == words
    assert reader.is_complete
    assert reader.received_bytes == len(stream)
    assert reader.extra_bytes == 0


def test_a_body_of_many_mixed_chunks_is_put_together_in_order() -> None:
    chunks = [bytes((n % 256,)) * (1 if n % 3 else 5000) for n in range(3000)]
    body = b"".join(chunks)
    reader = MessageReader(_one_body(len(body)))

    events = [event for chunk in chunks for event in reader.receive(chunk)]

    assert events == [body]


def test_small_chunks_are_merged_so_that_memory_follows_the_bytes_received() -> None:
    reader = MessageReader(_one_body(100_000))

    for _ in range(50_000):
        reader.receive(b"x")

    assert len(reader._chunks) < 20


def test_a_body_that_comes_as_one_chunk_is_not_copied() -> None:
    body = bytes(100_000)
    reader = MessageReader(_one_body(len(body)))

    (event,) = reader.receive(body)

    assert event is body


def test_bytes_after_the_end_are_counted_and_dropped() -> None:
    reader = MessageReader(_words())

    assert reader.receive(b"\x01a\x00xyz") == [b"a"]
    assert reader.receive(b"12") == []
    assert reader.extra_bytes == 5
    assert reader.received_bytes == 8


def test_a_reader_that_failed_stays_failed_and_forgets_what_it_held() -> None:
    reader = MessageReader(_words())
    reader.receive(b"\x01a\x05bc")

    with pytest.raises(ProtocolError, match="255 is not a length"):
        reader.receive(b"def\xffghi")
    for data in (b"", b"\x01a"):
        with pytest.raises(ProtocolError, match="255 is not a length"):
            reader.receive(data)
    with pytest.raises(ProtocolError, match="255 is not a length"):
        reader.finish("gone")
    assert not reader._chunks


def test_an_end_half_way_says_how_much_had_come() -> None:
    reader = MessageReader(_words())
    reader.receive(b"\x05abc")

    with pytest.raises(ProtocolError, match="gone: 3 of the next 5 bytes had come"):
        reader.finish("gone")
    with pytest.raises(ProtocolError, match="gone"):
        reader.receive(b"de")


@pytest.mark.parametrize("stream", [b"", b"\x00", b"\x01a\x00"])
def test_an_end_before_the_start_or_after_the_message_is_no_error(stream: bytes) -> None:
    reader = MessageReader(_words())
    reader.receive(stream)

    reader.finish("gone")
