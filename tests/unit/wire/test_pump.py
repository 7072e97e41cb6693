"""distcc protocol 3: a captured session, round trips, chunking, limits, garbage."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.wire.distcc import (
    Limits,
    RequestReader,
    Response,
    ResponseReader,
    ResponseStarted,
    encode_response,
    unpack_body,
)
from fleetcc.wire.packets import header
from fleetcc.wire.pump import (
    MAX_PATH_BYTES,
    Content,
    PumpBody,
    PumpFile,
    PumpHead,
    PumpLimits,
    Target,
    encode_pump_request,
)
from tests.support.distcc_sessions import V3_REQUEST

ARGV = (b"x86_64-linux-gnu-gcc", b"-S", b"t.c", b"-o", b"t.s")
SMALL = Limits(
    max_arguments=4,
    max_argument_bytes=20,
    pump=PumpLimits(max_files=3, max_path_bytes=60, max_file_bytes=50),
)

words = st.binary(max_size=12).filter(lambda word: b"\0" not in word)
arguments = st.lists(words, min_size=1, max_size=6)
paths = words.map(lambda word: b"/" + word)
holdings = st.one_of(st.binary(max_size=60).map(Content), paths.map(Target))
files = st.lists(st.builds(PumpFile, paths, holdings), max_size=6)
cuts = st.lists(st.integers(0, 4000))


def _cut(stream: bytes, at: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in at), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def _outcome(reader: RequestReader | ResponseReader, chunks: Sequence[bytes]) -> object:
    """The events, or the text of the one error."""
    events: list[object] = []
    try:
        for chunk in chunks:
            events += reader.receive(chunk)
        reader.receive_eof()
    except ProtocolError as error:
        return str(error)
    return events


def _request(*sent: PumpFile, cwd: bytes = b"/w", argv: Sequence[bytes] = ARGV) -> bytes:
    return b"".join(encode_pump_request(cwd, argv, sent))


def test_a_captured_request_is_read_and_written_byte_for_byte() -> None:
    reader = RequestReader()

    head, body = reader.receive(V3_REQUEST)

    assert head == PumpHead(b"/proj", ARGV, 1)
    assert isinstance(body, PumpBody)
    (file,) = body.files
    assert isinstance(file.holds, Content)
    assert (file.name, unpack_body(3, file.holds.raw, 100)) == (b"/proj/t.c", b"int x;\n")
    assert body.raw_bytes == 11
    assert b"".join(encode_pump_request(b"/proj", ARGV, body.files)) == V3_REQUEST
    assert reader.is_complete


@given(paths, arguments, files, cuts)
def test_a_request_survives_the_journey_in_any_chunks(
    cwd: bytes, argv: list[bytes], sent: list[PumpFile], at: list[int]
) -> None:
    stream = b"".join(encode_pump_request(cwd, argv, sent))

    events = _outcome(RequestReader(), _cut(stream, at))

    assert events == [PumpHead(cwd, tuple(argv), len(sent)), PumpBody(tuple(sent))]


@given(files, st.integers(0, 4000), st.binary(max_size=3), cuts)
def test_a_damaged_request_has_one_outcome_in_any_chunks(
    sent: list[PumpFile], place: int, damage: bytes, at: list[int]
) -> None:
    whole = _request(*sent)
    place %= len(whole)
    stream = whole[:place] + damage + whole[place + 1 :]

    assert _outcome(RequestReader(SMALL), _cut(stream, at)) == _outcome(RequestReader(SMALL), [stream])


@given(st.sampled_from((0, 0x100, 9)), st.lists(st.binary(max_size=80), min_size=4, max_size=4), cuts)
def test_a_response_survives_the_journey_in_any_chunks(
    status: int, bodies: list[bytes], at: list[int]
) -> None:
    stderr, stdout, output, dependencies = bodies
    stream = b"".join(encode_response(3, status, *bodies))

    events = _outcome(ResponseReader(3), _cut(stream, at))

    expected = Response(status, stderr, stdout, output, dependencies)
    if status:
        expected = Response(status, stderr, stdout, b"", b"")
    assert events == [ResponseStarted(status), expected]


def test_a_failed_response_ends_with_its_empty_output() -> None:
    assert b"".join(encode_response(3, 0x100, b"e", b"", b"lost", b"lost")).endswith(b"DOTO00000000")


def test_a_response_without_its_dependency_file_is_not_complete() -> None:
    reader = ResponseReader(3)
    stream = b"".join(encode_response(3, 0, b"", b"", b"o", b"d"))
    reader.receive(stream[:-13])
    with pytest.raises(ProtocolError, match="middle of its response"):
        reader.receive_eof()


def test_the_head_comes_before_any_file() -> None:
    head = _request(PumpFile(b"/a", Content(b"x")))
    at = head.index(b"NAME")

    assert RequestReader().receive(head[:at]) == [PumpHead(b"/w", ARGV, 1)]


_HEAD = header(b"DIST", 3) + header(b"CDIR", 2) + b"/w" + header(b"ARGC", 1) + header(b"ARGV", 3) + b"gcc"
_ONE = _HEAD + header(b"NFIL", 1)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (header(b"DIST", 3) + header(b"ARGC", 1), "token b'ARGC' where b'CDIR' was expected"),
        (header(b"DIST", 3) + header(b"CDIR", 0), "b'CDIR' b'' where a path was expected"),
        (header(b"DIST", 3) + header(b"CDIR", 1) + b"w", "CDIR b'w' where an absolute directory"),
        (header(b"DIST", 3) + header(b"CDIR", 0xFFFFFFFF), "brings 4294967295; the limit is 4095"),
        (_HEAD + header(b"DOTI", 1), "token b'DOTI' where b'NFIL' was expected"),
        (_HEAD + header(b"NFIL", 4), "b'NFIL' brings 4; the limit is 3"),
        (_HEAD + header(b"NFIL", 0xFFFFFFFF), "brings 4294967295; the limit is 3"),
        (_ONE + header(b"NAME", 0), "b'NAME' b'' where a path was expected"),
        (_ONE + header(b"NAME", 61), "b'NAME' brings 61; the limit is 60"),
        (_ONE + header(b"NAME", MAX_PATH_BYTES + 1), "brings 4096; the limit is 4095"),
        (_ONE + header(b"NAME", 3) + b"/\0a", "where a path was expected"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"DOTI", 1), "where b'FILE' or b'LINK' was expected"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"FILE", 51), "b'FILE' brings 51; the limit is 50"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"FILE", 0xFFFFFFFF), "the limit is 50"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"LINK", 59), "b'LINK' brings 61; the limit is 60"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"LINK", 0), "b'LINK' b'' where a path was expected"),
        (_ONE + header(b"NAME", 2) + b"/a" + header(b"LINK", 2) + b"a\0", "where a path was expected"),
    ],
)
def test_what_is_wrong_is_told_before_its_bytes_come(stream: bytes, message: str) -> None:
    assert message in str(_outcome(RequestReader(SMALL), [stream]))


def test_the_limit_on_contents_is_for_all_together() -> None:
    stream = _request(
        PumpFile(b"/a", Content(bytes(30))), PumpFile(b"/b", Content(bytes(21))), argv=(b"gcc",)
    )

    assert "b'FILE' brings 51; the limit is 50" in str(_outcome(RequestReader(SMALL), [stream]))


def test_no_files_are_a_request_too() -> None:
    assert RequestReader().receive(_request())[-1] == PumpBody(())
