"""The page on a port of 127.0.0.1 with a Bus behind it, and events for it by hand."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web

from fleetcc.monitor.bus import Bus
from fleetcc.monitor.events import Hello, Host, HostState, Job, Local, State
from fleetcc.monitor.web.server import BusSource, make_app

START: Final = 1_750_000_000.0


@dataclass
class Fleet:
    """So many hosts of so many slots: what an agent would tell of them."""

    hosts: int = 4
    slots: int = 4
    source: Literal["agent", "server"] = "agent"
    pid: int = 4711
    time: float = START
    jobs: dict[int, Job] = field(default_factory=dict)
    total: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus = Bus(self.hello)
        self._numbers = itertools.count(1)

    def names(self) -> list[str]:
        return [f"build{number}" for number in range(1, self.hosts + 1)]

    def local(self) -> Local:
        return Local(time=self.time, processors=8, slots=4, load=1.5, memory_available=8 << 30)

    def host(self, name: str, state: HostState = "up", why: str = "") -> Host:
        return Host(
            host=name, time=self.time, state=state, server="fleetccd 0.6.0", slots=self.slots, speed=1.25,
            takes_files=True, why=why,
        )  # fmt: skip

    def hello(self) -> Hello:
        hosts = tuple(self.host(name) for name in self.names())
        return Hello(
            source=self.source, program="fleetcc 0.6.0", pid=self.pid, time=self.time, local=self.local(),
            hosts=hosts, jobs=tuple(self.jobs.values()), total=self.total, by_reason=dict(self.by_reason),
        )  # fmt: skip

    def start(self, host: str, slot: int, label: str = "", **more: Any) -> int:
        """A new job, compiling there; its number."""
        number = next(self._numbers)
        job = Job(
            job=number, time=self.time, state="compiling", label=label or f"src/unit{number}.cc", host=host,
            slot=slot, directory="/home/me/project", build="b1", mode="files", predicted=2.0, **more,
        )  # fmt: skip
        self.bus.publish(Job(job=number, time=self.time - 0.4, state="waiting", label=job.label))
        self.bus.publish(
            Job(job=number, time=self.time - 0.2, state="uploading", host=host, slot=slot, sent=40_000)
        )
        self.bus.publish(job)
        self.jobs[number] = job
        self.total += 1
        return number

    def wait(self, label: str) -> int:
        """A new job that nobody has yet."""
        number = next(self._numbers)
        self.jobs[number] = Job(job=number, time=self.time, state="waiting", label=label, build="b1")
        self.bus.publish(self.jobs[number])
        self.total += 1
        return number

    def end(self, number: int, state: State = "done", reason: str = "remote", **more: Any) -> None:
        """It has ended now."""
        job = self.jobs.pop(number)
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        self.bus.publish(
            Job(
                job=number, time=self.time, state=state, reason=reason, received=90_000,
                seconds=self.time - job.time + 0.4, run_seconds=self.time - job.time,
                status=0 if state == "done" else 256, **more,
            )
        )  # fmt: skip


def busy_build(fleet: Fleet, rounds: int = 30) -> None:
    """A build that a person could have: all slots at work, some jobs here, one that fails, some waiting."""
    places = [(name, slot) for name in fleet.names() for slot in range(fleet.slots)] + [("localhost", 0)]
    running: dict[tuple[str, int], tuple[int, float]] = {}
    for step in range(rounds * 4):
        fleet.time += 0.5
        for index, place in enumerate(places):
            number, until = running.get(place, (0, 0.0))
            if number and fleet.time < until:
                continue
            if number:
                failed = number % 61 == 0
                here = "linking" if number % 3 else "configure-probe"
                fleet.end(
                    number, "failed" if failed else "done", here if place[0] == "localhost" else "remote"
                )
            length = 1.5 + (step * 7 + index * 13) % 17 / 3
            running[place] = (fleet.start(*place), fleet.time + length)
    for number in range(6):
        fleet.wait(f"src/later{number}.cc")


@contextlib.asynccontextmanager
async def serve_page(fleet: Fleet, port: int = 0) -> AsyncIterator[str]:
    """The page's address while it is served."""
    runner = web.AppRunner(make_app(BusSource(fleet.bus.watch)), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
