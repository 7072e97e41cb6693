"""The server's end of a fleet connection: what it makes of a client's bytes."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.model import Priority
from fleetcc.wire.fleet import (
    HEADER,
    MAX_PADDING_BYTES,
    Blob,
    Cancel,
    Decline,
    Demand,
    Error,
    ErrorCode,
    FrameReader,
    Grant,
    Hello,
    Job,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_jobs import UPLOAD_TIMEOUTS
from fleetcc.wire.fleet_requests import (
    CAPABILITIES,
    Cancelled,
    Complaint,
    Declined,
    Demanded,
    Event,
    Offered,
    Opened,
    Pinged,
    Reply,
    Uploaded,
)
from fleetcc.wire.fleet_server import (
    FRAME_BURST,
    FRAMES_PER_SECOND,
    MAX_HELLO_BYTES,
    FleetServer,
)

HELLO = Hello("agent", "test 1")
LIMIT = 1000
DIGEST = "0" * 64
SCRAP = b"x" * 10


def job(blob_bytes: int = 10, **fields: object) -> Job:
    told = {
        "kind": "preprocessed", "compiler": DIGEST, "argv": (b"gcc",), "form": "expanded",
        "blob_bytes": blob_bytes, "plain_bytes": blob_bytes, **fields,
    }  # fmt: skip
    return Job(**told)  # type: ignore[arg-type]


def blobs(number: int, data: bytes) -> bytes:
    return b"".join(encode_bulk(Blob, number, data))


def blob(number: int, data: bytes) -> bytes:
    return HEADER.pack(len(data), 8, number) + data


def opened(grants: int = 0) -> FleetServer:
    session = FleetServer(LIMIT, 0.0)
    assert session.receive(encode(0, HELLO), 0.0) == [Opened(HELLO)]
    if grants:
        session.grant(grants, 0.0)
    return session


def say(session: FleetServer, message: Message, number: int = 0, now: float = 0.0) -> list[Event]:
    return session.receive(encode(number, message), now)


def answer(events: list[Event]) -> tuple[int, Message]:
    """The one message that is sent back."""
    (reply,) = [event for event in events if isinstance(event, Reply)]
    (frame,) = FrameReader().receive(reply.data)
    return frame


def error(events: list[Event]) -> tuple[int, str]:
    number, message = answer(events)
    assert isinstance(message, Error)
    return number, message.code


# -- the beginning


def test_hello_comes_first():
    with pytest.raises(ProtocolError, match="Demand where Hello was expected"):
        say(FleetServer(LIMIT, 0.0), Demand(1))


def test_hello_comes_once():
    with pytest.raises(ProtocolError, match="second Hello"):
        say(opened(), HELLO)


def test_a_hello_that_does_not_end_is_not_kept_for_ever():
    session = FleetServer(LIMIT, 0.0)
    session.receive(HEADER.pack(500_000, 1, 0), 0.0)
    for _ in range(MAX_HELLO_BYTES // 1000):
        session.receive(b"x" * 1000, 0.0)
    with pytest.raises(ProtocolError, match="no Hello"):
        session.receive(b"x" * 1000, 0.0)


def test_a_hello_is_waited_for_until_it_is_overdue():
    session = FleetServer(LIMIT, 100.0)
    assert session.overdue(129.0, 30.0) is None
    assert session.overdue(130.0, 30.0) is not None
    session.receive(encode(0, HELLO), 130.0)
    assert session.overdue(1000.0, 30.0) is None


@pytest.mark.parametrize("message", [Welcome("x", "y", 1), Grant(1), Result(0), Output(b"x")])
def test_what_only_servers_send_ends_the_connection(message):
    with pytest.raises(ProtocolError, match="only servers"):
        say(opened(), message, 1) if not isinstance(message, Output) else opened().receive(
            HEADER.pack(1, 10, 1) + b"x", 0.0
        )


# -- demand and grants


def test_a_demand_replaces_the_one_before():
    session = opened()
    assert say(session, Demand(5, "interactive")) == [Demanded(5, Priority.INTERACTIVE)]
    assert say(session, Demand(0, "a newer word")) == [Demanded(0, Priority.NORMAL)]


def test_a_declined_grant_is_free_again_and_no_more_than_those():
    session = opened(grants=2)
    assert say(session, Decline(1)) == [Declined(1)]
    with pytest.raises(ProtocolError, match="2 grants declined where 1"):
        say(session, Decline(2))


def test_a_grant_that_nobody_uses_is_overdue():
    session = opened()
    session.grant(1, 10.0)
    session.grant(1, 20.0)
    assert session.overdue(39.0, 30.0) is None
    assert "grant" in (session.overdue(40.0, 30.0) or "")
    say(session, job(0), 1, 41.0)
    assert session.overdue(49.0, 30.0) is None
    say(session, Decline(1))
    assert session.overdue(1000.0, 30.0) is None


def test_when_the_server_leaves_unused_grants_are_void_and_late_jobs_are_told_why():
    session = opened(grants=2)
    session.drain("update")
    assert isinstance(say(session, job(0), 1)[0], Offered)
    session.revoke()
    assert error(say(session, job(0), 2)) == (2, "draining")
    assert say(session, Decline(1)) == [Declined(0)]


# -- jobs


def test_a_job_is_offered_and_then_uploaded():
    session = opened(grants=1)
    message = job(10)
    assert say(session, message, 7) == [Offered(7, message)]
    assert session.receive(blob(7, b"01234"), 0.0) == []
    assert session.receive(blob(7, b"56789"), 0.0) == [Uploaded(7, b"0123456789")]


def test_an_empty_source_is_here_at_once():
    message = job(0)
    assert say(opened(grants=1), message, 1) == [Offered(1, message), Uploaded(1, b"")]


def test_a_job_without_a_grant_ends_alone_and_its_source_is_passed_over():
    session = opened(grants=1)
    say(session, job(0), 1)
    assert error(say(session, job(900), 2)) == (2, "not-granted")
    assert session.receive(blobs(2, b"x" * 900), 0.0) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "files"}, "unsupported"),
        ({"form": "tokens"}, "unsupported"),
        ({"encoding": "lzo"}, "unsupported"),
        ({"blob_bytes": LIMIT + 1}, "too-large"),
        ({"plain_bytes": LIMIT + 1}, "too-large"),
        ({"argv": (b"gcc", b"-c", b"a\0b.i")}, "refused"),
        ({"argv": (b"",) * 20_001}, "refused"),
    ],
)
def test_a_job_that_is_not_served_uses_up_its_grant_and_ends_alone(fields, code):
    session = opened(grants=1)
    events = say(session, job(**{"blob_bytes": 10, **fields}), 1)
    assert events[0] == Declined(1)
    assert error(events) == (1, code)
    assert session.receive(blob(1, b"x" * 10), 0.0) == []
    assert session.jobs == 0


@pytest.mark.parametrize("number", [0, 3, 2])
def test_ids_grow(number):
    session = opened(grants=2)
    say(session, job(0), 3)
    with pytest.raises(ProtocolError, match="ids must grow"):
        say(session, job(0), number)


def test_more_source_than_was_announced_ends_the_connection():
    session = opened(grants=1)
    say(session, job(10), 1)
    with pytest.raises(ProtocolError, match="more bytes"):
        session.receive(blob(1, b"x" * 11), 0.0)


def test_more_source_after_the_end_ends_the_connection_while_the_job_lives():
    session = opened(grants=1)
    say(session, job(1), 1)
    session.receive(blob(1, b"x"), 0.0)
    with pytest.raises(ProtocolError, match="more bytes"):
        session.receive(blob(1, b"x"), 0.0)


def test_source_for_a_job_that_there_is_not_ends_the_connection():
    with pytest.raises(ProtocolError, match="Blob for job 1"):
        opened(grants=1).receive(blob(1, b"x"), 0.0)


def test_an_upload_without_progress_is_overdue_and_so_is_one_that_drips():
    session = opened(grants=2)
    say(session, job(500), 1, 0.0)
    say(session, job(500), 2, 0.0)
    for now in range(20, 20 * UPLOAD_TIMEOUTS, 20):
        session.receive(blob(1, b"x"), float(now))
        assert session.overdue(now + 19.0, 20.0) is None
    assert "unfinished" in (session.overdue(now + 20.0, 20.0) or "")
    session.receive(blob(1, b"x"), 20.0 * UPLOAD_TIMEOUTS)
    assert "did not come in" in (session.overdue(20.0 * UPLOAD_TIMEOUTS, 20.0) or "")
    say(session, Cancel(), 1)
    say(session, Cancel(), 2)
    assert session.overdue(10_000.0, 20.0) is None


# -- answers


def frames(data: bytes) -> list[tuple[int, Message]]:
    return [(frame.job, frame.message) for frame in FrameReader().receive(data)]


def uploaded(session: FleetServer, number: int = 1) -> None:
    say(session, job(0), number)


def test_a_result_follows_its_output():
    session = opened(grants=1)
    uploaded(session)
    result = Result(0, (Part("stderr", 3, 3), Part("object", 5, 5)))
    data = b"".join(session.result(1, result, [b"abc", b"01234"]))
    assert frames(data) == [(1, Output(b"abc")), (1, Output(b"01234")), (1, result)]
    assert session.jobs == 0


def test_every_job_gets_one_answer():
    session = opened(grants=3)
    for number in (1, 2, 3):
        uploaded(session, number)
    list(session.result(1, Result(0), []))
    assert session.failed(1, ErrorCode.FAILED, "late") == b""
    assert session.failed(2, ErrorCode.REFUSED, "no", "do this") != b""
    assert session.failed(2, ErrorCode.REFUSED, "no") == b""
    assert say(session, Cancel(), 3) == [Cancelled(3)]
    assert session.started(3) == b""
    assert session.failed(3, ErrorCode.CANCELLED, "cancelled") != b""
    assert session.started(3) == b""


def test_a_cancel_that_crosses_the_answer_changes_nothing():
    session = opened(grants=1)
    uploaded(session)
    list(session.result(1, Result(0), []))
    assert say(session, Cancel(), 1) == []


def test_a_cancel_is_told_once_and_what_is_on_its_way_is_passed_over():
    session = opened(grants=1)
    say(session, job(100), 1)
    session.receive(blob(1, b"x" * 50), 0.0)
    assert say(session, Cancel(), 1) == [Cancelled(1)]
    assert say(session, Cancel(), 1) == []
    assert session.receive(blob(1, b"x" * 80), 0.0) == []
    session.failed(1, ErrorCode.CANCELLED, "cancelled")
    assert session.receive(blob(1, b"x" * 80), 0.0) == []


@pytest.mark.parametrize("number", [0, 9])
def test_a_cancel_of_no_job_ends_the_connection(number):
    with pytest.raises(ProtocolError, match="Cancel"):
        say(opened(), Cancel(), number)


def test_a_result_that_is_cancelled_on_its_way_ends_early():
    session = opened(grants=1)
    uploaded(session)
    sending = session.result(1, Result(0, (Part("object", 400_000, 400_000),)), [bytes(400_000)])
    first = next(sending)
    assert say(session, Cancel(), 1) == [Cancelled(1)]
    (last,) = sending
    assert frames(first)[0][0] == 1
    assert error([Reply(last)]) == (1, "cancelled")
    assert session.jobs == 0


def test_what_is_quoted_of_a_client_is_cut_to_what_it_can_read():
    session = opened(grants=1)
    uploaded(session)
    number, message = answer([Reply(session.failed(1, ErrorCode.REFUSED, "x" * 100_000, "y" * 100_000))])
    assert number == 1
    assert isinstance(message, Error)


# -- everything else


def test_a_ping_is_answered_with_its_token_and_the_jobs_without_an_answer():
    session = opened(grants=2)
    uploaded(session, 1)
    uploaded(session, 4)
    session.failed(1, ErrorCode.FAILED, "x")
    assert say(session, Ping(77)) == [Pinged(77)]
    told = answer([Reply(session.pong(77, 1.8e9))])
    assert told == (0, Ping(77, answer=True, jobs=(4,), clock=1.8e9))
    assert say(session, Ping(77, answer=True)) == []


def test_the_padding_of_a_ping_is_a_pings_and_not_kept():
    session = opened()
    assert say(session, Ping(1, padding=bytes(MAX_PADDING_BYTES))) == [Pinged(1)]
    assert answer([Reply(session.pong(1, 0.0))]) == (0, Ping(1, answer=True))


def test_an_unknown_message_is_answered_and_passed_over():
    session = opened()
    assert error(session.receive(HEADER.pack(3, 200, 9) + b"abc", 0.0)) == (9, "unknown-message")
    assert say(session, Demand(1)) == [Demanded(1, Priority.NORMAL)]


def test_a_clients_error_is_told():
    complaint = Error("unknown-message", "what?")
    assert say(opened(), complaint) == [Complaint(complaint)]


def test_capabilities_name_kinds_forms_and_encodings():
    assert CAPABILITIES == ("preprocessed", "expanded", "directives", "zstd")


@pytest.mark.parametrize(
    "flood",
    [
        encode(0, Ping(1)),
        encode(0, Demand(1)),
        HEADER.pack(0, 200, 0),
        blob(1, b"x"),
        blob(1, b""),
        encode(1, Cancel()),
    ],
    ids=["pings", "demands", "unknown", "scraps", "empty blobs", "cancels"],
)
def test_a_flood_ends_the_connection(flood):
    session = FleetServer(1 << 30, 0.0)
    session.receive(encode(0, HELLO), 0.0)
    session.grant(1, 0.0)
    say(session, job(1 << 29), 1)
    with pytest.raises(ProtocolError, match="flood"):
        session.receive(flood * int(FRAME_BURST + 1), 0.0)


def test_jobs_without_grants_are_a_flood_too():
    session = opened()
    jobs = b"".join(encode(number, job(0)) for number in range(1, int(FRAME_BURST) + 10))
    with pytest.raises(ProtocolError, match="flood"):
        session.receive(jobs, 0.0)


def test_what_is_allowed_comes_back_with_time():
    session = opened()
    for second in range(100):
        session.receive(encode(0, Ping(1)) * int(FRAMES_PER_SECOND), float(second))


def test_granted_jobs_and_real_blobs_are_no_flood():
    session = FleetServer(1 << 30, 0.0)
    session.receive(encode(0, HELLO), 0.0)
    for number in range(1, int(FRAME_BURST) + 100):
        session.grant(1, 0.0)
        say(session, job(0), number)
    session.grant(1, 0.0)
    session.receive(encode(number + 1, job(100 << 20)), 0.0)
    for _ in range((100 << 20) // 8192):
        session.receive(blob(number + 1, bytes(8192)), 0.0)


# -- any bytes

STREAM = b"".join(
    (
        encode(0, HELLO),
        encode(0, Demand(3, "ci")),
        encode(1, job(300)),
        blobs(1, b"a" * 200),
        encode(0, Ping(5)),
        blobs(1, b"b" * 100),
        encode(2, job(5000)),
        encode(3, job(10)),
        HEADER.pack(2, 99, 0) + b"??",
        encode(3, Cancel()),
        blobs(3, b"c" * 4),
        encode(0, Decline(1)),
        encode(4, job(0, kind="files")),
    )
)


def events_of(pieces: list[bytes]) -> list[Event]:
    session = FleetServer(LIMIT, 0.0)
    found: list[Event] = []
    for piece in pieces:
        found += session.receive(piece, 0.0)
        if session.is_open and not session._grants and session._jobs.last_id == 0:
            session.grant(5, 0.0)
    return found


def test_the_events_are_the_same_however_the_bytes_are_cut():
    split = len(encode(0, HELLO))
    expected = events_of([STREAM[:split], STREAM[split:]])
    assert [type(event).__name__ for event in expected] == [
        "Opened", "Demanded", "Offered", "Pinged", "Uploaded", "Declined", "Reply", "Offered", "Reply",
        "Cancelled", "Declined", "Declined", "Reply",
    ]  # fmt: skip
    for seed in range(300):
        random = Random(seed)
        cuts = sorted({split, *(random.randrange(len(STREAM)) for _ in range(random.randrange(30)))})
        pieces = [STREAM[start:end] for start, end in itertools.pairwise([0, *cuts, len(STREAM)])]
        assert events_of(pieces) == expected
    assert events_of([STREAM[at : at + 1] for at in range(len(STREAM))]) == expected


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
def test_garbage_is_events_or_one_protocol_error(pieces, is_open):
    session = opened(grants=3) if is_open else FleetServer(LIMIT, 0.0)
    error_text: str | None = None
    for piece in pieces:
        try:
            session.receive(piece, 0.0)
            assert error_text is None
        except ProtocolError as error:
            error_text = str(error)
            break


@given(st.integers(0, len(STREAM) - 1), st.integers(0, 255), st.integers(0, 20))
def test_damage_is_events_or_one_protocol_error(at, byte, cut):
    damaged = STREAM[:at] + bytes([byte]) + STREAM[at + 1 + cut :]
    session = FleetServer(LIMIT, 0.0)
    session.grant(5, 0.0)
    try:
        for event in session.receive(damaged, 0.0):
            assert not isinstance(event, Uploaded) or len(event.raw) <= LIMIT
    except ProtocolError:
        pass
