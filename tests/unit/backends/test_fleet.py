"""A fleet host's link: what it says and tells when, driven by hand."""

from collections.abc import Iterator

import pytest

from fleetcc.backends.link import Order, UnfitTextError
from fleetcc.errors import HostError
from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import HostType
from fleetcc.wire.fleet import (
    BULK_BYTES,
    HEADER,
    MAX_JOB_BYTES,
    Blob,
    Cancel,
    Decline,
    Demand,
    Drain,
    Error,
    ErrorCode,
    Grant,
    Job,
    Message,
    Ping,
    Started,
    Welcome,
    encode,
)
from tests.unit.backends.fleet_bench import ARGV, IDENTITY, WELCOME, Bench, bench, fresh, order

__all__ = ["bench", "fresh"]  # fixtures


# -- what it is


async def test_a_welcome_tells_what_the_host_is(fresh: Bench) -> None:
    fresh.say(WELCOME)

    ((host, facts, server, instance),) = fresh.events.of("up")
    assert (host, server, instance) == ("red:1", "fleetccd 9", "i-1")
    assert (facts.type, facts.slots, facts.compilers) == (HostType.FLEET, 4, {IDENTITY})
    assert facts.forms == {Form.EXPANDED, Form.DIRECTIVES}
    assert not facts.is_looking
    assert await fresh.link.answered


async def test_what_a_host_says_later_of_itself_is_told_too(bench: Bench) -> None:
    bench.say(Welcome("fleetccd 9", "i-1", 0, looking=True))

    ((_, facts, _, _),) = bench.events.of("up")
    assert (facts.slots, facts.compilers, facts.is_looking) == (1, frozenset(), True)


async def test_a_host_that_closes_at_the_first_bytes_is_no_fleet_host_and_has_not_failed(
    fresh: Bench,
) -> None:
    fresh.link.connection_lost(None)

    assert not await fresh.link.answered
    assert fresh.events.told == []


async def test_a_host_that_answers_something_else_is_no_compile_server(fresh: Bench) -> None:
    fresh.link.data_received(b"220 mail.example.com ESMTP\r\n")

    with pytest.raises(HostError, match="red is not a compile server"):
        await fresh.link.answered
    assert fresh.transport.aborted
    assert fresh.events.told == []


async def test_a_host_that_refuses_the_connection_says_why(fresh: Bench) -> None:
    fresh.say(Error(ErrorCode.TOO_MANY, "32 connections", "one is enough"))

    with pytest.raises(HostError, match="red: 32 connections; one is enough"):
        await fresh.link.answered


# -- demands, grants, jobs


async def test_demands_grants_and_declines_travel(bench: Bench) -> None:
    bench.link.demand(3, Priority.INTERACTIVE)
    bench.say(Grant(2))
    bench.link.decline(1)

    assert bench.said() == [(0, Demand(3, "interactive")), (0, Decline(1))]
    assert bench.events.told == [("granted", "red:1", 2)]


async def test_a_small_job_is_one_write_and_its_answer_is_told_under_the_agents_number(bench: Bench) -> None:
    bench.link.send(77, order(b"packed", encoding="zstd", plain_bytes=900))
    bench.say(Started(), job=1)
    bench.result(1, stderr=b"warning", object=b"\x7fELF")

    job = Job("preprocessed", IDENTITY, ARGV, "expanded", 6, 900, "zstd")
    assert bench.said() == [(1, job), (1, Blob(b"packed"))]
    assert bench.events.of("started") == [("red:1", 77)]
    ((_, number, spoken),) = bench.events.of("finished")
    assert number == 77
    assert (spoken.status, spoken.stdout, spoken.stderr, spoken.output, spoken.seconds) == (
        0,
        b"",
        b"warning",
        b"\x7fELF",
        0.5,
    )


async def test_a_compilers_error_is_an_answer(bench: Bench) -> None:
    bench.link.send(1, order())
    bench.result(1, status=0x100, stderr=b"no")

    ((_, _, spoken),) = bench.events.of("finished")
    assert (spoken.status, spoken.stderr, spoken.output) == (0x100, b"no", b"")


async def test_a_big_source_goes_out_in_pieces_while_there_is_room(bench: Bench) -> None:
    body = bytes(range(256)) * 8192
    bench.link.send(1, order(body))

    first = len(bench.transport.written)
    assert first < len(body) // 2
    for _ in range(20):
        bench.transport.empty()

    (_, *blobs) = bench.said()
    assert b"".join(message.data for _, message in blobs) == body  # type: ignore[union-attr]


async def test_small_messages_overtake_a_big_source(bench: Bench) -> None:
    bench.link.send(1, order(bytes(2 << 20)))
    bench.said()

    bench.link.demand(2, Priority.NORMAL)
    bench.say(Ping(9))
    bench.link.send(2, order())

    assert [type(message) for _, message in bench.said()] == [Demand, Ping, Job]


async def test_the_sources_of_several_jobs_follow_each_other(bench: Bench) -> None:
    bench.link.send(1, order(b"a" * (1 << 20)))
    bench.link.send(2, order(b"b"))
    for _ in range(20):
        bench.transport.empty()

    blobs = [(job, message) for job, message in bench.said() if isinstance(message, Blob)]
    assert [job for job, _ in blobs] == [1] * 8 + [2]


