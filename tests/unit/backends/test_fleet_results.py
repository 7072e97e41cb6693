"""What a fleet host's link makes of answers."""

import asyncio
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from fleetcc.backends.link import KilledError, UnfitTextError
from fleetcc.errors import HostError, HostRefusedError
from fleetcc.wire import zstd
from fleetcc.wire.fleet import (
    Error,
    ErrorCode,
    Output,
    Part,
    Result,
    encode_bulk,
)
from tests.unit.backends.fleet_bench import (
    WELCOME,
    Bench,
    HeldExecutor,
    bench,
    fresh,
    order,
)

__all__ = ["bench", "fresh"]  # fixtures


@pytest.fixture
async def in_thread(bench: Bench) -> HeldExecutor:
    """A result so big that it is unpacked in a thread, which has not run yet."""
    plain = b"object" * 100_000
    encoding, packed = zstd.pack(plain)
    bench.link.send(5, order())
    bench.link.data_received(b"".join(encode_bulk(Output, 1, packed)))
    bench.say(Result(0, (Part("object", len(packed), len(plain), encoding),)), job=1)
    assert isinstance(bench.executor, HeldExecutor)
    assert bench.executor.held == 1
    assert bench.events.told == []
    return bench.executor


async def test_a_big_result_is_unpacked_in_a_thread(bench: Bench, in_thread: HeldExecutor) -> None:
    in_thread.run()

    (_, number, spoken) = await bench.events.next("finished")
    assert number == 5
    assert spoken.output == b"object" * 100_000


async def test_a_job_may_be_cancelled_while_its_result_is_unpacked(
    bench: Bench, in_thread: HeldExecutor
) -> None:
    bench.link.cancel(5)
    in_thread.run()
    bench.link.send(6, order())
    bench.result(2, object=b"\x7fELF")

    (_, number, _) = await bench.events.next("finished")
    assert number == 6
    assert bench.events.names == ["finished"]


async def test_nothing_is_told_of_a_result_that_is_unpacked_after_the_end(
    bench: Bench, in_thread: HeldExecutor
) -> None:
    bench.link.close()
    in_thread.run()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert bench.events.told == []


async def test_a_result_that_does_not_fit_into_memory_is_the_hosts_failure(fresh: Bench) -> None:
    class Full(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(MemoryError())
            return future

    bench = Bench(executor=Full())
    bench.connect()
    bench.say(WELCOME)
    bench.link.send(1, order())
    bench.result(1, object=bytes(1 << 20))

    (_, number, error) = await bench.events.next("failed")
    assert (number, type(error)) == (1, HostError)
    bench.link.close()


GIANT = 600 << 20


@pytest.mark.parametrize(
    ("sentence", "status", "parts", "raw"),
    [
        ("3 plain bytes where 4", 0, (Part("object", 3, 4),), b"abc"),
        ("not zstd", 0, (Part("object", 3, 4, "zstd"),), b"abc"),
        ("encoding 'lzma'", 0, (Part("object", 3, 3, "lzma"),), b"abc"),
        ("without an output", 0, (), b""),
        ("without an output", 0, (Part("stderr", 3, 3),), b"abc"),
        ("the limit is", 0x100, (Part("a", 0, GIANT, "zstd"), Part("b", 0, GIANT, "zstd")), b""),
    ],
    ids=["size", "zstd", "encoding", "nothing", "no object", "a bomb in two parts"],
)
async def test_a_result_that_cannot_be_is_the_hosts_failure(
    sentence: str, status: int, parts: tuple[Part, ...], raw: bytes
) -> None:
    with ThreadPoolExecutor(1) as executor:
        bench = Bench(executor=executor)
        bench.connect()
        bench.say(WELCOME)
        bench.link.send(1, order())
        bench.link.data_received(b"".join(encode_bulk(Output, 1, raw)))
        bench.say(Result(status, parts), job=1)

        (_, number, error) = await bench.events.next("failed")
        bench.link.close()
    assert number == 1
    assert type(error) is HostError
    assert "answered nonsense" in str(error)
    assert sentence in str(error)


async def test_a_compiler_that_was_killed_has_not_spoken(bench: Bench) -> None:
    bench.link.send(1, order())
    bench.result(1, status=9, stderr=b"")

    ((_, _, error),) = bench.events.of("failed")
    assert isinstance(error, KilledError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.UNFIT, UnfitTextError),
        (ErrorCode.TOO_LARGE, UnfitTextError),
        (ErrorCode.REFUSED, HostRefusedError),
        (ErrorCode.UNKNOWN_COMPILER, HostRefusedError),
        (ErrorCode.FAILED, HostError),
        (ErrorCode.NOT_GRANTED, HostError),
        (ErrorCode.CANCELLED, HostError),
        ("a-code-of-tomorrow", HostError),
    ],
)
async def test_an_error_says_whose_fault_it_was(bench: Bench, code: str, kind: type[HostError]) -> None:
    bench.link.send(3, order())
    bench.say(Error(code, "so it is", "do that"), job=1)

    ((_, number, error),) = bench.events.of("failed")
    assert number == 3
    assert type(error) is kind
    assert str(error) == "red: so it is; do that"
