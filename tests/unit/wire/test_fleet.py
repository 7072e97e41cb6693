"""The frames of the fleet protocol: bytes to messages and back."""

import struct
import tracemalloc
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.files import (
    MAX_BLOB_BYTES,
    MAX_DIGESTS,
    Contents,
    Directory,
    File,
    FileJob,
    Gone,
    Left,
    Link,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.fleet import (
    BULK_BYTES,
    HEADER,
    MAX_BODY_BYTES,
    MAX_COUNT,
    MAX_JOB_BYTES,
    MAX_PADDING_BYTES,
    OPENING,
    Blob,
    Cancel,
    Decline,
    Demand,
    Drain,
    Error,
    ErrorCode,
    Frame,
    FrameReader,
    Grant,
    Hello,
    Job,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Started,
    Unknown,
    Welcome,
    encode,
    encode_bulk,
)

DIGEST = "0123456789abcdef" * 4
RAW = bytes(range(32))
REPLICA = bytes(range(16))

words = st.text(max_size=128)
texts = st.text(max_size=200)
counts = st.integers(0, MAX_COUNT)
some = st.integers(1, MAX_COUNT)
sizes = st.integers(0, MAX_JOB_BYTES)
seconds = st.floats(0, 1e9)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
numbers = st.integers(0, 0xFFFF_FFFF)


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=4).map(tuple)


raw_digests = st.binary(min_size=32, max_size=32)
replicas = st.binary(min_size=16, max_size=16)
paths = st.binary(min_size=1, max_size=40)
blob_sizes = st.integers(0, MAX_BLOB_BYTES)
entries = st.one_of(
    st.builds(
        File,
        digest=raw_digests,
        size=blob_sizes,
        mtime_ns=st.integers(-(1 << 63), (1 << 63) - 1),
        executable=st.booleans(),
    ),
    st.builds(Link, target=paths),
    st.just(Directory()),
)


def at_least_one(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=1, max_size=4).map(tuple)


parts = st.builds(Part, name=words, raw_bytes=sizes, plain_bytes=sizes, encoding=words)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Hello,
        agent=words,
        program=words,
        user=words,
        capabilities=several(words),
        replica=st.binary(max_size=64),
    ),
    st.builds(
        Welcome,
        program=words,
        instance=words,
        slots=counts,
        compilers=several(digests),
        looking=st.booleans(),
        capabilities=several(words),
        ping_seconds=st.floats(0, 3600, exclude_min=True),
        name=words,
        sandbox=texts,
    ),
    st.builds(Demand, most=counts, priority=words),
    st.builds(Grant, count=some),
    st.builds(Decline, count=some),
    st.builds(
        Job,
        kind=words,
        compiler=digests,
        argv=several(st.binary(max_size=20)),
        form=words,
        blob_bytes=sizes,
        plain_bytes=sizes,
        encoding=words,
    ),
    st.builds(Missing, digests=at_least_one(raw_digests)),
    st.just(Started()),
    st.builds(
        Result,
        status=st.integers(0, 0xFFFF),
        parts=several(parts),
        run_seconds=seconds,
        cpu_seconds=seconds,
        peak_bytes=st.integers(0, 1 << 63),
        files=several(st.builds(Left, path=paths, mode=st.integers(0, 0o7777))),
    ),
    st.just(Cancel()),
    st.builds(
        Ping,
        token=numbers,
        answer=st.booleans(),
        jobs=several(numbers),
        padding=st.binary(max_size=200),
        clock=st.floats(0, 1e12),
    ),
    st.builds(Drain, why=texts),
    st.builds(Error, code=words, text=texts, remedy=texts),
    st.builds(
        Update,
        replica=replicas,
        number=numbers,
        puts=st.dictionaries(paths, entries, max_size=4),
        removes=several(paths),
        fork=st.booleans(),
    ),
    st.builds(ReplicaState, replica=replicas, number=numbers),
    st.builds(
        FileJob,
        replica=replicas,
        update=numbers,
        program=paths,
        argv=at_least_one(st.binary(max_size=20)),
        environment=several(st.binary(max_size=20)),
        cwd=paths,
        umask=st.integers(0, 0o777),
        returns=at_least_one(paths),
        label=texts,
    ),
    st.builds(
        Contents,
        blobs=at_least_one(st.tuples(raw_digests, blob_sizes)),
        raw_bytes=blob_sizes,
        encoding=words,
    ),
    st.builds(Gone, digests=at_least_one(raw_digests)),
)
frames = st.builds(Frame, numbers, messages)

