"""What a server tells of its jobs and itself."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetcc.monitor.events import Event, Hello, Host, Job, Local, decode
from fleetcc.monitor.picture import Picture
from fleetcc.scheduling.capacity import Memory
from fleetcc.server import watch as watch_module
from fleetcc.server.stats import Stats
from fleetcc.server.watch import Watch


class World:
    """A service, as far as a watch looks at it."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.is_draining = False
        self.looks = 0
        self.gate = SimpleNamespace(
            look=self._look, capacity=3, slot_count=4, running=2, limited_by="load",
            meter=SimpleNamespace(load=1.5, memory=Memory(100, 70, 0.0)),
        )  # fmt: skip
        self.fleet = SimpleNamespace(files=SimpleNamespace(obstacle="", store_bytes=9))
        self.watch = Watch(cast("Any", self))

    def _look(self) -> None:
        self.looks += 1


@pytest.fixture
async def world():
    made = World()
    yield made
    made.watch.close()


class Watching:
    """A viewer, whose events the test reads."""

    def __init__(self, watch: Watch) -> None:
        self._viewer = watch.view()
        self._batches = self._viewer.batches()

    async def events(self) -> list[Event]:
        async with asyncio.timeout(10):
            return [decode(line) for line in (await anext(self._batches)).splitlines()]

    def close(self) -> None:
        self._viewer.close()


def run(life, outcome="ok"):
    life.comes_to("uploading")
    life.received = 10
    life.comes_to("waiting")
    life.begins(1)
    life.cpu_seconds, life.peak_bytes = 0.5, 1 << 20
    life.is_compiled()
    life.end(outcome, 0, 20)


async def test_a_viewer_is_told_how_things_are_first(world):
    life = world.watch.job("files", "red", "a.c", "gcc", "/src")
    life.comes_to("uploading")
    viewer = Watching(world.watch)
    (hello,) = await viewer.events()

    assert isinstance(hello, Hello)
    assert (hello.source, hello.total) == ("server", 1)
    (host,) = hello.hosts
    assert (host.host, host.state, host.slots, host.takes_files) == (world.watch.name, "up", 4, True)
    (job,) = hello.jobs
    assert (job.state, job.label, job.directory, job.client) == ("uploading", "a.c", "/src", "red")
    local = hello.local
    assert (local.slots, local.running, local.waiting, local.limited_by) == (3, 2, 1, "load")
    assert (local.load, local.memory_available, local.store_bytes) == (1.5, 70, 9)
    assert world.looks == 1


async def test_a_life_is_told_state_by_state(world):
    viewer = Watching(world.watch)
    run(world.watch.job("text", "red", "a.c", "gcc"))
    _, *events = await viewer.events()

    jobs = [event for event in events if isinstance(event, Job)]
    assert [job.state for job in jobs] == [
        "waiting", "uploading", "waiting", "compiling", "returning", "done",
    ]  # fmt: skip
    assert (jobs[0].label, jobs[0].client, jobs[0].mode) == ("a.c", "red", "text")
    assert (jobs[3].host, jobs[3].slot) == (world.watch.name, 1)
    last = jobs[-1]
    assert (last.status, last.sent, last.received, last.cpu_seconds) == (0, 20, 10, 0.5)
    assert last.peak_bytes == 1 << 20
    assert last.seconds >= last.run_seconds > 0


async def test_viewers_can_make_a_picture_of_it(world):
    viewer = Watching(world.watch)
    for kind in ("text", "files", "distcc", "pump"):
        run(world.watch.job(kind, "red", "a.c", "gcc"))
    running = world.watch.job("pump", "red", "b.c", "gcc")
    running.begins(3)
    picture = Picture()
    for event in await viewer.events():
        picture.take(event)

    assert (picture.total, picture.done, len(picture.jobs)) == (5, 4, 1)
    lanes = picture.hosts[world.watch.name].lanes
    assert [lane and lane.label for lane in lanes] == [None, None, None, "b.c"]
    assert (picture.sent, picture.received) == (80, 40)


@pytest.mark.parametrize(
    ("outcome", "state", "detail"),
    [
        ("ok", "done", ""), ("compile-error", "done", ""), ("cancelled", "cancelled", "cancelled"),
        ("disconnected", "cancelled", "disconnected"), ("limits", "failed", "limits"),
    ],
)  # fmt: skip
async def test_an_end_says_how(world, outcome, state, detail):
    viewer = Watching(world.watch)
    run(world.watch.job("text", "red", "a.c", "gcc"), outcome)
    last = (await viewer.events())[-1]
    assert isinstance(last, Job)
    assert (last.state, last.detail) == (state, detail)
    assert last.status == (-1 if detail else 0)


async def test_a_job_ends_once(world):
    life = world.watch.job("text", "red", "a.c", "gcc")
    life.end("disconnected")
    life.end("ok")
    assert world.stats.by_outcome() == {"disconnected": 1}


async def test_nobody_watches_and_everything_is_counted(world):
    life = world.watch.job("distcc", "red", "a.c", "gcc")
    run(life)
    stats = world.stats
    assert sum(stats.compiling["distcc"].counts) == sum(stats.waiting["distcc"].counts) == 1
    assert stats.compiling["distcc"].total == pytest.approx(life.run_seconds)
    assert stats.cpu_seconds["distcc"] == 0.5
    assert (stats.longest.label, stats.longest.compiler) == ("a.c", "gcc")
    assert stats.biggest.value == 1 << 20


async def test_the_duration_of_a_compile_that_was_ended_is_no_duration_of_compiles(world):
    life = world.watch.job("files", "red", "a.c", "gcc")
    life.begins(0)
    life.is_compiled()
    life.end("cancelled")
    assert sum(world.stats.compiling["files"].counts) == 0
    assert sum(world.stats.waiting["files"].counts) == 1


async def test_a_job_counts_as_waiting_until_its_compiler_starts(world):
    life = world.watch.job("files", "red", "a.c", "gcc")
    assert world.watch.waiting == 1
    life.comes_to("uploading")
    assert world.watch.waiting == 1
    life.begins(0)
    assert world.watch.waiting == 0


async def test_the_slots_are_told_again_and_again_while_somebody_watches(world, monkeypatch):
    monkeypatch.setattr(watch_module, "LOCAL_SECONDS", 0.001)
    viewer = Watching(world.watch)
    (hello,) = await viewer.events()
    assert isinstance(hello, Hello)
    for _ in range(2):
        assert all(isinstance(event, Local) for event in await viewer.events())
    viewer.close()
    looks = world.looks
    world.watch._tick()
    assert (world.looks, world.watch._timer) == (looks, None)


async def test_a_server_that_leaves_says_so(world):
    viewer = Watching(world.watch)
    world.is_draining = True
    world.watch.host_changed()
    host = (await viewer.events())[-1]
    assert isinstance(host, Host)
    assert (host.state, host.why) == ("draining", "it was told to stop")
