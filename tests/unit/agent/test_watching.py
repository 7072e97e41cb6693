"""Those who watch an agent; its jobs, hosts and slots are what a test says."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from fleetcc.agent import watching
from fleetcc.agent.fleet import Fleet
from fleetcc.agent.launcher_connection import LauncherConnection
from fleetcc.agent.local_slots import LocalSlots, Use
from fleetcc.agent.services import Services
from fleetcc.agent.stories import Stories
from fleetcc.agent.watching import MOST_VIEWERS, Watching
from fleetcc.backends.link import OurSide
from fleetcc.errors import HostError
from fleetcc.hosts.sources import find_host_list
from fleetcc.model import Reason
from fleetcc.monitor import bus
from fleetcc.monitor.events import Event, Hello, Host, Job, Local, Lost, decode
from fleetcc.monitor.journal import Journal
from fleetcc.scheduling.fleet import Facts, HostType
from fleetcc.scheduling.history import History
from fleetcc.settings import load_settings
from fleetcc.wire import fleet as wire
from fleetcc.wire.launcher import ANSWER_HEADER

RED = "127.0.0.2:1"


class Viewer:
    """The other end of one connection."""

    def __init__(self, bench: "Bench") -> None:
        ours, self.socket = socket.socketpair()
        for end in (ours, self.socket):
            end.setblocking(False)
        bench.sockets.append(self.socket)
        self.connection = LauncherConnection(
            ours,
            1,
            bench.loop,
            lambda *_: None,
            lambda gone: bench.gone.append(bench.watching.has_lost(gone)),
        )
        self._loop = bench.loop
        self._data = b""

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        async with asyncio.timeout(10):
            while len(self._data) < count:
                chunk = await self._loop.sock_recv(self.socket, 1 << 16)
                assert chunk, "the agent has closed"
                self._data += chunk
        data, self._data = self._data[:count], self._data[count:]
        return data

    async def event(self) -> Event:
        """The next line."""
        async with asyncio.timeout(10):
            while b"\n" not in self._data:
                chunk = await self._loop.sock_recv(self.socket, 1 << 16)
                assert chunk, "the agent has closed"
                self._data += chunk
        line, _, self._data = self._data.partition(b"\n")
        return decode(line)

    async def hello(self) -> Hello:
        """What comes first of all."""
        assert await self.read(ANSWER_HEADER.size) == ANSWER_HEADER.pack(ord("C"), 0, 0, 0)
        event = await self.event()
        assert isinstance(event, Hello)
        return event

    async def job(self) -> tuple[int, str]:
        """The next event of a job: which, and its state."""
        while not isinstance(event := await self.event(), Job):
            pass
        return event.job, event.state

    async def host(self) -> Host:
        """The next event of a host."""
        while not isinstance(event := await self.event(), Host):
            pass
        return event


class Bench:
    """An agent without a socket and without hosts that answer."""

    def __init__(self, tasks: asyncio.TaskGroup, directory: Path) -> None:
        self.loop = asyncio.get_running_loop()
        self.stories = Stories(Journal(str(directory)))
        self.local = LocalSlots()
        ours = OurSide(wire.Hello("a", "b"), ThreadPoolExecutor(1), lambda _: None)
        self.fleet = Fleet(tasks, ours, self.local, History(), random.Random(1), 2)
        services = SimpleNamespace(fleet=self.fleet, stories=self.stories, local=self.local, processors=2)
        self.sockets: list[socket.socket] = []
        self.gone: list[bool] = []
        self.left = 0
        self.watching = Watching(cast("Services", services), tasks, self._one_has_left)

    def _one_has_left(self) -> None:
        self.left += 1

    async def viewer(self) -> Viewer:
        """One that has been greeted."""
        viewer = Viewer(self)
        self.watching.welcome(viewer.connection)
        await viewer.hello()
        return viewer

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - it comes within turns of this very loop
                await asyncio.sleep(0)


@asynccontextmanager
async def working(directory: Path) -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as tasks:
        bench = Bench(tasks, directory)
        try:
            yield bench
        finally:
            await bench.watching.close()
            bench.fleet.close()
            for each in bench.sockets:
                each.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is told in the next turn of the loop."""
    monkeypatch.setattr(watching, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 3600.0)


async def test_a_viewer_gets_the_picture_first_and_then_what_happens(tmp_path: Path) -> None:
    async with working(tmp_path) as bench:
        bench.stories.begin([b"gcc", b"a.c"], b"/").end("done", Reason.LINKING)
        job = bench.stories.begin([b"gcc", b"-c", b"b.c"], b"/w", "mine")
        await bench.local.acquire(Use.COMPILE, 3)
        viewer = Viewer(bench)
        bench.watching.welcome(viewer.connection)

        hello = await viewer.hello()
        assert (hello.source, hello.total, hello.by_reason) == ("agent", 2, {"linking": 1})
        assert [(each.job, each.state, each.label, each.build) for each in hello.jobs] == [
            (2, "planning", "b.c", "mine")
        ]
        assert (hello.local.processors, hello.local.slots, hello.local.running) == (2, 3, 1)
        job.runs_here()
        job.end("cancelled")
        other = bench.stories.begin([b"gcc"], b"/")
        assert [await viewer.job() for _ in range(2)] == [(2, "cancelled"), (3, "planning")]
        other.end("done")
        assert await viewer.job() == (3, "done")