NUMBERS: dict[type[Any], int] = {
    Hello: 1, Welcome: 2, Demand: 3, Grant: 4, Decline: 5, Job: 6, Missing: 7, Blob: 8, Started: 9,
    Output: 10, Result: 11, Cancel: 12, Ping: 13, Drain: 14, Error: 15,
    Update: 16, ReplicaState: 17, FileJob: 18, Contents: 19, Gone: 20,
}  # fmt: skip
BULK: tuple[type[Blob] | type[Output], ...] = (Blob, Output)


def frame(kind: type[Any] | int, body: object, job: int = 0) -> bytes:
    """A frame with any body: bytes as they are, anything else as MessagePack."""
    number = kind if isinstance(kind, int) else NUMBERS[kind]
    raw = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
    return struct.pack(">IBI", len(raw), number, job) + raw


def read(data: bytes) -> list[Frame]:
    return FrameReader().receive(data)


def message_of(data: bytes) -> Message:
    ((_, message),) = read(data)
    return message


def outcome(chunks: list[bytes]) -> list[Frame] | str:
    reader = FrameReader()
    try:
        return [found for chunk in chunks for found in reader.receive(chunk)]
    except ProtocolError as error:
        return str(error)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


# -- round trips


@given(frames)
def test_every_message_survives_the_journey(sent: Frame) -> None:
    assert read(encode(sent.job, sent.message)) == [sent]


@pytest.mark.parametrize("cls", BULK)
@pytest.mark.parametrize("size", [0, 1, BULK_BYTES - 1, BULK_BYTES, BULK_BYTES + 1, 3 * BULK_BYTES])
def test_bulk_travels_in_pieces_that_are_never_empty_and_never_too_long(
    cls: type[Blob] | type[Output], size: int
) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]

    found = [got for piece in encode_bulk(cls, 7, data) for got in read(piece)]

    assert all(got.job == 7 and isinstance(got.message, cls) for got in found)
    assert all(0 < len(got.message.data) <= BULK_BYTES for got in found)  # type: ignore[union-attr]
    assert b"".join(got.message.data for got in found) == data  # type: ignore[union-attr]


def test_every_type_has_the_agreed_number_and_a_header_of_nine_bytes() -> None:
    assert HEADER.size == 9
    for cls, number in NUMBERS.items():
        body = b"" if cls in BULK else msgspec.msgpack.encode(minimal(cls))
        assert type(message_of(struct.pack(">IBI", len(body), number, 0) + body)) is cls


def test_some_frames_have_the_agreed_bytes() -> None:
    assert encode(0, Grant(2)) == bytes.fromhex("00000008 04 00000000 81a5 636f756e74 02")
    assert encode(7, Cancel()) == bytes.fromhex("00000001 0c 00000007 80")
    assert encode(0, Ping(5)) == bytes.fromhex("00000008 0d 00000000 81a5 746f6b656e 05")
    assert list(encode_bulk(Blob, 7, b"int")) == [bytes.fromhex("00000003 08 00000007 696e74")]


def test_the_opening_is_no_request_of_distcc_and_longer_than_what_distccd_reads() -> None:
    assert OPENING == b"FLEETCC/1 FRAMES\r\n"
    assert len(OPENING) > 12


# -- newer and older peers


