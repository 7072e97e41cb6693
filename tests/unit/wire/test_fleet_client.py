"""The client's end of a fleet connection: what may be said, and what is made of what was said back."""

from typing import Any

import pytest

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.files import Missing, ReplicaState
from fleetcc.wire.fleet import (
    BULK_BYTES,
    HEADER,
    MAX_BODY_BYTES,
    MAX_COUNT,
    OPENING,
    Blob,
    Cancel,
    Decline,
    Demand,
    Drain,
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
    Started,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_answers import Began, Closing, Failed, Finished, Forgotten, Reply
from fleetcc.wire.fleet_client import FleetClient

HELLO = Hello("a-1", "fleetcc 9")
WELCOME = Welcome("fleetccd 9", "i-1", 4)
JOB = Job("preprocessed", "0" * 64, (b"cc",), "expanded", 3, 3)
BURST = 1000
PER_SECOND = 100


def say(client: FleetClient, *messages: Message, job: int = 0, now: float = 0.0) -> list[Any]:
    """What comes of these messages of the server."""
    return client.receive(b"".join(encode(job, message) for message in messages), now)


def output(client: FleetClient, job: int, data: bytes) -> list[Any]:
    return client.receive(b"".join(encode_bulk(Output, job, data)), 0.0)


def opened() -> FleetClient:
    client = FleetClient(HELLO)
    assert say(client, WELCOME) == [WELCOME]
    return client


def with_job(client: FleetClient) -> int:
    """A job that has been sent."""
    client.demand(1, "normal")
    say(client, Grant(1))
    return client.job(JOB)[0]


def said(data: bytes) -> list[tuple[int, Message]]:
    return [tuple(frame) for frame in FrameReader().receive(data)]  # type: ignore[misc]


# -- what is sent


def test_it_opens_with_the_protocol_and_who_it_is() -> None:
    data = FleetClient(HELLO).opening()

    assert data.startswith(OPENING)
    assert said(data[len(OPENING) :]) == [(0, HELLO)]


def test_demands_and_declines_are_messages_of_the_connection() -> None:
    client = opened()

    assert said(client.demand(3, "ci")) == [(0, Demand(3, "ci"))]
    assert said(client.decline(2)) == [(0, Decline(2))]


def test_more_jobs_than_a_demand_can_say_are_as_many_as_it_can_say() -> None:
    assert said(opened().demand(MAX_COUNT + 5, "normal")) == [(0, Demand(MAX_COUNT, "normal"))]


def test_jobs_have_growing_ids_and_are_owed_until_they_are_answered() -> None:
    client = opened()

    first, head = client.job(JOB)
    second, _ = client.job(JOB)

    assert (first, second) == (1, 2)
    assert said(head) == [(1, JOB)]
    assert client.outstanding == 2


def test_a_job_that_does_not_fit_into_a_message_is_an_error_and_owed_nothing() -> None:
    client = opened()

    with pytest.raises(InternalError):
        client.job(Job("preprocessed", "0" * 64, (b"x" * MAX_BODY_BYTES,), "expanded", 0, 0))

    assert client.outstanding == 0
    assert client.job(JOB)[0] == 1


def test_a_source_travels_in_blobs() -> None:
    client = opened()
    number = with_job(client)
    data = b"x" * (BULK_BYTES + 1)

    pieces = [said(piece) for piece in client.blobs(number, data)]

    assert pieces == [[(number, Blob(data[:BULK_BYTES]))], [(number, Blob(b"x"))]]


@pytest.mark.parametrize("how", ["cancelled", "answered"])
def test_the_rest_of_a_source_that_nobody_needs_is_not_sent(how: str) -> None:
    client = opened()
    number = with_job(client)
    pieces = client.blobs(number, b"x" * (3 * BULK_BYTES))
    next(pieces)

    if how == "cancelled":
        client.cancel(number)
    else:
        say(client, Error(ErrorCode.FAILED, "no disk"), job=number)

    assert list(pieces) == []


def test_a_job_is_cancelled_once_and_owed_until_the_server_says_so() -> None:
    client = opened()
    number = with_job(client)

    assert said(client.cancel(number)) == [(number, Cancel())]
    assert client.cancel(number) == b""
    assert client.outstanding == 1
    assert say(client, Error(ErrorCode.CANCELLED, "cancelled"), job=number) == []
    assert client.outstanding == 0
    assert client.cancel(number) == b""


# -- the beginning


@pytest.mark.parametrize(
    "message",
    [Grant(1), Started(), Result(0), Ping(), Drain(), Missing((bytes(32),)), ReplicaState(bytes(16))],
    ids=lambda message: type(message).__name__,
)
def test_a_server_says_what_it_is_before_anything_else(message: Message) -> None:
    with pytest.raises(ProtocolError, match=f"{type(message).__name__} where Welcome was expected"):
        say(FleetClient(HELLO), message)


def test_a_server_may_refuse_the_connection_instead() -> None:
    error = Error(ErrorCode.TOO_MANY, "32 connections", "one is enough")

    assert say(FleetClient(HELLO), error) == [Closing(error)]


def test_a_second_welcome_is_news() -> None:
    client = opened()
    newer = Welcome("fleetccd 9", "i-1", 4, compilers=("0" * 64,))

    assert say(client, newer) == [newer]


@pytest.mark.parametrize(
    "message",
    [HELLO, Demand(1), Decline(1), JOB, Cancel()],
    ids=lambda message: type(message).__name__,
)
def test_what_only_clients_say_is_an_error(message: Message) -> None:
    with pytest.raises(ProtocolError, match=f"{type(message).__name__}, which only clients send"):
        say(opened(), message)


def test_a_blob_from_a_server_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="Blob, which only clients send"):
        opened().receive(b"".join(encode_bulk(Blob, 1, b"x")), 0.0)