async def test_a_cancel_overtakes_the_jobs_own_source_which_is_then_dropped(bench: Bench) -> None:
    bench.link.send(1, order(bytes(4 << 20)))
    bench.link.send(2, order(b"b"))
    bench.said()

    bench.link.cancel(1)
    assert bench.said() == [(1, Cancel())]
    for _ in range(50):
        bench.transport.empty()

    assert bench.said() == [(2, Blob(b"b"))]


async def test_a_job_that_is_answered_before_it_is_uploaded_is_not_uploaded_further(bench: Bench) -> None:
    bench.link.send(1, order(bytes(4 << 20)))
    bench.said()

    bench.say(Error(ErrorCode.FAILED, "the disk is full"), job=1)
    for _ in range(50):
        bench.transport.empty()

    assert bench.said() == []


@pytest.mark.parametrize("size", [BULK_BYTES, 64 << 10, 0])
async def test_sources_of_every_size_arrive_whole(bench: Bench, size: int) -> None:
    bench.link.send(1, order(bytes(size)))
    bench.transport.empty()

    ((_, job), *blobs) = bench.said()
    assert isinstance(job, Job)
    arrived = sum(len(message.data) for _, message in blobs if isinstance(message, Blob))
    assert arrived == size == job.blob_bytes


@pytest.mark.parametrize(
    "misfit",
    [
        order(plain_bytes=MAX_JOB_BYTES + 1),
        Order((b"x" * (1 << 20),), Form.EXPANDED, IDENTITY, "raw", b"", 0),
    ],
    ids=["source", "arguments"],
)
async def test_a_job_that_no_server_could_take_gives_its_grant_back_and_blames_nobody(
    bench: Bench, misfit: Order
) -> None:
    bench.link.send(1, misfit)

    assert bench.events.told == []  # not from within the call
    (_, number, error) = await bench.events.next("failed")
    assert number == 1
    assert isinstance(error, UnfitTextError)
    assert bench.said() == [(0, Decline(1))]


async def test_nothing_is_told_of_such_a_job_after_it_was_cancelled(bench: Bench) -> None:
    bench.link.send(1, order(plain_bytes=MAX_JOB_BYTES + 1))
    bench.link.cancel(1)
    bench.link.send(2, order(plain_bytes=MAX_JOB_BYTES + 1))

    await bench.events.next("failed")

    assert [number for _, number, _ in bench.events.of("failed")] == [2]


async def test_nothing_is_told_of_a_job_after_it_was_cancelled(bench: Bench) -> None:
    bench.link.send(1, order())
    bench.link.cancel(1)
    bench.link.cancel(1)
    bench.say(Started(), job=1)
    bench.result(1, object=b"\x7fELF")

    assert bench.events.told == []
    assert [type(message) for _, message in bench.said()] == [Job, Blob, Cancel]


# -- the ends


async def test_a_host_that_leaves_is_told_and_still_answers(bench: Bench) -> None:
    bench.link.send(1, order())
    bench.say(Drain("restart"))
    bench.result(1, object=b"\x7fELF")
    bench.link.connection_lost(None)

    assert bench.events.names == ["draining", "finished", "down"]


async def test_a_host_that_breaks_the_protocol_is_left_at_once(bench: Bench) -> None:
    bench.say(Grant(1))

    ((host, error),) = bench.events.of("down")
    assert host == "red:1"
    assert "red broke the fleet protocol: 1 grants more" in str(error)
    assert bench.transport.aborted


async def test_a_host_that_ends_the_connection_says_why(bench: Bench) -> None:
    bench.say(Error(ErrorCode.TIMED_OUT, "a grant was not used", "is the client stopped?"))

    ((_, error),) = bench.events.of("down")
    assert str(error) == "red: a grant was not used; is the client stopped?"


async def test_a_connection_that_breaks_is_told_with_the_reason(bench: Bench) -> None:
    bench.link.connection_lost(ConnectionResetError("reset by peer"))

    ((_, error),) = bench.events.of("down")
    assert str(error) == "red: closed the connection: reset by peer"


def everything() -> Iterator[Message]:
    yield WELCOME
    yield Grant(1)
    yield Started()
    yield Drain()
    yield Error(ErrorCode.FAILED, "disk")


async def test_nothing_is_told_or_said_after_the_close(bench: Bench) -> None:
    bench.link.demand(9, Priority.NORMAL)
    bench.link.send(1, order(bytes(1 << 20)))
    bench.said()

    bench.link.close()
    for message in everything():
        bench.say(message, job=1)
    bench.link.resume_writing()
    bench.link.cancel(1)
    bench.link.demand(3, Priority.NORMAL)
    bench.link.connection_lost(None)

    assert bench.events.told == []
    assert bench.said() == []
    assert bench.transport.aborted


async def test_what_follows_the_end_in_the_same_piece_is_not_told(bench: Bench) -> None:
    bench.link.send(1, order())

    bench.link.data_received(
        encode(0, Error(ErrorCode.FAILED, "disk")) + encode(1, Error(ErrorCode.FAILED, "disk"))
    )

    assert bench.events.names == ["down"]


async def test_messages_that_are_not_known_are_answered(bench: Bench) -> None:
    bench.link.data_received(HEADER.pack(3, 99, 0) + b"new")

    ((_, error),) = bench.said()
    assert isinstance(error, Error)
    assert error.code == ErrorCode.UNKNOWN_MESSAGE