def minimal(cls: type[Any]) -> dict[str, object]:
    """The fields without which there is no such message."""
    needed: dict[type[Any], dict[str, object]] = {
        Hello: {"agent": "a", "program": "p"},
        Welcome: {"program": "p", "instance": "i", "slots": 0},
        Demand: {"most": 0},
        Grant: {"count": 1},
        Decline: {"count": 1},
        Job: {
            "kind": "preprocessed",
            "compiler": DIGEST,
            "argv": [b"cc"],
            "form": "expanded",
            "blob_bytes": 0,
            "plain_bytes": 0,
        },
        Missing: {"digests": [RAW]},
        Result: {"status": 0},
        Error: {"code": "failed", "text": "t"},
        Update: {"replica": REPLICA, "number": 1},
        ReplicaState: {"replica": REPLICA},
        FileJob: {
            "replica": REPLICA,
            "update": 0,
            "program": b"/usr/bin/cc",
            "argv": [b"cc"],
            "environment": [],
            "cwd": b"/w",
            "umask": 0o22,
            "returns": [b"/w"],
        },
        Contents: {"blobs": [(RAW, 3)], "raw_bytes": 3},
        Gone: {"digests": [RAW]},
    }
    return needed.get(cls, {})


STRUCTS = [cls for cls in NUMBERS if cls not in BULK]


@pytest.mark.parametrize("cls", STRUCTS)
def test_fields_that_are_missing_have_defaults(cls: type[Any]) -> None:
    body = minimal(cls)
    given_fields = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}

    assert message_of(frame(cls, body)) == cls(**given_fields)


@pytest.mark.parametrize("cls", STRUCTS)
def test_fields_of_a_newer_peer_are_passed_over(cls: type[Any]) -> None:
    newer = minimal(cls) | {"novelty": {"deep": [1, b"\xff", None, 2.5]}, "": "nameless"}

    assert message_of(frame(cls, newer)) == message_of(frame(cls, minimal(cls)))


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls in STRUCTS for name in minimal(cls)], ids=str)
def test_a_needed_field_that_is_missing_is_named(cls: type[Any], name: str) -> None:
    body = minimal(cls)
    del body[name]

    with pytest.raises(ProtocolError, match=f"a {cls.__name__} message that cannot be read.*`{name}`"):
        read(frame(cls, body))


@given(st.integers(0, 255).filter(lambda kind: kind not in NUMBERS.values()), st.binary(max_size=50), numbers)
def test_a_type_that_is_not_known_is_a_message_too(kind: int, body: bytes, job: int) -> None:
    assert read(frame(kind, body, job) + encode(0, Started())) == [
        Frame(job, Unknown(kind)),
        Frame(0, Started()),
    ]


def test_error_codes_of_newer_peers_are_texts_like_any_other() -> None:
    assert message_of(frame(Error, {"code": "too-hot", "text": "t"})) == Error("too-hot", "t")


def test_an_error_is_a_sentence_with_its_remedy() -> None:
    assert Error("failed", "the disk is full", "make room").sentence == "the disk is full; make room"
    assert Error("failed", "the disk is full").sentence == "the disk is full"


# -- streams


@given(st.lists(frames, max_size=5), st.lists(st.integers(0, 2000)))
def test_any_chunking_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode(job, message) for job, message in sent)

    assert outcome(cut(stream, cuts)) == sent


@given(
    st.lists(st.one_of(st.binary(max_size=40), frames.map(lambda found: encode(*found))), max_size=5),
    st.lists(st.integers(0, 500)),
)
def test_garbage_gives_frames_or_one_error_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)

    assert outcome(cut(stream, cuts)) == outcome([stream])


@given(st.sampled_from(STRUCTS), st.binary(max_size=60))
def test_any_body_is_a_message_or_a_protocol_error(cls: type[Any], body: bytes) -> None:
    found = outcome([frame(cls, body)])

    assert isinstance(found, list) or cls.__name__ in found


def test_a_big_message_may_come_byte_by_byte() -> None:
    sent = Frame(3, Job("preprocessed", DIGEST, (b"x" * 200_000,), "expanded", 0, 0))
    reader = FrameReader()
    stream = encode(*sent)

    found = [got for at in range(len(stream)) for got in reader.receive(stream[at : at + 1])]

    assert found == [sent]


def test_a_reader_that_failed_stays_failed() -> None:
    reader = FrameReader()
    with pytest.raises(ProtocolError) as first:
        reader.receive(frame(Grant, b"\xc1") + encode(0, Grant(1)))

    with pytest.raises(ProtocolError) as second:
        reader.receive(encode(0, Grant(1)))

    assert str(second.value) == str(first.value)


# -- limits


