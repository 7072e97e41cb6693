"""The gate: who uploads and who compiles next, alone and beside the gates of other processes."""

import asyncio
from collections.abc import Callable

import pytest

from fleetcc.scheduling.capacity import Memory
from fleetcc.server import gate as gate_module
from fleetcc.server import machine
from fleetcc.server.board import Board
from fleetcc.server.gate import Gate
from fleetcc.server.meter import Meter
from fleetcc.server.slots import SlotFiles


@pytest.fixture
def memory(monkeypatch):
    """The machine's memory, as the test decides."""
    figures = [Memory(1 << 33, 1 << 32, 0.0)]
    monkeypatch.setattr(machine, "memory", lambda: figures[0])
    return figures


@pytest.fixture
async def new_gate(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(gate_module, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(gate_module, "TICK_SPREAD_SECONDS", 0.0)
    made = []

    def new(slots=2, queue_timeout=60.0):
        gate = Gate(
            SlotFiles(str(tmp_path / "slots"), slots),
            Board(str(tmp_path / "waiting")),
            Meter(str(tmp_path / "load"), slots, 0.0, 1 << 30),
            queue_timeout,
        )
        made.append(gate)
        return gate

    yield new
    for gate in made:
        gate.close()


@pytest.fixture
def started() -> list[str]:
    """The clients whose jobs have started, in order."""
    return []


class Visitor:
    """A request that uploads at once and notes when it may compile."""

    def __init__(self, gate: Gate, client: str, started: list[str]) -> None:
        self.gate = gate
        self.client = client
        self.started = started
        self.expired = False
        self.task: asyncio.Task[None] | None = None
        self.ticket = gate.join(client, "gcc x.c", self.upload, self.expire)

    def upload(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.compile())

    def expire(self) -> None:
        self.expired = True
        self.leave()

    async def compile(self) -> None:
        await self.gate.slot(self.ticket)
        self.started.append(self.client)

    def leave(self) -> None:
        self.gate.leave(self.ticket)
        if self.task is not None:
            self.task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - other processes give no event
            await asyncio.sleep(0)


async def settle() -> None:
    """Every turn that is due has been taken."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_requests_start_while_slots_are_free(new_gate, started):
    gate = new_gate(slots=2)
    visitors = [Visitor(gate, "a", started) for _ in range(3)]
    await settle()
    assert (len(started), gate.running, gate.waiting) == (2, 2, 1)
    visitors[0].leave()
    await settle()
    assert (len(started), gate.running, gate.waiting) == (3, 2, 0)
    for visitor in visitors:
        visitor.leave()
    await settle()
    assert (gate.running, gate.waiting) == (0, 0)


async def test_a_freed_slot_goes_to_the_client_with_fewer_compilers(new_gate, started):
    gate = new_gate(slots=2)
    many = [Visitor(gate, "many", started) for _ in range(10)]
    await settle()
    few = [Visitor(gate, "few", started) for _ in range(2)]
    await settle()
    many[0].leave()
    await settle()
    assert started == ["many", "many", "few"]
    for visitor in (*many, *few):
        visitor.leave()


async def test_only_the_head_of_a_far_request_is_read(new_gate):
    gate = new_gate(slots=1)
    uploads: list[int] = []
    tickets = [gate.join("a", "gcc", lambda: uploads.append(1), lambda: None) for _ in range(5)]
    await settle()
    assert uploads == [1]
    for ticket in tickets:
        gate.leave(ticket)


async def test_a_request_that_waits_too_long_is_told_once(new_gate, started):
    gate = new_gate(slots=1, queue_timeout=0.01)
    first = Visitor(gate, "a", started)
    await settle()
    second = Visitor(gate, "a", started)
    await until(lambda: second.expired)
    assert started == ["a"]
    assert not first.expired
    first.leave()


async def test_nothing_starts_while_memory_is_short_and_it_comes_back_by_itself(
    new_gate, memory, monkeypatch, started
):
    monkeypatch.setattr("fleetcc.server.meter.REFRESH_SECONDS", 0.0)
    gate = new_gate(slots=4)
    first = Visitor(gate, "a", started)
    await settle()
    memory[0] = Memory(1 << 33, 1 << 28, 0.0)
    second = Visitor(gate, "a", started)
    await settle()
    assert len(started) == 1
    memory[0] = Memory(1 << 33, 1 << 32, 0.0)
    await until(lambda: len(started) == 2)
    first.leave()
    second.leave()


async def test_two_processes_never_hold_more_than_their_slots_and_hand_them_over(new_gate, started):
    one, two = new_gate(slots=1), new_gate(slots=1)
    first = Visitor(one, "a", started)
    await settle()
    second = Visitor(two, "b", started)
    await settle()
    assert (started, one.running, two.running) == (["a"], 1, 0)
    first.leave()
    await until(lambda: started == ["a", "b"])
    second.leave()


async def test_a_slot_freed_in_one_process_goes_to_the_poorer_client_of_another(new_gate, started):
    one, two = new_gate(slots=2), new_gate(slots=2)
    rich = [Visitor(one, "rich", started) for _ in range(6)]
    await settle()
    poor = Visitor(two, "poor", started)
    await settle()
    rich[0].leave()
    await until(lambda: len(started) == 3)
    assert started == ["rich", "rich", "poor"]
    for visitor in (*rich, poor):
        visitor.leave()


async def test_a_process_that_does_not_come_is_passed_over(new_gate, monkeypatch, started):
    monkeypatch.setattr(gate_module, "ANSWER_TO_BELL_SECONDS", 0.1)
    one, two = new_gate(slots=1), new_gate(slots=1)
    first = Visitor(one, "a", started)
    await settle()
    absent = Visitor(two, "b", started)
    await settle()
    two._start_ready = lambda: None  # as if it were stopped
    third = Visitor(one, "c", started)
    await settle()
    first.leave()
    await until(lambda: started == ["a", "c"])
    for visitor in (absent, third):
        visitor.leave()


async def test_leaving_twice_and_in_every_state_is_no_fault(new_gate, started):
    gate = new_gate(slots=1)
    visitors = [Visitor(gate, "a", started) for _ in range(3)]
    visitors[2].leave()
    await settle()
    for visitor in (*visitors, *visitors):
        visitor.leave()
        await settle()
    assert (gate.running, gate.waiting) == (0, 0)
    again = Visitor(gate, "a", started)
    await settle()
    assert gate.running == 1
    again.leave()


# -- late requests


class Grantee:
    """A fleet client: wants so many jobs, and notes the grants that it has."""

    def __init__(self, gate: Gate, client: str, want: int) -> None:
        self.gate = gate
        self.client = client
        self.want = want
        self.granted: list[gate_module.Ticket] = []
        self._join()

    def _join(self) -> None:
        if self.want:
            self.want -= 1
            self.queued = self.gate.join(self.client, "", self._grant, lambda: None, is_late=True)

    def _grant(self) -> None:
        self.granted.append(self.queued)
        self._join()


async def test_late_requests_are_granted_for_free_slots_and_one_more(new_gate):
    gate = new_gate(slots=3)
    client = Grantee(gate, "a", 10)
    await settle()
    assert len(client.granted) == 4
    for ticket in client.granted:
        gate.bind(ticket, "gcc x.c", lambda: None)
    slots = [asyncio.ensure_future(gate.slot(ticket)) for ticket in client.granted]  # noqa: TID251
    await settle()
    assert [slot.done() for slot in slots] == [True, True, True, False]
    assert len(client.granted) == 4
    gate.leave(client.granted[0])
    await settle()
    assert slots[3].done()
    assert len(client.granted) == 5
    for ticket in (*client.granted, client.queued):
        gate.leave(ticket)


async def test_a_grant_that_nobody_uses_is_given_to_another_soon(new_gate, monkeypatch):
    monkeypatch.setattr(gate_module, "TICK_SECONDS", 60.0)
    gate = new_gate(slots=1)
    idle = Grantee(gate, "idle", 2)
    await settle()
    other = Grantee(gate, "other", 1)
    await settle()
    assert (len(idle.granted), len(other.granted)) == (2, 0)
    await until(lambda: len(other.granted) == 1)
    for ticket in (*idle.granted, *other.granted):
        gate.leave(ticket)