# -- grants


def test_grants_come_up_to_what_was_demanded() -> None:
    client = opened()
    client.demand(3, "normal")

    assert say(client, Grant(1), Grant(2)) == [Grant(1), Grant(2)]


@pytest.mark.parametrize("demanded", [None, 0, 2])
def test_a_grant_beyond_what_was_demanded_is_an_error(demanded: int | None) -> None:
    client = opened()
    if demanded is not None:
        client.demand(demanded, "normal")

    with pytest.raises(ProtocolError, match="1 grants more than were demanded"):
        say(client, Grant((demanded or 0) + 1))


def test_a_grant_out_of_a_demand_that_was_taken_back_may_still_be_on_its_way() -> None:
    client = opened()
    client.demand(2, "normal")
    client.demand(0, "normal")

    assert say(client, Grant(2)) == [Grant(2)]


def test_a_server_that_leaves_grants_nothing_more() -> None:
    client = opened()
    client.demand(5, "normal")

    assert say(client, Drain("restart")) == [Drain("restart")]
    with pytest.raises(ProtocolError, match="1 grants more"):
        say(client, Grant(1))


# -- answers


def test_a_result_brings_its_parts_in_order() -> None:
    client = opened()
    number = with_job(client)
    result = Result(0x100, (Part("stderr", 3, 3), Part("none", 0, 0), Part("object", 4, 9, "zstd")))

    assert say(client, Started(), job=number) == [Began(number)]
    assert output(client, number, b"err") + output(client, number, b"objx") == []
    (finished,) = say(client, result, job=number)

    assert isinstance(finished, Finished)
    assert (finished.job, finished.result) == (number, result)
    assert [(part.name, data) for part, data in finished.parts()] == [
        ("stderr", b"err"),
        ("none", b""),
        ("object", b"objx"),
    ]
    assert client.outstanding == 0


def test_a_result_may_come_without_a_word_that_it_had_started() -> None:
    client = opened()
    number = with_job(client)

    assert len(say(client, Result(0x100), job=number)) == 1


@pytest.mark.parametrize("told", [0, 2, 4])
def test_a_result_of_another_size_than_its_output_is_an_error(told: int) -> None:
    client = opened()
    number = with_job(client)
    output(client, number, b"abc")

    with pytest.raises(ProtocolError, match=f"a Result of {told} bytes after 3 bytes of Output"):
        say(client, Result(0, (Part("object", told, told),)), job=number)


