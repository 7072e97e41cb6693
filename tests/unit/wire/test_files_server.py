"""The server's end of a replica on a fleet connection."""

import itertools
from random import Random

import pytest

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.files import (
    MAX_BLOB_BYTES,
    MAX_DIGESTS,
    MAX_PACK_BYTES,
    Contents,
    Directory,
    Entry,
    File,
    FileJob,
    Gone,
    Left,
    Link,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.files_server import ENTRIES_PER_SECOND, ENTRY_BURST
from fleetcc.wire.fleet import (
    HEADER,
    Blob,
    Cancel,
    Error,
    ErrorCode,
    FrameReader,
    Hello,
    Message,
    Part,
    Ping,
    Result,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_jobs import UPLOAD_TIMEOUTS
from fleetcc.wire.fleet_requests import (
    Cancelled,
    ContentsBegin,
    ContentsEnd,
    ContentsPiece,
    Declined,
    Event,
    FilesOffered,
    Opened,
    Pinged,
    Reply,
    Updated,
)
from fleetcc.wire.fleet_server import FRAME_BURST, FleetServer

HELLO = Hello("agent", "test 1", replica=b"s" * 16)
FIRST, SECOND, OTHER = b"1" * 16, b"2" * 16, b"3" * 16


def digest(number: int) -> bytes:
    return b"%032d" % number


def job(needs: int = 0, replica: bytes = FIRST, **fields: object) -> FileJob:
    told = {
        "replica": replica, "update": needs, "program": b"/bin/cc", "argv": (b"cc",), "environment": (),
        "cwd": b"/w", "umask": 0o22, "returns": (b"/w",), **fields,
    }  # fmt: skip
    return FileJob(**told)  # type: ignore[arg-type]


STATE = ReplicaState(FIRST)


def opened(grants: int = 0, hello: Hello = HELLO, state: ReplicaState | None = STATE) -> FleetServer:
    session = FleetServer(1000, 0.0)
    assert say(session, hello) == [Opened(hello)]
    if state is not None:
        assert frames(session.replica_state(state)) == [(0, state)]
    if grants:
        session.grant(grants, 0.0)
    return session


def say(session: FleetServer, message: Message, number: int = 0, now: float = 0.0) -> list[Event]:
    return session.receive(encode(number, message), now)


def blob(data: bytes, number: int = 0) -> bytes:
    return HEADER.pack(len(data), 8, number) + data


def frames(data: bytes) -> list[tuple[int, Message]]:
    return [(frame.job, frame.message) for frame in FrameReader().receive(data)]


def error(events: list[Event]) -> str:
    (reply,) = [event for event in events if isinstance(event, Reply)]
    ((_, message),) = frames(reply.data)
    assert isinstance(message, Error)
    return message.code


def puts(*numbers: int) -> dict[bytes, Entry]:
    return {b"/%d" % number: File(digest(number), 1, 2) for number in numbers}


# -- secrets


@pytest.mark.parametrize("size", [1, 15])
def test_a_secret_that_can_be_guessed_ends_the_connection(size: int) -> None:
    with pytest.raises(ProtocolError, match="secret"):
        say(FleetServer(1000, 0.0), Hello("a", "p", replica=b"s" * size))


@pytest.mark.parametrize("size", [0, 16, 64])
def test_a_long_secret_and_none_are_taken(size: int) -> None:
    assert len(say(FleetServer(1000, 0.0), Hello("a", "p", replica=b"s" * size))) == 1


NO_SECRET = Hello("agent", "test 1")


@pytest.mark.parametrize(
    "message",
    [Update(FIRST, 1), Contents(((digest(1), 1),), 1), Gone((digest(1),))],
    ids=lambda message: type(message).__name__,
)
def test_a_client_that_asked_for_no_replica_says_nothing_of_one(message: Message) -> None:
    with pytest.raises(ProtocolError, match=f"{type(message).__name__} from a client that asked for no"):
        say(opened(hello=NO_SECRET, state=None), message)


def test_its_job_made_of_files_ends_alone() -> None:
    events = say(opened(grants=1, hello=NO_SECRET, state=None), job(), 1)

    assert events[0] == Declined(1)
    assert error(events) == "unsupported"


def test_a_server_without_a_sandbox_says_so_to_each_job() -> None:
    session = opened(grants=1, state=None)

    assert error(say(session, job(), 1)) == "sandbox"
    with pytest.raises(ProtocolError, match="which it does not have"):
        say(session, Update(FIRST, 1))


# -- updates


def test_updates_follow_one_another() -> None:
    session = opened(state=ReplicaState(FIRST, 6))
    change = Update(FIRST, 7, puts(1, 2), (b"/old", b"/"))

    assert say(session, change) == [Updated(change)]
    assert say(session, Update(FIRST, 8, {b"/": Directory()})) == [
        Updated(Update(FIRST, 8, {b"/": Directory()}))
    ]
    for number in (7, 8, 10):
        with pytest.raises(ProtocolError, match=f"update {number} after update 8"):
            say(session, Update(FIRST, number))


@pytest.mark.parametrize(
    "update",
    [
        Update(FIRST, 1, {b"/a/../b": Directory()}),
        Update(FIRST, 1, {b"a": Directory()}),
        Update(FIRST, 1, {b"/": Link(b"a")}),
        Update(FIRST, 1, {b"/" + b"n" * 256: Directory()}),
        Update(FIRST, 1, {b"/a": Link(b"b\0")}),
        Update(FIRST, 1, puts(1), (b"/a", b"/b/")),
    ],
)
def test_paths_that_are_none_end_the_connection(update: Update) -> None:
    with pytest.raises(ProtocolError, match="an Update with"):
        say(opened(), update)


def test_what_is_said_of_a_replica_that_was_given_up_has_crossed_that() -> None:
    session = opened(grants=2)
    say(session, Update(FIRST, 1, puts(1)))
    session.replica_state(ReplicaState(SECOND))

    assert say(session, Update(FIRST, 2, puts(2))) == []
    events = say(session, job(2), 1)
    assert events[0] == Declined(1)
    assert error(events) == "replica-gone"
    assert say(session, Update(SECOND, 1)) == [Updated(Update(SECOND, 1))]
    assert say(session, job(1, SECOND), 2) == [FilesOffered(2, job(1, SECOND))]


def test_a_replica_that_there_never_was_ends_the_connection() -> None:
    with pytest.raises(ProtocolError, match="which it does not have"):
        say(opened(), Update(OTHER, 1))
    with pytest.raises(ProtocolError, match="which this client does not have"):
        say(opened(grants=1), job(0, OTHER), 1)


def test_the_biggest_replica_can_be_said_twice_and_then_comes_slowly() -> None:
    session = opened()
    names = [b"/%d" % number for number in range(MAX_DIGESTS)]
    entries: dict[bytes, Entry] = dict.fromkeys(names, Directory())
    whole = int(ENTRY_BURST) // (MAX_DIGESTS + 1)
    for number in range(whole):
        say(session, Update(FIRST, number + 1, entries))

    with pytest.raises(ProtocolError, match="entries of updates"):
        say(session, Update(FIRST, whole + 1, entries))


def test_entries_come_back_with_time_and_long_paths_count_for_more() -> None:
    def spent(path: bytes, each_second: int, seconds: int) -> None:
        session = opened()
        session._replica._entries.spend(0.0, ENTRY_BURST)
        for second in range(1, seconds + 1):
            for rank in range(each_second):
                removes = tuple(path + b"%d" % n for n in range(200))
                number = (second - 1) * each_second + rank + 1
                say(session, Update(FIRST, number, {}, removes), now=float(second))

    often = int(ENTRIES_PER_SECOND) // 201
    spent(b"/", often, 5)
    with pytest.raises(ProtocolError, match="a flood"):
        spent(b"/" + b"n" * 200 + b"/" + b"n" * 200, often, 5)


def test_empty_updates_are_a_flood() -> None:
    session = opened()

    stream = b"".join(encode(0, Update(FIRST, number)) for number in range(1, int(FRAME_BURST) + 2))

    with pytest.raises(ProtocolError, match="a flood"):
        session.receive(stream, 0.0)


# -- jobs


def test_a_job_uses_up_a_grant_and_is_answered_once() -> None:
    session = opened(grants=1)
    say(session, Update(FIRST, 1, puts(1)))

    assert say(session, job(1), 5) == [FilesOffered(5, job(1))]
    assert error(say(session, job(1), 6)) == "not-granted"
    assert session.started(5) != b""
    result = Result(0, (Part("file", 3, 3),), files=(Left(b"/w/x.o", 0o644),))
    assert frames(b"".join(session.result(5, result, [b"obj"])))[-1] == (5, result)
    assert session.jobs == 0


def test_a_job_that_needs_more_than_was_said_ends_the_connection() -> None:
    session = opened(grants=1)
    say(session, Update(FIRST, 1, puts(1)))

    with pytest.raises(ProtocolError, match="needs update 2 after update 1"):
        say(session, job(2), 1)


def test_a_job_that_cannot_be_ends_alone() -> None:
    session = opened(grants=1)

    events = say(session, job(cwd=b"relative"), 1)

    assert events[0] == Declined(1)
    assert error(events) == "refused"
    assert session.jobs == 0


def test_it_can_be_cancelled_and_pings_name_it() -> None:
    session = opened(grants=1)
    say(session, job(), 1)

    assert say(session, Ping(1)) == [Pinged(1)]
    assert frames(session.pong(1, 0.0)) == [(0, Ping(1, answer=True, jobs=(1,)))]
    assert say(session, Cancel(), 1) == [Cancelled(1)]
    assert session.failed(1, ErrorCode.CANCELLED, "cancelled") != b""


def test_nothing_follows_it() -> None:
    session = opened(grants=1)
    say(session, job(), 1)

    with pytest.raises(ProtocolError, match="more bytes"):
        session.receive(blob(b"x", 1), 0.0)


def test_a_result_that_fits_into_no_message_leaves_the_job_to_be_answered() -> None:
    session = opened(grants=1)
    say(session, job(), 1)
    files = tuple(Left(b"/w/%d" % number + b"n" * 2000, 0o644) for number in range(600))

    with pytest.raises(InternalError, match="a Result of"):
        session.result(1, Result(0, (Part("file", 0, 0),) * 600, files=files), [])
    assert session.failed(1, ErrorCode.TOO_LARGE, "600 files") != b""


# -- blobs


def asked(*numbers: int) -> FleetServer:
    session = opened()
    session.missing([digest(number) for number in numbers], 0.0)
    return session


def pack(*sizes: int, raw_bytes: int | None = None, encoding: str = "raw") -> Contents:
    """Of blobs 1, 2 ... with these sizes."""
    blobs = tuple((digest(number), size) for number, size in enumerate(sizes, start=1))
    return Contents(blobs, sum(sizes) if raw_bytes is None else raw_bytes, encoding)


def test_blobs_are_asked_for_once() -> None:
    session = opened()
    many = [digest(number) for number in range(MAX_DIGESTS + 2)]

    assert frames(session.missing([many[0], many[1], many[0]], 0.0)) == [(0, Missing((many[0], many[1])))]
    assert session.missing([many[1]], 0.0) == b""
    assert frames(session.missing(many, 0.0)) == [(0, Missing(tuple(many[2:])))]
    say(session, Contents(((many[1], 5),), 5))
    assert session.missing([many[1]], 0.0) == b""
    session.receive(blob(b"12345"), 0.0)
    assert session.missing([many[1]], 0.0) != b""
    assert len(frames(opened().missing(many, 0.0))) == 2


def test_contents_are_handed_on_as_they_come() -> None:
    session = asked(1, 2)
    contents = pack(3, 4)

    assert say(session, contents) == [ContentsBegin(contents)]
    assert session.receive(blob(b"01234"), 0.0) == [ContentsPiece(b"01234")]
    assert session.receive(blob(b"56"), 0.0) == [ContentsPiece(b"56"), ContentsEnd(is_whole=True)]


def test_empty_files_are_there_at_once() -> None:
    contents = pack(0, 0)

    assert say(asked(1, 2), contents) == [ContentsBegin(contents), ContentsEnd(is_whole=True)]


def test_jobs_and_their_sources_may_come_in_between() -> None:
    session = asked(1)
    session.grant(1, 0.0)
    say(session, pack(6))
    session.receive(blob(b"012"), 0.0)

    assert len(say(session, job(), 1)) == 1
    assert say(session, Update(FIRST, 1, puts(1))) != []
    assert session.receive(blob(b"345"), 0.0)[-1] == ContentsEnd(is_whole=True)


@pytest.mark.parametrize("contents", [pack(1, 1, 1), Contents(((digest(1), 1), (digest(1), 1)), 2)])
def test_blobs_that_nobody_asked_for_end_the_connection(contents: Contents) -> None:
    with pytest.raises(ProtocolError, match="not asked for"):
        say(asked(1, 2), contents)


def test_blobs_come_once_for_each_time_that_they_are_asked_for() -> None:
    session = asked(1)
    say(session, pack(0))

    with pytest.raises(ProtocolError, match="not asked for"):
        say(session, pack(0))


@pytest.mark.parametrize(
    ("contents", "is_good"),
    [
        (pack(10, raw_bytes=9), False),
        (pack(10, raw_bytes=11), False),
        (pack(10, raw_bytes=9, encoding="zstd"), True),
        (pack(10, raw_bytes=10, encoding="zstd"), True),
        (pack(10, raw_bytes=11, encoding="zstd"), False),
        (pack(10, raw_bytes=0, encoding="zstd"), False),
        (pack(0, raw_bytes=5, encoding="zstd"), False),
        (pack(10, encoding="lzo"), False),
        (pack(MAX_BLOB_BYTES), True),
        (pack(MAX_PACK_BYTES - 1, 1), True),
        (pack(MAX_PACK_BYTES, 1), False),
    ],
)
def test_sizes_are_compared_before_a_byte_has_come(contents: Contents, is_good: bool) -> None:
    session = asked(1, 2)

    if is_good:
        assert say(session, contents)[0] == ContentsBegin(contents)
    else:
        with pytest.raises(ProtocolError):
            say(session, contents)


def test_more_bytes_than_were_announced_end_the_connection() -> None:
    session = asked(1)
    say(session, pack(3))

    with pytest.raises(ProtocolError, match="more bytes of Blob"):
        session.receive(blob(b"0123"), 0.0)


def test_bytes_of_no_contents_end_the_connection() -> None:
    with pytest.raises(ProtocolError, match="no Contents is on its way"):
        asked(1).receive(blob(b"x"), 0.0)


def test_contents_do_not_mix() -> None:
    session = asked(1, 2)
    say(session, pack(3))

    with pytest.raises(ProtocolError, match="where 3 bytes of others were expected"):
        say(session, Contents(((digest(2), 1),), 1))


def test_what_is_gone_is_told_and_owed_no_longer() -> None:
    session = asked(1, 2)

    assert say(session, Gone((digest(1), digest(2)))) == [Gone((digest(1), digest(2)))]
    assert session.overdue(10_000.0, 30.0) is None
    with pytest.raises(ProtocolError, match="not asked for"):
        say(session, pack(1))


def test_a_blob_that_is_gone_on_its_way_ends_there() -> None:
    session = asked(1, 2)
    say(session, pack(1000))
    session.receive(blob(bytes(10)), 0.0)

    gone = Gone((digest(2), digest(1)))
    assert say(session, gone) == [ContentsEnd(is_whole=False), gone]
    assert session.overdue(1e6, 30.0) is None
    assert frames(session.missing([digest(1)], 0.0)) == [(0, Missing((digest(1),)))]


@pytest.mark.parametrize("gone", [(3,), (1, 3), (2, 2)])
def test_what_nobody_waits_for_cannot_be_gone(gone: tuple[int, ...]) -> None:
    session = asked(1, 2)
    say(session, pack(1000))

    with pytest.raises(ProtocolError, match="not asked for"):
        say(session, Gone(tuple(digest(number) for number in gone)))


def test_a_pack_goes_on_and_others_are_gone() -> None:
    session = asked(1, 2, 3)
    say(session, pack(500, 500))

    assert say(session, Gone((digest(3),))) == [Gone((digest(3),))]
    assert session.receive(blob(bytes(1000)), 0.0)[-1] == ContentsEnd(is_whole=True)


def test_blobs_without_progress_are_overdue() -> None:
    session = asked(1, 2)
    assert session.overdue(29.0, 30.0) is None
    assert session.overdue(30.0, 30.0) == "nothing of 2 blobs came for 30 s"
    session.missing([digest(3)], 29.0)  # to ask for more gives no time
    assert session.overdue(30.0, 30.0) is not None
    say(session, pack(5000), now=31.0)
    assert session.overdue(60.0, 30.0) is None
    session.receive(blob(bytes(4999)), 61.0)
    assert session.overdue(90.0, 30.0) is None
    assert session.overdue(91.0, 30.0) is not None


def test_blobs_that_drip_are_overdue_too() -> None:
    session = asked(1)
    say(session, pack(1 << 20), now=0.0)
    for now in range(1, 30 * UPLOAD_TIMEOUTS, 20):
        session.receive(blob(b"x"), float(now))
        assert session.overdue(float(now), 30.0) is None

    session.receive(blob(b"x"), 30.0 * UPLOAD_TIMEOUTS)
    assert "did not come in" in (session.overdue(30.0 * UPLOAD_TIMEOUTS, 30.0) or "")


def test_the_first_of_new_blobs_gets_its_whole_time() -> None:
    session = asked(1)
    say(session, pack(0), now=1.0)
    assert session.overdue(1000.0, 30.0) is None

    session.missing([digest(2)], 1000.0)

    assert session.overdue(1029.0, 30.0) is None
    assert session.overdue(1030.0, 30.0) is not None


@pytest.mark.parametrize("flood", [blob(b"x"), blob(b"")], ids=["scraps", "none"])
def test_scraps_are_a_flood(flood: bytes) -> None:
    session = asked(1, 2)
    say(session, Contents(((digest(2), 1 << 20),), 1 << 20))

    with pytest.raises(ProtocolError, match="flood"):
        session.receive(flood * int(FRAME_BURST + 1), 0.0)


@pytest.mark.parametrize(
    "message", [Missing((digest(1),)), ReplicaState(FIRST)], ids=["Missing", "ReplicaState"]
)
def test_what_only_servers_say_of_a_replica_ends_the_connection(message: Message) -> None:
    with pytest.raises(ProtocolError, match="only servers"):
        say(opened(), message)


# -- any bytes

STREAM = b"".join(
    (
        encode(0, Update(FIRST, 1, puts(1, 2), (b"/old",))),
        encode(1, job(1)),
        encode(0, pack(3, 9000)),
        blob(bytes(9000)),
        encode(0, Ping(5)),
        *encode_bulk(Blob, 0, bytes(3)),
        encode(2, job(1, cwd=b"w")),
        encode(0, Contents(((digest(3), 100),), 100)),
        encode(1, Cancel()),
        encode(0, Gone((digest(3), digest(4)))),
    )
)


def events_of(pieces: list[bytes]) -> list[Event]:
    session = opened(grants=2)
    session.missing([digest(number) for number in range(1, 5)], 0.0)
    return [event for piece in pieces for event in session.receive(piece, 0.0)]


def test_the_events_are_the_same_however_the_bytes_are_cut() -> None:
    expected = events_of([STREAM])
    assert [type(event).__name__ for event in expected] == [
        "Updated", "FilesOffered", "ContentsBegin", "ContentsPiece", "Pinged", "ContentsPiece", "ContentsEnd",
        "Declined", "Reply", "ContentsBegin", "Cancelled", "ContentsEnd", "Gone",
    ]  # fmt: skip
    for seed in range(200):
        random = Random(seed)
        cuts = sorted(random.randrange(len(STREAM)) for _ in range(random.randrange(30)))
        assert events_of([STREAM[a:b] for a, b in itertools.pairwise([0, *cuts, len(STREAM)])]) == expected