@pytest.mark.parametrize("kind", [*NUMBERS.values(), 0, 21, 255])
def test_a_length_beyond_the_limit_is_refused_when_its_header_is_read(kind: int) -> None:
    limit = BULK_BYTES if kind in {NUMBERS[cls] for cls in BULK} else MAX_BODY_BYTES
    assert read(HEADER.pack(limit, kind, 0)) == []

    for length in (limit + 1, 0xFFFF_FFFF):
        with pytest.raises(ProtocolError, match=f"type {kind} with {length} bytes; the limit is {limit}"):
            read(HEADER.pack(length, kind, 0))


def allocated(data: bytes) -> int:
    """How much memory reading this takes at most."""
    tracemalloc.start()
    try:
        outcome([data])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(0xFFFF_FFFF, 8, 1),
        HEADER.pack(MAX_BODY_BYTES, 6, 1) + b"\x81",
        frame(Ping, b"\x81\xa4jobs\xdd\xff\xff\xff\xff"),
        frame(Result, b"\x82\xa6status\x00\xa5parts\xdd\xff\xff\xff\xff"),
        frame(Drain, b"\x81\xa3why\xdb\xff\xff\xff\xff"),
        frame(Drain, b"\xdf\xff\xff\xff\xff"),
        frame(Job, b"\x81\xa4argv\x91\xc6\xff\xff\xff\xff"),
        frame(Update, b"\x81\xa4puts\xdf\xff\xff\xff\xff"),
        frame(Update, b"\x81\xa7removes\xdd\xff\xff\xff\xff"),
        frame(Missing, b"\x81\xa7digests\xdd\xff\xff\xff\xff"),
        frame(Contents, b"\x81\xa5blobs\xdd\xff\xff\xff\xff"),
    ],
    ids=[
        "bulk",
        "body",
        "array",
        "array of structs",
        "text",
        "map",
        "bytes",
        "entries",
        "removals",
        "digests",
        "blobs",
    ],
)
def test_nothing_is_allocated_for_what_is_only_claimed(data: bytes) -> None:
    outcome([data])  # whatever is made once

    assert allocated(data) < 64 << 10


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Hello, "agent", "a" * 129),
        (Hello, "user", 7),
        (Hello, "capabilities", ["a" * 129]),
        (Welcome, "slots", MAX_COUNT + 1),
        (Welcome, "slots", -1),
        (Welcome, "slots", 1.5),
        (Welcome, "compilers", ["0" * 63]),
        (Welcome, "compilers", ["0" * 64 + "\n"]),
        (Welcome, "compilers", ["A" * 64]),
        (Welcome, "ping_seconds", 0),
        (Welcome, "ping_seconds", 3601),
        (Welcome, "ping_seconds", float("nan")),
        (Welcome, "looking", 1),
        (Demand, "most", MAX_COUNT + 1),
        (Demand, "most", True),
        (Grant, "count", 0),
        (Grant, "count", MAX_COUNT + 1),
        (Decline, "count", 0),
        (Job, "blob_bytes", MAX_JOB_BYTES + 1),
        (Job, "plain_bytes", -1),
        (Job, "argv", ["text"]),
        (Job, "argv", b"cc"),
        (Job, "compiler", DIGEST[1:]),
        (Missing, "digests", [DIGEST]),
        (Missing, "digests", [RAW[1:]]),
        (Missing, "digests", [RAW + b"x"]),
        (Missing, "digests", []),
        (Missing, "digests", [RAW] * (MAX_DIGESTS + 1)),
        (Hello, "replica", b"x" * 65),
        (Hello, "replica", "x" * 16),
        (Welcome, "sandbox", "a" * 4097),
        (Update, "replica", REPLICA + b"x"),
        (Update, "number", 1 << 32),
        (Update, "puts", {b"/a": ["d"]} | {b"/%d" % n: ["d"] for n in range(MAX_DIGESTS)}),
        (Update, "puts", {b"": ["d"]}),
        (Update, "puts", {"/a": ["d"]}),
        (Update, "puts", {b"/" + b"a" * 4095: ["d"]}),
        (Update, "puts", {b"/dev/sda": ["b", 8, 0]}),
        (Update, "puts", {b"/a": ["l"]}),
        (Update, "puts", {b"/a": ["l", b""]}),
        (Update, "puts", {b"/a": ["f", RAW, -1, 0]}),
        (Update, "puts", {b"/a": ["f", RAW, MAX_BLOB_BYTES + 1, 0]}),
        (Update, "puts", {b"/a": ["f", RAW, 0, 1 << 63]}),
        (Update, "puts", {b"/a": ["f", RAW[1:], 0, 0]}),
        (Update, "removes", [b"/a"] * (MAX_DIGESTS + 1)),
        (Update, "removes", [b""]),
        (Update, "fork", 1),
        (ReplicaState, "replica", b""),
        (FileJob, "argv", []),
        (FileJob, "argv", [b""] * 100_001),
        (FileJob, "environment", [b"A=b"] * 1001),
        (FileJob, "umask", 0o1000),
        (FileJob, "returns", []),
        (FileJob, "returns", [b"/w"] * 101),
        (FileJob, "existing", [b""]),
        (FileJob, "existing", [b"/w/x.o"] * 101),
        (FileJob, "program", b""),
        (FileJob, "label", "a" * 4097),
        (Contents, "blobs", []),
        (Contents, "blobs", [(RAW, 0)] * (MAX_DIGESTS + 1)),
        (Contents, "blobs", [(RAW, MAX_BLOB_BYTES + 1)]),
        (Contents, "raw_bytes", MAX_BLOB_BYTES + 1),
        (Gone, "digests", []),
        (Result, "files", [{"path": b"/w/x.o", "mode": 0o644}] * 1001),
        (Result, "files", [{"path": b"/w/x.o", "mode": 0o10000}]),
        (Result, "files", [{"path": "/w/x.o", "mode": 0o644}]),
        (Result, "removed", [b""]),
        (Result, "removed", [b"/w/x.o"] * 101),
        (Result, "status", 0x1_0000),
        (Result, "status", -1),
        (Result, "parts", [{"name": "object", "raw_bytes": 0, "plain_bytes": 0}] * 1001),
        (Result, "parts", [{"name": "object", "raw_bytes": 0}]),
        (Result, "parts", [{"name": "object", "raw_bytes": MAX_JOB_BYTES + 1, "plain_bytes": 0}]),
        (Result, "run_seconds", float("nan")),
        (Result, "run_seconds", float("inf")),
        (Result, "run_seconds", -0.5),
        (Result, "cpu_seconds", float("nan")),
        (Result, "peak_bytes", -1),
        (Ping, "token", 1 << 32),
        (Ping, "token", -1),
        (Ping, "jobs", ["1"]),
        (Ping, "padding", bytes(MAX_PADDING_BYTES + 1)),
        (Ping, "padding", "text"),
        (Ping, "clock", -1),
        (Ping, "clock", float("nan")),
        (Ping, "clock", float("inf")),
        (Drain, "why", "a" * 4097),
        (Error, "code", "a" * 129),
        (Error, "text", "a" * 4097),
        (Error, "remedy", None),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:20],
)
def test_a_field_out_of_its_range_is_an_error_that_names_it(cls: type[Any], name: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=rf"a {cls.__name__} message that cannot be read: .*\$\.{name}"):
        read(frame(cls, minimal(cls) | {name: value}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x80\x80",
        b"\x90",
        b"\xc0",
        b"\x81\xa3why\xa2\xff\xfe",  # no UTF-8
        b"\x81\xa3foo" + b"\x91" * 100_000,  # deep
        b"\x81\x05\x01",
    ],
    ids=["empty", "reserved", "two", "array", "nil", "no text", "deep", "a number for a name"],
)
def test_a_body_that_is_no_message_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="a Drain message that cannot be read"):
        read(frame(Drain, body))


def test_a_message_that_no_peer_would_take_is_our_own_error() -> None:
    with pytest.raises(InternalError, match=r"a Job of \d+ bytes; the limit is 1048576"):
        encode(1, Job("preprocessed", DIGEST, (b"x" * MAX_BODY_BYTES,), "expanded", 0, 0))


def test_the_codes_of_errors_are_words_that_travel() -> None:
    for code in ErrorCode:
        assert message_of(encode(0, Error(code, "t"))) == Error(code.value, "t")