def test_output_in_single_bytes_is_kept_as_few_objects() -> None:
    client = opened()
    number = with_job(client)

    for _ in range(10_000):
        output(client, number, b"x")

    assert len(client._jobs[number].pieces) < 5
    (finished,) = say(client, Result(0, (Part("object", 10_000, 10_000),)), job=number)
    assert finished.raw == b"x" * 10_000


def test_an_error_with_a_job_is_its_end() -> None:
    client = opened()
    number = with_job(client)
    error = Error(ErrorCode.REFUSED, "no -fplugin here")

    assert say(client, error, job=number) == [Failed(number, error)]
    assert client.outstanding == 0


def test_an_error_without_a_job_is_the_end_of_the_connection() -> None:
    error = Error(ErrorCode.BAD_FRAME, "a second Hello")

    assert say(opened(), error) == [Closing(error)]


LATE: list[Message] = [Started(), Result(0), Error(ErrorCode.FAILED, "disk")]


@pytest.mark.parametrize("message", LATE, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("number", [1, 7, 0xFFFF_FFFF])
def test_an_answer_to_a_job_that_was_never_sent_is_an_error(message: Message, number: int) -> None:
    with pytest.raises(ProtocolError, match=f"for job {number}, which it does not have"):
        say(opened(), message, job=number)


@pytest.mark.parametrize("message", LATE, ids=lambda message: type(message).__name__)
def test_a_second_answer_to_a_job_is_an_error(message: Message) -> None:
    client = opened()
    number = with_job(client)
    say(client, Result(0), job=number)

    with pytest.raises(ProtocolError, match="or has answered already"):
        say(client, message, job=number)


def test_output_for_no_job_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="Output for job 3"):
        output(opened(), 3, b"x")


def test_a_job_starts_once() -> None:
    client = opened()
    number = with_job(client)
    say(client, Started(), job=number)

    with pytest.raises(ProtocolError, match="Started twice"):
        say(client, Started(), job=number)


@pytest.mark.parametrize(
    "answer",
    [Result(0, (Part("object", 6, 6),)), Error(ErrorCode.CANCELLED, "cancelled"), Error("failed", "disk")],
    ids=["result", "cancelled", "another error"],
)
def test_whatever_crosses_a_cancel_is_passed_over_and_ends_the_job(answer: Message) -> None:
    client = opened()
    number = with_job(client)
    output(client, number, b"abc")
    client.cancel(number)

    assert say(client, Started(), job=number) == []
    assert output(client, number, b"def") == []
    assert not client._jobs[number].pieces
    assert say(client, answer, job=number) == []
    assert client.outstanding == 0


# -- what nobody asked for


def test_a_ping_is_answered_with_the_jobs_that_are_owed() -> None:
    client = opened()
    number = with_job(client)

    (reply,) = say(client, Ping(77))

    assert isinstance(reply, Reply)
    assert said(reply.data) == [(0, Ping(77, answer=True, jobs=(number,)))]


def test_a_ping_may_be_padded_and_its_answer_tells_the_clock() -> None:
    client = opened()
    assert client.is_ping_answered
    plain, padded = client.ping(), client.ping(b"x" * 5000)
    ((_, ping),) = said(padded)
    assert isinstance(ping, Ping)
    assert ping.padding == b"x" * 5000
    assert len(plain) < 20
    say(client, Ping(ping.token - 1, answer=True, clock=1.0))
    assert not client.is_ping_answered

    say(client, Ping(ping.token, answer=True, clock=1.8e9))

    assert client.is_ping_answered
    assert client.clock == 1.8e9


def test_a_server_that_does_not_tell_its_clock_has_none() -> None:
    client = opened()
    ((_, ping),) = said(client.ping())
    assert isinstance(ping, Ping)
    say(client, Ping(ping.token, answer=True))
    assert client.clock == 0.0


def test_a_server_that_does_not_name_a_job_has_lost_it() -> None:
    client = opened()
    numbers = [client.job(JOB)[0] for _ in range(3)]
    ((_, ping),) = said(client.ping())
    assert isinstance(ping, Ping)

    events = say(client, Ping(ping.token, answer=True, jobs=tuple(numbers[1:])))

    assert events == [Forgotten(numbers[0])]
    assert client.outstanding == 2


