"""LZO1X: every implementation of this machine against the others, the specification and hostile streams."""

import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.wire import lzo
from tests.support.distcc_sessions import V2_RESPONSE

CODECS = lzo.implementations()
codecs = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)

END = b"\x11\x00\x00"
V2_OBJECT = V2_RESPONSE[60:]

# Text with repetitions near and far, long runs, and noise.
texts = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(st.sampled_from([b"int ", b"\0", b"template<class T> ", b"ab"]), st.integers(1, 3000)).map(
            lambda pair: pair[0] * pair[1]
        ),
    ),
    max_size=8,
).map(b"".join)


def _literals(text: bytes) -> bytes:
    """The literal-only encoder of distcc-compat 1.5."""
    if len(text) <= 238:
        return bytes((17 + len(text),)) + text + END
    zeros, rest = divmod(len(text) - 18 - 1, 255)
    return b"\0" + b"\0" * zeros + bytes((rest + 1,)) + text + END


@codecs
@given(text=texts.filter(bool))
def test_every_implementation_reads_what_every_other_wrote(codec: lzo.Codec, text: bytes) -> None:
    stream = codec.compress(text)

    assert [reader.decompress(stream, len(text)) for reader in CODECS] == [text] * len(CODECS)
    assert lzo.plain_size(stream) == len(text)


@codecs
@given(text=st.binary(min_size=1, max_size=2000))
def test_a_stream_of_literals_only_is_read(codec: lzo.Codec, text: bytes) -> None:
    stream = _literals(text)

    assert codec.decompress(stream, len(text)) == text
    assert codec.decompress(stream, 1 << 30) == text
    assert lzo.plain_size(stream) == len(text)


@codecs
@pytest.mark.parametrize("size", [1, 3, 4, 18, 237, 238, 239, 272, 273, 274, 527, 528, 529, 70_000])
def test_literal_runs_of_every_encoding_are_read(codec: lzo.Codec, size: int) -> None:
    text = bytes(n * 7 % 251 for n in range(size))

    assert codec.decompress(_literals(text), size) == text


@codecs
def test_the_captured_object_is_read(codec: lzo.Codec) -> None:
    text = codec.decompress(V2_OBJECT, 191)

    assert len(text) == 191 == lzo.plain_size(V2_OBJECT)
    assert text.endswith(b'\t.section\t.note.GNU-stack,"",@progbits\n')


@codecs
@pytest.mark.parametrize("damage", [V2_OBJECT[:-1], V2_OBJECT[:-3], V2_OBJECT[:40], V2_OBJECT[:1]])
def test_a_stream_without_its_end_marker_is_refused(codec: lzo.Codec, damage: bytes) -> None:
    with pytest.raises(ProtocolError, match="ends before its end marker"):
        codec.decompress(damage, 1000)


@codecs
def test_bytes_after_the_end_marker_are_refused(codec: lzo.Codec) -> None:
    with pytest.raises(ProtocolError, match="bytes follow the end marker"):
        codec.decompress(V2_OBJECT + b"\0", 1000)


@codecs
def test_a_reference_before_the_start_is_refused(codec: lzo.Codec) -> None:
    with pytest.raises(ProtocolError, match="a reference points before the start"):
        codec.decompress(b"\x15abcd" + b"\x80\xff" + END, 1000)


@codecs
@pytest.mark.parametrize("limit", [0, 1, 190])
def test_a_text_over_its_limit_is_refused(codec: lzo.Codec, limit: int) -> None:
    with pytest.raises(
        ProtocolError, match=f"an LZO body of 195 bytes expands to more than the {limit} allowed"
    ):
        codec.decompress(V2_OBJECT, limit)


@codecs
def test_a_hostile_stream_takes_no_more_memory_than_the_limit(codec: lzo.Codec) -> None:
    bomb = CODECS[0].compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="expands to more than"):
            codec.decompress(bomb, 1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(bomb) < 512 << 10
    assert peak < 2 << 20


@given(
    st.sampled_from([V2_OBJECT, _literals(b"int x;\n" * 50), CODECS[0].compress(b"int x;\n" * 500)]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_streams_never_give_two_texts(stream: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(stream)
    for at, value in damage:
        damaged[at % len(damaged)] = value

    texts = set()
    for codec in CODECS:
        try:
            texts.add(codec.decompress(bytes(damaged), 100_000))
        except ProtocolError:
            continue

    assert len(texts) <= 1
    assert all(lzo.plain_size(bytes(damaged)) == len(text) for text in texts)


@given(st.binary(min_size=1, max_size=100))
def test_garbage_is_a_text_or_one_error(garbage: bytes) -> None:
    for codec in CODECS:
        try:
            text = codec.decompress(garbage, 5000)
        except ProtocolError:
            continue
        assert len(text) <= 5000


def test_the_empty_text_is_the_empty_stream() -> None:
    assert lzo.compress(b"") == b""
    assert lzo.decompress(b"", 0) == b""


@codecs
def test_an_end_marker_alone_is_an_empty_text(codec: lzo.Codec) -> None:
    assert codec.decompress(END, 0) == b""


def test_any_buffer_can_be_compressed() -> None:
    assert lzo.compress(bytearray(b"abc")) == lzo.compress(memoryview(b"abc")) == lzo.compress(b"abc")


def test_the_best_implementation_is_named() -> None:
    assert lzo.implementation() == CODECS[0].name
    assert CODECS[-1].name == "lzallright"


def test_a_machine_without_the_library_uses_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lzo, "_LIBRARY", "liblzo2-that-is-missing.so")

    assert [codec.name for codec in lzo._probe()] == ["lzallright"]


def test_threads_do_not_disturb_each_other() -> None:
    texts = [bytes((n,)) * 50_000 + b"int x;\n" * 5000 for n in range(4)]
    results: dict[int, bytes] = {}

    def work(index: int) -> None:
        for _ in range(5):
            results[index] = lzo.decompress(lzo.compress(texts[index]), 1 << 20)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [results[index] for index in range(len(texts))] == texts