async def test_nobody_is_told_anything_before_somebody_watches_and_after_the_last_has_gone(
    tmp_path: Path,
) -> None:
    async with working(tmp_path) as bench:
        assert bench.stories.watcher is bench.fleet.watcher is None
        first, second = await bench.viewer(), await bench.viewer()
        assert bench.stories.watcher is bench.fleet.watcher is bench.watching

        first.socket.close()
        await bench.until(lambda: bench.watching.count == 1)
        assert bench.stories.watcher is not None
        second.socket.close()
        await bench.until(lambda: bench.watching.count == 0)
        assert bench.stories.watcher is bench.fleet.watcher is None
        assert (bench.left, bench.gone) == (2, [True, True])


async def test_one_that_comes_later_has_in_its_picture_what_the_others_are_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TELL_SECONDS", 3600.0)
    async with working(tmp_path) as bench:
        first = await bench.viewer()
        job = bench.stories.begin([b"gcc"], b"/")
        second = Viewer(bench)
        bench.watching.welcome(second.connection)

        hello = await second.hello()
        assert [each.state for each in hello.jobs] == ["planning"]
        assert await first.job() == (1, "planning")
        job.end("done")
        await bench.watching.close()
        assert [await each.job() for each in (first, second)] == [(1, "done"), (1, "done")]


async def test_one_that_does_not_read_slows_nobody_and_hears_what_it_has_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "MOST_LINES", 10)
    async with working(tmp_path) as bench:
        deaf, other = await bench.viewer(), await bench.viewer()
        number = 0

        async def one_more_job() -> None:
            nonlocal number
            number += 1
            bench.stories.begin([b"gcc"], b"/" + b"long" * 100).end("done")
            assert [await other.job() for _ in range(2)] == [(number, "planning"), (number, "done")]

        for _ in range(2000):  # more than its socket holds
            await one_more_job()
        reading = bench.loop.create_task(_until_lost(deaf))
        while not reading.done():
            await one_more_job()

        seen, lost = await reading
        job, state = await deaf.job()
        assert lost > 1000
        assert seen + lost == 2 * (job - 1) + (state == "done")


async def _until_lost(viewer: Viewer) -> tuple[int, int]:
    """Events that came, and that were lost after them."""
    seen = 0
    while not isinstance(event := await viewer.event(), Lost):
        seen += 1
    return seen, event.count


async def test_hosts_are_told_as_they_come_and_go(tmp_path: Path) -> None:
    async with working(tmp_path) as bench:
        settings = load_settings({b"FLEETCC_HOSTS": b"127.0.0.2:1/3", b"HOME": b"/nowhere"})
        viewer = await bench.viewer()
        bench.fleet._groups.find(find_host_list(settings), settings)
        assert (await viewer.host()).slots == 3
        bench.fleet.up(RED, Facts(HostType.FLEET, 8, takes_files=True), "fleetccd 9", "i")
        up = await viewer.host()
        assert (up.host, up.state, up.slots, up.server, up.takes_files) == (RED, "up", 8, "fleetccd 9", True)
        bench.fleet.down(RED, HostError("red: gone"))
        down = await viewer.host()
        assert (down.state, down.why, down.pause > 0) == ("down", "red: gone", True)
        bench.fleet._forget(RED)
        assert (await viewer.host()).state == "gone"


async def test_this_machine_is_told_when_something_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr("os.getloadavg", lambda: (0.5, 0.0, 0.0))
    async with working(tmp_path) as bench:
        viewer = await bench.viewer()
        await bench.local.acquire(Use.COMPILE, 1)
        first = await viewer.event()
        bench.local.release(Use.COMPILE)
        second = await viewer.event()

        assert isinstance(first, Local)
        assert isinstance(second, Local)
        assert [(each.running, each.slots, each.load) for each in (first, second)] == [
            (1, 1, 0.5),
            (0, 1, 0.5),
        ]


async def test_there_is_an_end_to_how_many_may_watch(tmp_path: Path) -> None:
    async with working(tmp_path) as bench:
        viewers = [await bench.viewer() for _ in range(MOST_VIEWERS)]
        late = Viewer(bench)
        bench.watching.welcome(late.connection)

        kind, _, _, length = ANSWER_HEADER.unpack(await late.read(ANSWER_HEADER.size))
        assert kind == ord("C")
        assert msgspec.json.decode(await late.read(length)) == {"error": f"{MOST_VIEWERS} watch already"}
        assert bench.watching.count == len(viewers)


async def test_the_end_of_the_agent_ends_the_stream_after_all_that_has_happened(tmp_path: Path) -> None:
    async with working(tmp_path) as bench:
        viewer = await bench.viewer()
        bench.stories.begin([b"gcc"], b"/").end("done")
        await bench.watching.close()

        assert [await viewer.job() for _ in range(2)] == [(1, "planning"), (1, "done")]
        async with asyncio.timeout(10):
            assert await bench.loop.sock_recv(viewer.socket, 1) == b""


async def test_a_viewer_that_cannot_be_shown_anything_costs_only_its_own_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(tmp_path) as bench:
        with monkeypatch.context() as wrong:
            wrong.setattr("os.getloadavg", lambda: ())
            unlucky = Viewer(bench)
            bench.watching.welcome(unlucky.connection)
            await bench.until(lambda: bench.watching.count == 0)
        assert await bench.loop.sock_recv(unlucky.socket, 1) == b""
        assert "IndexError" in caplog.text
        await bench.viewer()