def test_lost_jobs_are_found_one_ping_at_a_time() -> None:
    client = opened()
    numbers = {client.job(JOB)[0] for _ in range(3)}
    lost = set()

    for _ in range(3):
        ((_, ping),) = said(client.ping())
        assert isinstance(ping, Ping)
        (event,) = say(client, Ping(ping.token, answer=True))
        lost.add(event.job)

    assert lost == numbers


def test_a_job_that_was_sent_or_answered_after_the_ping_is_not_lost() -> None:
    client = opened()
    answered = client.job(JOB)[0]
    ((_, ping),) = said(client.ping())
    assert isinstance(ping, Ping)
    client.job(JOB)
    say(client, Result(0), job=answered)

    assert say(client, Ping(ping.token, answer=True)) == []
    assert client.outstanding == 1


def test_the_answer_to_another_ping_says_nothing_of_jobs() -> None:
    client = opened()
    with_job(client)
    client.ping()
    ((_, second),) = said(client.ping())
    assert isinstance(second, Ping)

    assert say(client, Ping(second.token - 1, answer=True), Ping(999, answer=True)) == []
    assert client.outstanding == 1
    assert len(say(client, Ping(second.token, answer=True))) == 1


def test_a_lost_job_that_was_cancelled_is_over_in_silence() -> None:
    client = opened()
    number = with_job(client)
    client.cancel(number)
    ((_, ping),) = said(client.ping())
    assert isinstance(ping, Ping)

    assert say(client, Ping(ping.token, answer=True)) == []
    assert client.outstanding == 0


def test_a_message_that_it_does_not_know_is_answered_and_passed_over() -> None:
    (reply,) = opened().receive(HEADER.pack(3, 99, 5) + b"new", 0.0)

    assert isinstance(reply, Reply)
    ((number, error),) = said(reply.data)
    assert number == 5
    assert isinstance(error, Error)
    assert error.code == ErrorCode.UNKNOWN_MESSAGE
    assert "99" in error.text


@pytest.mark.parametrize("number", [0, 1, 9])
def test_that_the_server_does_not_know_a_message_ends_nothing_and_is_not_answered(number: int) -> None:
    client = opened()
    with_job(client)

    assert say(client, Error(ErrorCode.UNKNOWN_MESSAGE, "type 99"), job=number) == []
    assert client.outstanding == 1


@pytest.mark.parametrize(
    "data",
    [
        encode(0, Ping()),
        encode(0, Ping(5, answer=True)),
        encode(0, WELCOME),
        encode(0, Drain()),
        encode(0, Error(ErrorCode.UNKNOWN_MESSAGE, "")),
        HEADER.pack(0, 99, 0),
        HEADER.pack(0, 10, 1),
    ],
    ids=["pings", "answers", "welcomes", "drains", "complaints", "unknown types", "empty outputs"],
)
def test_a_flood_of_what_nobody_asked_for_ends_the_connection(data: bytes) -> None:
    client = opened()  # one of the burst
    with_job(client)
    client.receive(data * (BURST - 1), 0.0)

    with pytest.raises(ProtocolError, match="a flood"):
        client.receive(data, 0.0)


def test_time_makes_good_what_was_spent_up_to_the_burst() -> None:
    client = opened()
    ping = encode(0, Ping())
    client.receive(ping * (BURST - 1), 0.0)

    client.receive(ping * PER_SECOND, 1.0)
    client.receive(ping * BURST, 1_000_000.0)

    with pytest.raises(ProtocolError, match="a flood"):
        client.receive(ping, 1_000_000.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    client = opened()
    ping = encode(0, Ping())
    client.receive(ping * (BURST - 1), 0.0)

    with pytest.raises(ProtocolError, match="a flood"):
        client.receive(ping, -100.0)


def test_the_answers_to_many_jobs_are_no_flood() -> None:
    client = opened()

    for _ in range(3 * BURST):
        number = with_job(client)
        say(client, Started(), job=number)
        output(client, number, b"x")
        assert len(say(client, Result(0, (Part("object", 1, 1),)), job=number)) == 1
