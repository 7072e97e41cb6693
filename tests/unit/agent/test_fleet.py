"""The fleet's driver with links that a test works by hand."""

import asyncio
import dataclasses
import errno
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from fleetcc.agent.errand import Answer, OnLocalhost, RunLocallyError
from fleetcc.agent.fleet import Fleet
from fleetcc.agent.groups import Group
from fleetcc.agent.local_link import LocalLink
from fleetcc.agent.local_slots import LocalSlots, Use
from fleetcc.agent.story import Story
from fleetcc.backends.link import FileOrder, KilledError, Order, OurSide, Spoken, StaleError, UnfitTextError
from fleetcc.backends.picture import Picture
from fleetcc.errors import HostError, HostRefusedError
from fleetcc.files.layers import Layer
from fleetcc.hosts.sources import find_host_list
from fleetcc.model import Form, Reason
from fleetcc.scheduling.fleet import Facts, HostType, JobSpec, Needs
from fleetcc.scheduling.history import History
from fleetcc.settings import load_settings
from fleetcc.wire.files import File
from fleetcc.wire.fleet import Hello

RED, BLUE = "10.0.0.1:3632", "10.0.0.2:3632"
NEEDS = Needs("a" * 64, b"gcc", (Form.EXPANDED,))
ORDER = Order((b"gcc",), Form.EXPANDED, NEEDS.identity, "raw", b"int x;", 6)
FACTS = Facts(HostType.FLEET, 2, frozenset({"a" * 64}))
SPOKEN = Spoken(0, b"", b"", b"object", 0.1)


@dataclass
class HandLink:
    """Notes what it is told; grants what it is asked for when `is_free`."""

    host: str
    fleet: Fleet
    is_free: bool = True
    encodings: tuple[str, ...] = ("raw",)
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def demand(self, most: int, priority: object) -> None:
        self.told.append(("demand", most))
        if most and self.is_free:
            asyncio.get_running_loop().call_soon(self.fleet.granted, self.host, 1)

    def decline(self, count: int) -> None:
        self.told.append(("decline", count))

    def send(self, number: int, order: Order | FileOrder) -> None:
        self.told.append(("send", number))

    def cancel(self, number: int) -> None:
        self.told.append(("cancel", number))

    def close(self) -> None:
        self.told.append(("close",))

    def words(self) -> list[str]:
        return [what[0] for what in self.told if what[0] != "demand"]


@dataclass
class HandSource:
    """A job's text, ready or not."""

    is_ready: bool = True
    made: "asyncio.Future[Order] | None" = None
    hosts: list[str] = field(default_factory=list)
    moves: list[tuple[str, str]] = field(default_factory=list)

    def bound(self, host: str, text: str) -> None:
        self.hosts.append(host)
        self.moves.append(("bound", host))

    def began(self, host: str) -> None:
        self.moves.append(("began", host))

    def unbound(self, host: str) -> None:
        self.moves.append(("unbound", host))

    def answered(self, host: str, spoken: Spoken) -> None:
        self.moves.append(("answered", host))

    def order(self, facts: Facts, encodings: Sequence[str]) -> Order | None:
        return ORDER if self.is_ready else None

    async def make_order(self, facts: Facts, encodings: Sequence[str]) -> Order:
        self.made = asyncio.get_running_loop().create_future()
        return await self.made


@dataclass
class Bench:
    """A fleet of hosts that a test works by hand."""

    fleet: Fleet
    tasks: asyncio.TaskGroup
    local: LocalSlots
    links: dict[str, HandLink] = field(default_factory=dict)
    trouble: str = ""
    broken: OSError | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)

    def ask_again(self, host: str) -> None:
        """It may come back as another server; here it does not."""

    async def open(self, host: str, spec: Any, timeouts: Any, limit: int, made: Callable[..., None]) -> None:
        if self.trouble:
            raise HostError(self.trouble)
        if self.broken is not None:
            raise self.broken
        if host == "localhost":
            made(LocalLink(host, spec.limit, self.fleet, self.tasks, self.local, limit))
            self.fleet.up(host, Facts(HostType.LOCAL, spec.limit), "this machine", "")
            return
        self.links[host] = HandLink(host, self.fleet)
        made(self.links[host])
        self.fleet.up(host, FACTS, "fleetccd", host)

    async def join(self, hosts: str, needs: Needs = NEEDS) -> Group:
        settings = load_settings({b"FLEETCC_HOSTS": hosts.encode(), b"HOME": b"/nowhere"})
        return await self.fleet.join(find_host_list(settings), settings, needs)

    def submit(self, group: Group, source: HandSource) -> "asyncio.Task[Answer | OnLocalhost]":
        number = self.fleet.next_number()
        job = JobSpec(number, b"key%d" % number, 6, group.key, NEEDS)
        # Not in the group: that a job fails is what tests wait for.
        return asyncio.get_running_loop().create_task(self.fleet.run(group, job, source))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - it comes within turns of this very loop
                await asyncio.sleep(0)


