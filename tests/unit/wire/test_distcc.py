"""distcc protocols 1 and 2: captured sessions, round trips, chunking, limits, garbage."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import HostRefusedError, InternalError, ProtocolError
from fleetcc.wire.distcc import (
    Limits,
    RequestBody,
    RequestHead,
    RequestReader,
    Response,
    ResponseReader,
    ResponseStarted,
    UnservedProtocolError,
    encode_request,
    encode_response,
    pack_body,
    unpack_body,
)
from tests.support.distcc_sessions import (
    V1_FAILED_RESPONSE,
    V1_REQUEST,
    V1_RESPONSE_START,
    V2_REQUEST,
    V2_RESPONSE,
)

ARGV = (b"x86_64-linux-gnu-gcc", b"-S", b"t.i", b"-o", b"t.s")
SOURCE = b"int x;\n"
SMALL = Limits(max_arguments=4, max_argument_bytes=20, max_body_bytes=50, max_stream_bytes=30)

protocols = st.sampled_from((0, 1, 2))
arguments = st.lists(st.binary(max_size=12).filter(lambda a: b"\0" not in a), min_size=1, max_size=8)
bodies = st.binary(max_size=300)


def _cut(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def _outcome(reader: RequestReader | ResponseReader, chunks: Sequence[bytes]) -> object:
    """The events, or the text of the one error; what comes first in a broken stream does not count."""
    events: list[object] = []
    try:
        for chunk in chunks:
            events += reader.receive(chunk)
        reader.receive_eof()
    except (ProtocolError, HostRefusedError) as error:
        with pytest.raises(type(error)):
            reader.receive_eof()
        return str(error)
    return events


# -- captured sessions


@pytest.mark.parametrize(("protocol", "stream"), [(1, V1_REQUEST), (2, V2_REQUEST)])
def test_a_captured_request_is_read_and_written_byte_for_byte(protocol: int, stream: bytes) -> None:
    reader = RequestReader()

    head, body = reader.receive(stream)

    assert isinstance(head, RequestHead)
    assert isinstance(body, RequestBody)
    assert head == RequestHead(protocol, ARGV, len(body.raw))
    assert unpack_body(protocol, body.raw, 1000) == SOURCE
    assert b"".join(encode_request(protocol, ARGV, body.raw)) == stream
    assert reader.is_complete


def test_a_captured_response_is_read_and_written_byte_for_byte() -> None:
    reader = ResponseReader(2)

    started, response = reader.receive(V2_RESPONSE)
    reader.receive_eof()

    assert started == ResponseStarted(0)
    assert isinstance(response, Response)
    assert unpack_body(2, response.output_raw, 1000).startswith(b'\t.file\t"distccd_8ba1c862.i"\n\t.text\n')
    assert len(unpack_body(2, response.output_raw, 191)) == 191
    assert b"".join(encode_response(2, 0, b"", b"", response.output_raw)) == V2_RESPONSE


def test_a_captured_response_that_stops_half_way_is_an_error() -> None:
    reader = ResponseReader(1)

    assert reader.receive(V1_RESPONSE_START) == [ResponseStarted(0)]
    with pytest.raises(ProtocolError, match="middle of its response: 36 of the next 191 bytes had come"):
        reader.receive_eof()


def test_a_failed_compile_has_diagnostics_and_no_output() -> None:
    reader = ResponseReader(1)

    events = reader.receive(V1_FAILED_RESPONSE)

    assert events == [ResponseStarted(0x100), Response(0x100, b"error\n", b"", b"")]
    assert b"".join(encode_response(1, 0x100, b"error\n", b"", b"dropped")) == V1_FAILED_RESPONSE


# -- properties


@given(protocols, arguments, bodies, st.lists(st.integers(0, 2000)))
def test_a_request_survives_the_journey_in_any_chunks(
    protocol: int, argv: list[bytes], body: bytes, cuts: list[int]
) -> None:
    stream = b"".join(encode_request(protocol, argv, body))
    reader = RequestReader()

    events = _outcome(reader, _cut(stream, cuts))

    assert events == [RequestHead(protocol, tuple(argv), len(body)), RequestBody(body)]


@given(
    protocols, st.sampled_from((0, 0x100, 0x6E00, 9)), bodies, bodies, bodies, st.lists(st.integers(0, 2000))
)
def test_a_response_survives_the_journey_in_any_chunks(
    protocol: int, status: int, stderr: bytes, stdout: bytes, output: bytes, cuts: list[int]
) -> None:
    stream = b"".join(encode_response(protocol, status, stderr, stdout, output))
    reader = ResponseReader(protocol)

    events = _outcome(reader, _cut(stream, cuts))

    expected = Response(status, stderr, stdout, b"" if status else output)
    assert events == [ResponseStarted(status), expected]


@given(arguments, bodies, st.integers(0, 2000), st.binary(max_size=3), st.lists(st.integers(0, 2000)))
def test_a_damaged_request_has_one_outcome_in_any_chunks(
    argv: list[bytes], body: bytes, at: int, damage: bytes, cuts: list[int]
) -> None:
    whole = b"".join(encode_request(1, argv, body))
    at %= len(whole)
    stream = whole[:at] + damage + whole[at + 1 :]

    assert _outcome(RequestReader(SMALL), _cut(stream, cuts)) == _outcome(RequestReader(SMALL), [stream])


@given(bodies, bodies, st.integers(0, 2000), st.binary(max_size=3), st.lists(st.integers(0, 2000)))
def test_a_damaged_response_has_one_outcome_in_any_chunks(
    stderr: bytes, output: bytes, at: int, damage: bytes, cuts: list[int]
) -> None:
    whole = b"".join(encode_response(1, 0, stderr, b"", output))
    at %= len(whole)
    stream = whole[:at] + damage + whole[at + 1 :]

    assert _outcome(ResponseReader(1, SMALL), _cut(stream, cuts)) == _outcome(
        ResponseReader(1, SMALL), [stream]
    )


@given(st.binary(max_size=200), st.booleans())
def test_garbage_gives_events_or_one_error(garbage: bytes, as_response: bool) -> None:
    reader = ResponseReader(1) if as_response else RequestReader()

    assert isinstance(_outcome(reader, [garbage]), str | list)


@given(protocols, st.binary(max_size=3000))
def test_a_body_survives_packing(protocol: int, plain: bytes) -> None:
    raw = pack_body(protocol, plain)

    assert unpack_body(protocol, raw, len(plain)) == plain
    assert bool(raw) == bool(plain)


# -- what a request may be


def test_the_head_comes_before_the_body_so_that_a_server_can_admit_first() -> None:
    reader = RequestReader()

    assert reader.receive(V1_REQUEST[:-7]) == [RequestHead(1, ARGV, 7)]
    assert reader.receive(V1_REQUEST[-7:-1]) == []
    assert reader.receive(V1_REQUEST[-1:]) == [RequestBody(SOURCE)]


def test_an_empty_body_needs_no_further_byte() -> None:
    assert RequestReader().receive(b"DIST00000001ARGC00000001ARGV00000002ccDOTI00000000") == [
        RequestHead(1, (b"cc",), 0),
        RequestBody(b""),
    ]


def test_version_0_is_version_1_and_is_echoed() -> None:
    head, body = RequestReader().receive(b"DIST00000000ARGC00000001ARGV00000002ccDOTI00000001x")

    assert head == RequestHead(0, (b"cc",), 1)
    assert isinstance(body, RequestBody)
    assert unpack_body(0, body.raw, 10) == b"x"
    assert encode_response(0, 0, b"", b"", b"")[0].startswith(b"DONE00000000")
    assert ResponseReader(0).receive(b"DONE00000000STAT00000000") == [ResponseStarted(0)]


def test_bytes_after_a_request_are_counted_and_change_nothing() -> None:
    reader = RequestReader()

    assert len(reader.receive(V1_REQUEST + b"more")) == 2
    assert reader.receive(b"!") == []
    assert reader.extra_bytes == 5
    reader.receive_eof()


def test_a_client_that_left_before_its_first_byte_is_no_error() -> None:
    RequestReader().receive_eof()


@pytest.mark.parametrize("digits", [b"00000004", b"ffffffff", b"-0000001"])
def test_an_unknown_version_is_refused(digits: bytes) -> None:
    with pytest.raises(UnservedProtocolError, match=r"protocol .* where 1, 2 or 3 was expected"):
        RequestReader().receive(b"DIST" + digits)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"GET / HTTP/1.1\r\n", r"token b'GET ' where b'DIST' was expected"),
        (b"*DIST00000001", r"token b'\*DIS' where b'DIST' was expected"),
        (b"DIST00000001ARGV00000005", r"token b'ARGV' where b'ARGC' was expected"),
        (b"DIST00000001argc00000005", r"token b'argc' where b'ARGC' was expected"),
        (b"DIST0000000gARGC", r"b'0000000g' after b'DIST', where eight hexadecimal digits were expected"),
        (b"DIST1       ARGC", r"b'1       ' after b'DIST'"),
        (b"DIST00000001ARGC00000000", r"ARGC is 0"),
        (b"DIST00000001ARGCffffffff", r"b'ARGC' brings 4294967295; the limit is 20000"),
        (b"DIST00000001ARGC00000001ARGVffffffff", r"b'ARGV' brings 4294967295; the limit is 8388608"),
        (b"DIST00000001ARGC00000001ARGV00000002ccDOTI40000001", r"b'DOTI' brings 1073741825; the limit is"),
        (b"DIST00000001ARGC00000001ARGV00000003c\0cDOTI00000000", r"argument 0 contains a NUL byte"),
    ],
)
def test_a_bad_request_is_told_what_was_found(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        RequestReader().receive(stream)


def test_the_arguments_of_a_request_share_one_limit() -> None:
    reader = RequestReader(SMALL)
    reader.receive(b"DIST00000001ARGC00000003ARGV0000000a0123456789ARGV0000000a0123456789")

    with pytest.raises(ProtocolError, match=r"b'ARGV' brings 21; the limit is 20"):
        reader.receive(b"ARGV00000001")


@pytest.mark.parametrize("length", range(1, len(V1_REQUEST)))
def test_a_client_may_leave_at_any_byte(length: int) -> None:
    reader = RequestReader()
    reader.receive(V1_REQUEST[:length])

    with pytest.raises(ProtocolError, match="the client left in the middle of its request"):
        reader.receive_eof()


# -- what a response may be


def test_a_server_that_closes_without_a_byte_has_refused() -> None:
    with pytest.raises(HostRefusedError, match="without an answer"):
        ResponseReader(1).receive_eof()


@pytest.mark.parametrize("length", range(1, len(V2_RESPONSE)))
def test_a_server_may_leave_at_any_byte(length: int) -> None:
    reader = ResponseReader(2)
    reader.receive(V2_RESPONSE[:length])

    with pytest.raises(ProtocolError, match="the host left in the middle of its response"):
        reader.receive_eof()


def test_a_failed_compile_may_claim_an_output_that_never_comes() -> None:
    reader = ResponseReader(1)

    events = reader.receive(b"DONE00000001STAT00000100SERR00000000SOUT00000000DOTOffffffff")
    reader.receive_eof()

    assert events[-1] == Response(0x100, b"", b"", b"")


def test_an_empty_object_is_legal() -> None:
    events = ResponseReader(2).receive(b"DONE00000002STAT00000000SERR00000000SOUT00000000DOTO00000000")

    assert events[-1] == Response(0, b"", b"", b"")


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"DONE00000001", "a response in protocol 1 to a request in protocol 2"),
        (b"DONE00000002SERR00000000", "token b'SERR' where b'STAT' was expected"),
        (b"DONE00000002STAT00000000SERR04000001", "b'SERR' brings 67108865; the limit is 67108864"),
        (b"DONE00000002STAT00000000SERR00000000SOUTffffffff", "b'SOUT' brings 4294967295"),
        (
            b"DONE00000002STAT00000000SERR00000000SOUT00000000DOTOffffffff",
            "b'DOTO' brings 4294967295; the limit is 1073741824",
        ),
    ],
)
def test_a_bad_response_is_told_what_was_found(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        ResponseReader(2).receive(stream)


# -- writing


def test_a_big_body_is_handed_on_without_a_copy() -> None:
    body = bytes(100_000)

    assert encode_request(1, ARGV, body)[-1] is body
    assert encode_response(1, 0, b"", b"", body)[-1] is body


def test_a_number_of_more_than_32_bits_is_our_own_error() -> None:
    with pytest.raises(InternalError, match="32 bit"):
        encode_response(1, 1 << 32, b"", b"", b"")


def test_a_plain_body_over_its_limit_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a body of 5 bytes; the limit is 4"):
        unpack_body(1, b"12345", 4)


@pytest.mark.parametrize("protocol", [1, 2])
def test_any_buffer_can_be_packed(protocol: int) -> None:
    plain = b"some text"

    packed = {pack_body(protocol, kind) for kind in (plain, bytearray(plain), memoryview(plain))}

    assert len(packed) == 1
