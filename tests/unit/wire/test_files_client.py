"""The client's end of a replica on a fleet connection."""

from typing import Any

import pytest

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.files import (
    MAX_DIGESTS,
    MAX_JOB_PATHS,
    Contents,
    File,
    FileJob,
    Gone,
    Left,
    Link,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.files_client import Wanted
from fleetcc.wire.fleet import (
    BULK_BYTES,
    MAX_BODY_BYTES,
    Blob,
    Error,
    ErrorCode,
    FrameReader,
    Hello,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_answers import Failed, Finished, Reply
from fleetcc.wire.fleet_client import FleetClient

SECRET = b"s" * 16
HELLO = Hello("a-1", "fleetcc 9", replica=SECRET)
FIRST, SECOND = b"1" * 16, b"2" * 16
BURST = 1000


def digest(number: int) -> bytes:
    return b"%032d" % number


def say(client: FleetClient, *messages: Message, job: int = 0, now: float = 0.0) -> list[Any]:
    return client.receive(b"".join(encode(job, message) for message in messages), now)


def opened(number: int = 0) -> FleetClient:
    client = FleetClient(HELLO)
    state = ReplicaState(FIRST, number)
    welcome = Welcome("fleetccd 9", "i-1", 4)
    assert say(client, welcome, state) == [welcome, state]
    return client


def files(*numbers: int) -> dict[bytes, Any]:
    return {b"/%d" % number: File(digest(number), 1, 2) for number in numbers}


def update(number: int, *of: int, replica: bytes = FIRST) -> Update:
    return Update(replica, number, files(*of))


def job(needs: int = 0, replica: bytes = FIRST, **fields: Any) -> FileJob:
    return FileJob(replica, needs, b"/bin/cc", (b"cc",), (), b"/w", 0o22, **{"returns": (b"/w",), **fields})


def said(data: bytes) -> list[tuple[int, Message]]:
    return [tuple(frame) for frame in FrameReader().receive(data)]  # type: ignore[misc]


# -- the replica and its updates


def test_updates_and_jobs_are_frames_once_the_replica_is_known() -> None:
    client = opened()
    change = update(1, 1, 2)

    assert said(client.update(change)) == [(0, change)]
    number, head = client.file_job(job(1))
    assert said(head) == [(number, job(1))]
    assert client.outstanding == 1


def test_nothing_can_be_said_of_a_replica_before_it_is_known() -> None:
    client = FleetClient(HELLO)

    with pytest.raises(InternalError, match="of replica none"):
        client.update(update(1))
    with pytest.raises(InternalError, match="needs update 0"):
        client.file_job(job())
    assert client.outstanding == 0


@pytest.mark.parametrize(("number", "replica"), [(6, FIRST), (8, FIRST), (1, FIRST), (7, SECOND)])
def test_updates_follow_one_another_in_one_replica(number: int, replica: bytes) -> None:
    client = opened(number=6)

    with pytest.raises(InternalError, match=f"update {number} of"):
        client.update(update(number, replica=replica))
    client.update(update(7))


def test_a_job_needs_no_update_that_was_not_sent() -> None:
    client = opened(number=6)

    client.file_job(job(6))
    with pytest.raises(InternalError, match="needs update 7 where 6 were sent"):
        client.file_job(job(7))


def test_an_update_that_fits_into_no_frame_is_our_own_error_and_was_not_sent() -> None:
    client = opened()
    puts: dict[bytes, Any] = {
        b"/%d" % number: Link(b"x" * 4000) for number in range(MAX_BODY_BYTES // 4000 + 1)
    }

    with pytest.raises(InternalError, match="a Update of"):
        client.update(Update(FIRST, 1, puts))
    client.update(update(1))


def test_a_server_may_give_a_replica_up_and_the_new_one_is_empty() -> None:
    client = opened()
    client.update(update(1, 1))

    assert say(client, ReplicaState(SECOND)) == [ReplicaState(SECOND)]
    with pytest.raises(InternalError):
        client.update(update(2, 1))
    client.update(update(1, 1, replica=SECOND))
    client.file_job(job(5))  # of the old one: the server answers that it is gone


@pytest.mark.parametrize("state", [ReplicaState(FIRST), ReplicaState(FIRST, 3), ReplicaState(SECOND, 1)])
def test_a_replica_that_is_told_again_is_a_new_one(state: ReplicaState) -> None:
    with pytest.raises(ProtocolError, match="neither the first nor a new one"):
        say(opened(), state)


def test_a_client_that_asked_for_no_replica_gets_none() -> None:
    client = FleetClient(Hello("a", "p"))
    say(client, Welcome("p", "i", 1))

    with pytest.raises(ProtocolError, match="no replica was asked for"):
        say(client, ReplicaState(FIRST))


def test_replicas_that_come_and_go_are_a_flood() -> None:
    client = opened()

    states = [ReplicaState(b"%016d" % number) for number in range(30)]

    with pytest.raises(ProtocolError, match="a flood"):
        say(client, *states)


# -- what the server lacks


def test_what_the_server_lacks_is_told() -> None:
    client = opened()
    client.update(update(1, 1, 2, 3))

    assert say(client, Missing((digest(3), digest(1)))) == [Wanted((digest(3), digest(1)))]


@pytest.mark.parametrize("state", [None, 0])
def test_nothing_can_be_missing_of_no_replica(state: int | None) -> None:
    client = FleetClient(HELLO)
    say(client, Welcome("p", "i", 1))

    with pytest.raises(ProtocolError, match="Missing before a ReplicaState"):
        say(client, Missing((digest(1),)))


def asked(*numbers: int) -> FleetClient:
    """A client that owes these blobs."""
    client = opened()
    client.update(update(1, *numbers))
    asks(client, numbers[0], len(numbers))
    return client


def asks(client: FleetClient, first: int, count: int) -> None:
    for start in range(first, first + count, MAX_DIGESTS):
        some = range(start, min(start + MAX_DIGESTS, first + count))
        say(client, Missing(tuple(digest(number) for number in some)))


def test_everything_that_was_told_may_be_asked_for_and_little_more() -> None:
    client = opened()
    for number in range(10):
        client.update(update(number + 1, *range(number * 1000, (number + 1) * 1000)))

    asks(client, 0, 10_000)
    asks(client, 20_000, BURST - 51)  # a WELCOME and a REPLICA_STATE came before

    with pytest.raises(ProtocolError, match="a flood"):
        asks(client, 30_000, 1)


def test_the_same_blob_cannot_be_asked_for_endlessly() -> None:
    client = opened()
    client.update(update(1, *range(4000)))

    with pytest.raises(ProtocolError, match="a flood"):
        say(client, *[Missing((digest(1),))] * (BURST + 10))


def test_what_an_earlier_connection_has_told_may_be_asked_for_too() -> None:
    asks(opened(number=3), 0, 50_000)


def test_of_a_new_replica_everything_may_be_asked_for_again() -> None:
    client = opened()
    client.update(update(1, *range(4000)))
    asks(client, 0, 4000)
    say(client, ReplicaState(SECOND))
    client.update(update(1, *range(4000), replica=SECOND))

    asks(client, 0, 4000)


# -- what the client sends


def test_contents_are_a_frame_and_blobs_of_the_connection() -> None:
    raw = b"x" * (BULK_BYTES + 5)
    contents = Contents(((digest(1), len(raw)),), len(raw))

    frames = [said(frame) for frame in asked(1).contents(contents, raw)]

    assert frames == [[(0, contents)], [(0, Blob(raw[:BULK_BYTES]))], [(0, Blob(b"xxxxx"))]]


def test_contents_may_be_a_view_of_a_file() -> None:
    raw = b"0123456789"
    contents = Contents(((digest(1), 4),), 4)

    assert b"".join(asked(1).contents(contents, memoryview(raw)[2:6])).endswith(b"2345")


def test_empty_files_are_contents_without_blobs() -> None:
    client = asked(1, 2)
    contents = Contents(((digest(1), 0),), 0)

    assert [said(frame) for frame in client.contents(contents, b"")] == [[(0, contents)]]
    assert len(list(client.contents(Contents(((digest(2), 0),), 0), b""))) == 1


def test_contents_of_another_size_are_our_own_error() -> None:
    with pytest.raises(InternalError, match="Contents of 4 bytes with 3"):
        opened().contents(Contents(((digest(1), 4),), 4), b"abc")


def test_contents_do_not_mix_with_others_but_follow_when_the_last_frame_was_taken() -> None:
    client = asked(1, 2, 3)
    other = Contents(((digest(2), 3),), 3)
    first = client.contents(Contents(((digest(1), 3),), 3), b"abc")
    second = client.contents(other, b"def")
    next(first)

    with pytest.raises(InternalError, match="in the middle of another"):
        next(second)
    next(first)
    assert len(list(client.contents(Contents(((digest(3), 3),), 3), b"ghi"))) == 2
    assert list(first) == []


@pytest.mark.parametrize("number", [1, 2])
def test_each_blob_that_was_asked_for_is_answered_once(number: int) -> None:
    client = asked(1)
    list(client.contents(Contents(((digest(1), 0),), 0), b""))

    with pytest.raises(InternalError, match="not asked for"):
        list(client.contents(Contents(((digest(number), 0),), 0), b""))
    assert client.gone([digest(number)]) == b""


def test_what_is_gone_is_said_in_as_many_frames_as_it_needs() -> None:
    digests = [digest(number) for number in range(MAX_DIGESTS + 1)]
    client = asked(*range(MAX_DIGESTS - 1))
    client.update(update(2, MAX_DIGESTS - 1, MAX_DIGESTS))
    asks(client, MAX_DIGESTS - 1, 2)

    frames = said(client.gone([*digests, digests[0], digest(MAX_DIGESTS + 2)]))

    assert frames == [(0, Gone(tuple(digests[:MAX_DIGESTS]))), (0, Gone((digests[-1],)))]
    assert client.gone(digests) == b""


def test_a_blob_that_is_gone_while_it_is_sent_is_not_sent_on() -> None:
    client = asked(1, 2)
    raw = bytes(3 * BULK_BYTES)
    frames = client.contents(Contents(((digest(1), len(raw)),), len(raw)), raw)
    next(frames), next(frames)

    assert said(client.gone([digest(1)])) == [(0, Gone((digest(1),)))]

    assert list(frames) == []
    assert len(list(client.contents(Contents(((digest(2), 1),), 1), b"x"))) == 2


def test_a_blob_that_is_gone_before_it_is_sent_is_not_sent() -> None:
    client = asked(1, 2)
    frames = client.contents(Contents(((digest(1), 3),), 3), b"abc")

    assert said(client.gone([digest(1)])) == [(0, Gone((digest(1),)))]
    asks(client, 1, 1)  # again: the file has become what it was
    again = client.contents(Contents(((digest(1), 3),), 3), b"abc")

    assert list(frames) == []
    assert len(list(again)) == 2


def test_a_pack_is_sent_on_whatever_is_gone() -> None:
    client = asked(1, 2)
    raw = bytes(2 * BULK_BYTES)
    frames = client.contents(Contents(((digest(1), 1), (digest(2), len(raw) - 1)), len(raw)), raw)
    next(frames)

    assert client.gone([digest(1)]) == b""
    assert len(list(frames)) == 2


# -- results


def finished(
    result: Result, data: bytes, returns: tuple[bytes, ...] = (b"/w",), existing: tuple[bytes, ...] = ()
) -> Finished:
    client = opened()
    number, _ = client.file_job(job(returns=returns, existing=existing))
    client.receive(b"".join(encode_bulk(Output, number, data)), 0.0)
    (event,) = say(client, result, job=number)
    assert isinstance(event, Finished)
    assert client.outstanding == 0
    return event


def part(name: str, size: int) -> Part:
    return Part(name, size, size)


OBJECT, DEPFILE = Left(b"/w/x.o", 0o644), Left(b"/w/deps/x.d", 0o600)


def test_files_come_with_their_parts_in_order() -> None:
    result = Result(
        0, (part("stderr", 3), part("file", 4), part("stdout", 1), part("file", 0)), files=(OBJECT, DEPFILE)
    )

    event = finished(result, b"errobjxo")

    assert [(left.path, data) for left, _, data in event.files()] == [
        (b"/w/x.o", b"objx"),
        (b"/w/deps/x.d", b""),
    ]
    assert [data for _, data in event.parts()] == [b"err", b"objx", b"o", b""]


def test_a_compiler_that_failed_may_leave_nothing_or_something() -> None:
    assert list(finished(Result(0x100, (part("stderr", 3),)), b"err").files()) == []
    assert len(list(finished(Result(0x100, (part("file", 1),), files=(DEPFILE,)), b"d").files())) == 1


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ((OBJECT,), 0),
        ((), 1),
        ((OBJECT, OBJECT), 2),
        ((Left(b"/etc/passwd", 0o644),), 1),
        ((Left(b"/w/../etc/passwd", 0o644),), 1),
        ((Left(b"/w", 0o644),), 1),
        ((Left(b"w/x.o", 0o644),), 1),
    ],
    ids=["no part", "no file", "twice", "elsewhere", "dots", "the directory", "relative"],
)
def test_a_result_that_leaves_files_where_none_are_expected_is_an_error(
    files: tuple[Left, ...], count: int
) -> None:
    with pytest.raises(ProtocolError, match="a Result "):
        finished(Result(0, (part("file", 0),) * count, files=files), b"")


def test_a_compiler_may_remove_outputs_that_were_there() -> None:
    old = (b"/w/x.o", b"/elsewhere/x.d", b"/w/x.s")

    event = finished(Result(0x100, removed=old[:2]), b"", existing=old)

    assert event.result.removed == old[:2]


@pytest.mark.parametrize("existing", [(), (b"/w/x.d",)])
def test_a_removal_of_anything_else_is_an_error(existing: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError, match=r"removal of b'/w/x\.o'"):
        finished(Result(0x100, removed=(b"/w/x.o",)), b"", existing=existing)


def test_a_file_that_is_removed_and_left_is_an_error() -> None:
    result = Result(0, (part("file", 0),), files=(OBJECT,), removed=(OBJECT.path,))

    with pytest.raises(ProtocolError, match="removed as well"):
        finished(result, b"", existing=(OBJECT.path,))


@pytest.mark.parametrize("fields", ["returns", "existing"])
def test_a_job_with_more_paths_than_fit_is_not_sent(fields: str) -> None:
    client = opened()
    few: dict[str, Any] = {fields: (b"/w",) * MAX_JOB_PATHS}
    many: dict[str, Any] = {fields: (b"/w",) * (MAX_JOB_PATHS + 1)}
    client.file_job(job(**few))

    with pytest.raises(InternalError, match="101"):
        client.file_job(job(**many))


def test_a_text_job_leaves_no_files() -> None:
    with pytest.raises(ProtocolError, match="not asked for"):
        finished(Result(0, (part("file", 0),), files=(OBJECT,)), b"", returns=())


def test_an_error_ends_a_job_made_of_files_and_pings_name_it() -> None:
    client = opened()
    number, _ = client.file_job(job())
    (reply,) = say(client, Ping(3))
    assert isinstance(reply, Reply)
    assert said(reply.data) == [(0, Ping(3, answer=True, jobs=(number,)))]
    error = Error(ErrorCode.CHANGED, "x.h has changed")

    assert say(client, error, job=number) == [Failed(number, error)]


@pytest.mark.parametrize(
    "message",
    [update(1), job(), Contents(((digest(1), 1),), 1), Gone((digest(1),))],
    ids=lambda message: type(message).__name__,
)
def test_what_only_clients_say_of_a_replica_is_an_error(message: Message) -> None:
    with pytest.raises(ProtocolError, match=f"{type(message).__name__}, which only clients send"):
        say(opened(), message)