@asynccontextmanager
async def working() -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as tasks:
        local, ours = LocalSlots(), OurSide(Hello("a", "b"), ThreadPoolExecutor(1), lambda _: None)
        fleet = Fleet(tasks, ours, local, History(), random.Random(1), 2)
        bench = Bench(fleet, tasks, local)
        fleet._opening = bench  # type: ignore[assignment]
        try:
            yield bench
        finally:
            fleet.close()


async def failure(waiting: Awaitable[object]) -> RunLocallyError:
    with pytest.raises(RunLocallyError) as caught:
        await waiting
    return caught.value


async def test_a_job_goes_to_the_host_that_grants_and_comes_back():
    async with working() as bench:
        group, source = await bench.join(f"{RED} {BLUE}"), HandSource()
        bench.links[RED].is_free = False
        running = bench.submit(group, source)
        await bench.until(lambda: "send" in bench.links[BLUE].words())
        bench.fleet.started(BLUE, 1)
        bench.fleet.finished(BLUE, 1, SPOKEN)
        assert await running == Answer(BLUE, SPOKEN)
        assert source.moves == [("bound", BLUE), ("began", BLUE), ("answered", BLUE)]


async def test_a_host_that_goes_away_gives_its_job_to_another():
    async with working() as bench:
        group, source = await bench.join(f"{RED} {BLUE}"), HandSource()
        running = bench.submit(group, source)
        await bench.until(lambda: source.hosts)
        first = source.hosts[0]
        bench.fleet.down(first, HostError("gone"))
        await bench.until(lambda: len(source.hosts) == 2)
        second = source.hosts[1]
        assert second != first
        bench.fleet.finished(second, 1, SPOKEN)
        assert isinstance(await running, Answer)
        moves = [("bound", first), ("unbound", first), ("bound", second), ("answered", second)]
        assert source.moves == moves


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnfitTextError("__DATE__"), Reason.SOURCE_NEEDED),
        (KilledError("signal 9"), Reason.REMOTE_SIGNAL),
        (HostError("disk"), Reason.HOSTS_FAILED),
        (HostRefusedError("no"), Reason.REFUSED),
    ],
)
async def test_what_a_host_says_becomes_the_reason(error: HostError, reason: Reason):
    async with working() as bench:
        group, source = await bench.join(RED), HandSource()
        running = bench.submit(group, source)
        await bench.until(lambda: "send" in bench.links[RED].words())
        bench.fleet.failed(RED, 1, error)
        told = await failure(running)
        assert (told.reason, str(error) in told.detail) == (reason, True)


async def test_a_job_whose_files_have_changed_is_its_own_sources_affair_and_no_hosts_fault():
    async with working() as bench:
        group, source = await bench.join(f"{RED} {BLUE}"), HandSource()
        running = bench.submit(group, source)
        await bench.until(lambda: source.hosts)
        bench.fleet.failed(source.hosts[0], 1, StaleError("a.h has changed"))
        with pytest.raises(StaleError, match=r"a\.h has changed"):
            await running
        assert [row["left_alone_seconds"] for row in bench.fleet.snapshot()] == [0, 0]
        assert len(source.hosts) == 1


FILES_ONLY = Needs(None, b"gcc", (), files=True)


async def test_a_job_that_travels_as_files_alone_needs_a_host_that_takes_them():
    async with working() as bench:
        told = await failure(bench.join(RED, FILES_ONLY))
        assert told.reason is Reason.NO_SANDBOX

        bench.fleet.up(RED, dataclasses.replace(FACTS, takes_files=True), "fleetccd", RED)
        group = await bench.join(f"{RED} {BLUE}", FILES_ONLY)
        assert bench.fleet.takes_files(group)


async def test_a_fleet_without_sandboxes_takes_no_files():
    async with working() as bench:
        group = await bench.join(f"{RED} {BLUE}")
        assert not bench.fleet.takes_files(group)


async def test_a_job_whose_launcher_leaves_is_cancelled_on_its_host():
    async with working() as bench:
        group = await bench.join(RED)
        running = bench.submit(group, HandSource())
        await bench.until(lambda: "send" in bench.links[RED].words())
        running.cancel()
        await bench.until(lambda: bench.links[RED].words() == ["send", "cancel"])


async def test_a_grant_is_given_back_when_the_text_is_not_to_be_had():
    async with working() as bench:
        group, source = await bench.join(RED), HandSource(is_ready=False)
        running = bench.submit(group, source)
        await bench.until(lambda: source.made)
        assert source.made is not None
        source.made.set_exception(RunLocallyError(Reason.PREPROCESSOR_SPOKE))
        assert (await failure(running)).reason is Reason.PREPROCESSOR_SPOKE
        assert bench.links[RED].words() == ["decline"]


async def test_a_text_that_is_made_late_is_sent_then():
    async with working() as bench:
        group, source = await bench.join(RED), HandSource(is_ready=False)
        running = bench.submit(group, source)
        await bench.until(lambda: source.made)
        assert source.made is not None
        source.made.set_result(ORDER)
        await bench.until(lambda: bench.links[RED].words() == ["send"])
        bench.fleet.finished(RED, 1, SPOKEN)
        assert isinstance(await running, Answer)


