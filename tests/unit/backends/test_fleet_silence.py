"""When a fleet host's link gives a host or a job up; real time, but short."""

import asyncio
from typing import Any

from fleetcc.wire.fleet import (
    Cancel,
    Message,
    Ping,
    Started,
    Welcome,
)
from tests.unit.backends.fleet_bench import (
    IDENTITY,
    Bench,
    bench,
    fresh,
    order,
)

__all__ = ["bench", "fresh"]  # fixtures


class Answering:
    """A server that answers pings, with the jobs that it has."""

    def __init__(self, bench: Bench, ping_seconds: float) -> None:
        self.bench = bench
        self.jobs: tuple[int, ...] = ()
        self.pings = 0
        self.heard: list[tuple[int, Message]] = []
        write = bench.transport.write

        def spy(data: Any) -> None:
            write(data)
            asyncio.get_running_loop().call_soon(self.answer)

        bench.transport.write = spy  # type: ignore[method-assign]
        bench.say(Welcome("fleetccd 9", "i-1", 4, (IDENTITY,), ping_seconds=ping_seconds))

    def answer(self) -> None:
        for job, message in self.bench.said():
            self.heard.append((job, message))
            if isinstance(message, Ping):
                self.pings += 1
                self.bench.events.note("pinged")
                self.bench.say(Ping(message.token, answer=True, jobs=self.jobs))


async def test_a_host_that_falls_silent_is_gone(fresh: Bench) -> None:
    fresh.say(Welcome("fleetccd 9", "i-1", 4, ping_seconds=0.1))

    (_, error) = await fresh.events.next("down")
    assert str(error) == "red: silent for 0.1 s"
    assert any(isinstance(message, Ping) for _, message in fresh.said())


async def test_a_host_that_answers_pings_is_there(fresh: Bench) -> None:
    Answering(fresh, ping_seconds=0.1)

    await fresh.events.next("pinged", count=5)

    assert fresh.events.of("down") == []


async def test_a_job_that_the_host_does_not_name_is_lost(fresh: Bench) -> None:
    server = Answering(fresh, ping_seconds=0.1)
    fresh.link.send(1, order())
    fresh.link.send(2, order())
    server.jobs = (2,)

    (_, number, error) = await fresh.events.next("failed")
    await fresh.events.next("pinged", count=3)
    assert number == 1
    assert "has lost the job" in str(error)
    assert len(fresh.events.of("failed")) == 1


async def test_a_job_that_does_not_begin_in_time_is_taken_back() -> None:
    bench = Bench(io_seconds=0.1)
    bench.connect()
    server = Answering(bench, ping_seconds=60.0)
    server.jobs = (1, 2)
    bench.link.send(1, order())
    bench.link.send(2, order())
    bench.say(Started(), job=2)

    (_, number, error) = await bench.events.next("failed")
    await bench.events.until(lambda: (1, Cancel()) in server.heard)
    bench.link.close()
    assert number == 1
    assert str(error) == "red: did not begin in 0.1 s"
    assert len(bench.events.of("failed")) == 1