async def test_a_fleet_without_this_compiler_is_told_before_any_text_is_made():
    async with working() as bench:
        told = await failure(bench.join(RED, Needs("b" * 64, b"gcc", (Form.EXPANDED,))))
        assert told.reason is Reason.NO_SAME_COMPILER


async def test_a_fleet_that_cannot_be_reached_says_why():
    async with working() as bench:
        bench.trouble = "connection refused"
        told = await failure(bench.join(RED))
        assert (told.reason, told.detail) == (Reason.ALL_HOSTS_FAILING, "connection refused")


async def test_the_slot_of_localhost_is_given_back_also_when_nobody_is_left_to_use_it():
    async with working() as bench:
        group = await bench.join("localhost/1")
        granted = await bench.submit(group, HandSource())
        assert isinstance(granted, OnLocalhost)
        assert bench.local.taken[Use.COMPILE] == 1
        bench.fleet.local_is_over(granted)
        assert bench.local.taken[Use.COMPILE] == 0

        running = bench.submit(group, HandSource())
        await bench.until(lambda: bench.local.taken[Use.COMPILE] == 1)
        running.cancel()
        await bench.until(lambda: running.done() and bench.local.taken[Use.COMPILE] == 0)


async def test_two_addresses_of_one_server_get_one_place():
    async with working() as bench:
        group = await bench.join(f"{RED} {BLUE}")
        bench.fleet.up(BLUE, FACTS, "fleetccd", RED)
        rows = {row["id"]: row["state"] for row in bench.fleet.snapshot()}
        assert rows == {RED: "up", BLUE: f"same as {RED}"}
        bench.fleet.down(RED, None)
        assert {row["id"]: row["state"] for row in bench.fleet.snapshot()}[BLUE] == "up"
        assert group.places.keys() == {RED, BLUE}


class HandWatcher:
    """Looks at each host that has changed."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.told: list[tuple[str, str]] = []

    def job_moved(self, story: Story) -> None:
        """Jobs say so themselves."""

    def host_changed(self, host: str) -> None:
        self.told.append((host, self._fleet.view(host).state))


async def test_who_watches_is_told_of_hosts_that_come_drain_and_go():
    async with working() as bench:
        watcher = bench.fleet.watcher = HandWatcher(bench.fleet)
        await bench.join(f"{RED}/3")
        bench.fleet.draining(RED, "told to")
        leaving = bench.fleet.view(RED)
        bench.fleet.down(RED, HostError("it is gone"))
        down = bench.fleet.view(RED)

        assert [state for _, state in watcher.told] == ["down", "connecting", "up", "draining", "down"]
        assert (leaving.why, leaving.pause) == ("told to", 0)
        assert (down.why, down.slots, down.pause > 0) == ("it is gone", FACTS.slots, True)


async def test_a_second_address_of_one_server_has_no_slots_of_its_own():
    async with working() as bench:
        await bench.join(f"{RED} {BLUE}")
        for host in (RED, BLUE):
            bench.fleet.up(host, FACTS, "fleetccd", "the same")

        first, second = bench.fleet.view(RED), bench.fleet.view(BLUE)
        assert (first.state, second.state, second.why) == ("up", "down", f"is the same server as {RED}")


async def test_a_host_that_no_list_names_is_gone():
    async with working() as bench:
        assert bench.fleet.view("green:1").state == "gone"


async def test_a_host_for_which_this_machine_has_no_descriptor_left_is_down_and_nothing_else_is():
    async with working() as bench:
        bench.broken = OSError(errno.EMFILE, "Too many open files")
        error = await failure(bench.join(RED))
        assert error.reason is Reason.ALL_HOSTS_FAILING
        assert error.detail == f"{RED}: cannot connect: Too many open files"


async def test_what_hosts_lack_is_told_of_those_that_take_files_now():
    async with working() as bench:
        group = await bench.join(f"{RED} {BLUE} 10.0.0.3:3632")
        assert len(group.places) == 3
        for host in (RED, BLUE):
            bench.fleet.up(host, dataclasses.replace(FACTS, takes_files=True), "fleetccd", host)
        bench.pictures = {host: Picture() for host in group.places}
        told, new = b"a" * 32, b"b" * 32
        layer = Layer({b"/a.h": File(told, 700, 1, executable=False)}, frozenset())
        bench.pictures[RED].change_for([layer], {}, is_busy=False)
        blobs = {told: 700, new: 34}

        lacking = bench.fleet.lacking(blobs)
        assert lacking == {RED: {"files": 1, "bytes": 34}, BLUE: {"files": 2, "bytes": 734}}
        change = bench.pictures[RED].change_for([layer], {}, is_busy=False)
        assert (change.needed, change.updates) == (1, ())  # that was asked has left no trace
        bench.fleet.down(BLUE, None)
        assert bench.fleet.lacking(blobs).keys() == {RED}
