"""One connection's replica, with a real store and a client that says what a test wants."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from fleetcc.server.files import Files
from fleetcc.server.replica_session import WHY_NOT, Listener, ReplicaSession
from fleetcc.store.binding import Binding, BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import StoreError, StoreFullError
from fleetcc.store.replicas import Replicas
from fleetcc.store.tree_disk import TreeDisk
from fleetcc.wire.files import Contents, Directory, Entry, File, FileJob, Gone, Missing, ReplicaState, Update
from fleetcc.wire.fleet import Blob, ErrorCode, Frame, FrameReader, Hello, Message, encode, encode_bulk
from fleetcc.wire.fleet_requests import Updated
from fleetcc.wire.fleet_server import FleetServer

SECRET = b"s" * 32
SOURCE = b"int x;\n"


def file(text: bytes) -> File:
    return File(hashlib.sha256(text).digest(), len(text), 5)


class Server:
    """What sessions share."""

    def __init__(self, place: Path, tasks: asyncio.TaskGroup, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self._tasks = tasks
        self.files = Files(cast("Any", None), pool)
        self.files.blobs = BlobStore(str(place / "blobs"), 1 << 30, own=())
        self.files.replicas = Replicas(str(place / "replicas"), self.files.blobs, 1 << 30, 2)

    def start_for_a_session(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self._tasks.create_task(work)

    def close(self) -> None:
        self.files.replicas.shut()
        self.files.blobs.close()


class Client:
    """One connection: what it was told, and what became of its jobs."""

    def __init__(self, server: Server, secret: bytes = SECRET) -> None:
        self.told: list[Message] = []
        self.settled: list[Binding] = []
        self.broken: list[str] = []
        self.refusals = 0
        self.pauses: list[bool] = []
        self.news = asyncio.Event()
        self.number = 0
        self._reader = FrameReader()
        self.protocol = FleetServer(1000, asyncio.get_running_loop().time())
        self.protocol.receive(encode(0, Hello("a", "b", replica=secret)), 0.0)
        listener = Listener(self._settle, self._refuse, self._break, self.pauses.append)
        self.session = ReplicaSession(cast("Any", server), server.files, self.protocol, self._hear, listener)
        self.session.open(secret)

    def _hear(self, data: bytes) -> None:
        self.told += [Frame(*frame).message for frame in self._reader.receive(data)]
        self.news.set()

    def _settle(self, binding: Binding) -> None:
        self.settled.append(binding)
        self.news.set()

    def _refuse(self) -> None:
        self.refusals += 1
        self.news.set()

    def _break(self, why: str) -> None:
        self.broken.append(why)
        self.news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.news.clear()
                await self.news.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.told if isinstance(message, kind)]

    @property
    def state(self) -> ReplicaState:
        """The replica, as it was told last."""
        found: ReplicaState = self.of(ReplicaState)[-1]
        return found

    @property
    def missing(self) -> list[bytes]:
        """All digests that were asked for."""
        return [digest for message in self.of(Missing) for digest in message.digests]

    async def ready(self, states: int = 1) -> None:
        """Until the replica was named so often."""
        await self.until(lambda: len(self.of(ReplicaState)) >= states)
        if self.number == 0 or states > 1:
            self.number = self.state.number

    def say(self, message: Message) -> None:
        """One message, through the real protocol."""
        self._receive(encode(0, message))

    def _receive(self, data: bytes) -> None:
        for event in self.protocol.receive(data, 0.0):
            if isinstance(event, Updated):
                self.session.updated(event.update)
            elif isinstance(event, Gone):
                self.session.gone(event)
            else:
                self.session.contents(cast("Any", event))

    def put(self, **files: bytes) -> None:
        """An update with these files of /src."""
        self.number += 1
        puts: dict[bytes, Entry] = {b"/src": Directory()}
        puts |= {b"/src/" + name.encode(): file(text) for name, text in files.items()}
        self.say(Update(self.state.replica, self.number, puts))

    def bind(self, number: int | None = None) -> Binding | None:
        """A job that needs what was said so far."""
        update = self.number if number is None else number
        job = FileJob(self.state.replica, update, b"/bin/cc", (b"cc",), (), b"/src", 0o22, (b"/src",))
        bound = self.session.bind(job)
        return bound if isinstance(bound, Binding) else None

    def send(self, *blobs: bytes, false: bytes = b"") -> None:
        """Blobs that were asked for; `false`: what is sent in their stead."""
        plain = false or b"".join(blobs)
        told = tuple((hashlib.sha256(blob).digest(), len(blob)) for blob in blobs)
        self.say(Contents(told, len(plain)))
        self._receive(b"".join(encode_bulk(Blob, 0, plain)))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    with ThreadPoolExecutor(2) as pool:
        async with asyncio.TaskGroup() as tasks:
            made = Server(tmp_path, tasks, pool)
            yield made
            for session in list(made.files.sessions):
                session.close()
        made.close()


@pytest.fixture
async def client(server: Server) -> Client:
    made = Client(server)
    await made.ready()
    return made


def state_of(binding: Binding) -> BindingState:
    """As it is now."""
    return binding.state


def read(binding: Binding, path: bytes) -> bytes:
    with open(binding.tree.root + path, "rb") as source:
        return source.read()


async def test_a_client_is_told_its_replica_which_is_empty(client: Client) -> None:
    assert client.state.number == 0


async def test_a_job_begins_when_its_files_have_come(client: Client) -> None:
    client.put(a=SOURCE)
    binding = client.bind()
    assert binding is not None
    assert state_of(binding) is BindingState.WAITING

    await client.until(lambda: client.missing)
    assert client.missing == [file(SOURCE).digest]
    client.send(SOURCE)
    await client.until(lambda: client.settled)

    assert client.settled == [binding]
    assert state_of(binding) is BindingState.READY
    assert read(binding, b"/src/a") == SOURCE


async def test_a_job_for_which_nothing_is_missing_begins_at_once(client: Client) -> None:
    client.bind()
    await client.until(lambda: client.settled)

    binding = client.bind()

    assert binding is not None
    assert state_of(binding) is BindingState.READY


async def test_what_a_client_does_not_have_any_more_ends_the_jobs_that_wait_for_it(client: Client) -> None:
    client.put(a=SOURCE, b=b"other")
    binding = client.bind()
    await client.until(lambda: len(client.missing) == 2)

    client.say(Gone((file(SOURCE).digest,)))

    assert client.settled == [binding]
    assert binding is not None
    assert binding.state is BindingState.CHANGED
    assert binding.state in WHY_NOT


async def test_one_upload_serves_all_who_wait_for_it(server: Server, client: Client) -> None:
    other = Client(server, b"o" * 32)
    await other.ready()
    bindings = []
    for each in (client, other):
        each.put(a=SOURCE)
        bindings.append(each.bind())

    for each in (client, other):
        await each.until(partial(getattr, each, "missing"))
    client.send(SOURCE)
    await client.until(lambda: client.settled)
    await other.until(lambda: other.settled)

    assert [client.settled, other.settled] == [[bindings[0]], [bindings[1]]]
    assert [read(binding, b"/src/a") for binding in bindings if binding] == [SOURCE, SOURCE]


async def test_blobs_that_are_here_are_not_asked_for(server: Server, client: Client) -> None:
    server.files.blobs.add(file(SOURCE).digest, SOURCE)

    client.put(a=SOURCE)
    client.bind()
    await client.until(lambda: client.settled)

    assert client.missing == []


async def test_a_blob_that_is_not_what_it_should_be_breaks_the_protocol(client: Client) -> None:
    client.put(a=SOURCE)
    await client.until(lambda: client.missing)

    client.send(SOURCE, false=b"int y;\n")
    await client.until(lambda: client.broken)

    assert "does not have the digest" in client.broken[0]


@pytest.mark.parametrize("where", ["tree", "store"])
async def test_a_disk_that_fails_costs_the_replica_and_nothing_else(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: Any) -> Any:
        monkeypatch.undo()
        raise StoreFullError("no room")

    old = client.state.replica
    client.put(a=SOURCE)
    binding = client.bind()
    await client.until(lambda: client.missing)
    if where == "tree":
        monkeypatch.setattr(TreeDisk, "apply", fail)
    else:
        monkeypatch.setattr(server.files.blobs, "add", fail)
    client.send(SOURCE)
    await client.ready(2)

    assert binding is not None
    assert (client.settled, binding.state, binding.reason) == ([binding], BindingState.BROKEN, "no room")
    assert client.state.replica != old
    assert client.broken == []

    client.put(a=SOURCE)
    again = client.bind()
    if where == "store":
        await client.until(lambda: len(client.missing) == 2)
        client.send(SOURCE)
    await client.until(lambda: len(client.settled) == 2)
    assert again is not None
    assert read(again, b"/src/a") == SOURCE


async def test_what_is_said_of_a_replica_that_was_evicted_is_passed_over_and_the_new_one_is_named(
    server: Server, client: Client
) -> None:
    old = client.state
    client.put(a=SOURCE)
    await client.until(lambda: client.missing)
    replica = client.session._replica
    assert replica is not None
    assert replica.evict()

    client.put(b=SOURCE)
    await client.ready(2)
    assert client.state.replica != old.replica

    job = FileJob(old.replica, 0, b"/bin/cc", (b"cc",), (), b"/src", 0o22, (b"/src",))
    refused = client.session.bind(job)
    assert not isinstance(refused, Binding)
    assert refused[0] is ErrorCode.REPLICA_GONE


async def test_a_replica_that_is_full_again_at_once_is_none(server: Server, client: Client) -> None:
    old = client.state
    for _ in range(2):
        assert not client.session.obstacle
        client.session.updated(Update(client.state.replica, 1, {b"/big": File(b"d" * 32, 1 << 50, 0)}))
    assert "--store-size" in client.session.obstacle
    job = FileJob(old.replica, 0, b"/bin/cc", (b"cc",), (), b"/src", 0o22, (b"/src",))
    refused = client.session.bind(job)
    assert not isinstance(refused, Binding)
    assert refused[0] is ErrorCode.STORE_FULL


async def test_the_next_connection_finds_its_replica_as_it_was(server: Server, client: Client) -> None:
    client.put(a=SOURCE)
    client.bind()
    await client.until(lambda: client.missing)
    state = client.state

    client.session.close()
    await asyncio.wait(client.session._tasks)
    again = Client(server)
    await again.ready()

    assert again.state == ReplicaState(state.replica, 1)
    binding = again.bind()
    await again.until(lambda: again.missing)  # what the first one did not send
    again.send(SOURCE)
    await again.until(lambda: again.settled)
    assert again.settled == [binding]


async def test_jobs_that_wait_end_with_the_connection_and_those_that_run_later(client: Client) -> None:
    runs = client.bind()
    await client.until(lambda: client.settled)
    client.put(a=SOURCE)
    waits = client.bind()
    assert runs is not None
    assert waits is not None

    client.session.close()

    assert (runs.is_released, waits.is_released) == (False, True)
    client.session.release(runs)
    assert runs.is_released


async def test_a_client_for_whom_there_is_no_replica_is_told_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise StoreError("the disk is broken")

    monkeypatch.setattr(server.files.replicas, "open", fail)
    client = Client(server)

    await client.until(lambda: client.refusals)

    assert client.session.obstacle == "the disk is broken"
    assert client.told == []


async def test_more_clients_than_there_may_be_replicas_are_refused(server: Server, client: Client) -> None:
    second, third = Client(server, b"2" * 32), Client(server, b"3" * 32)
    await third.until(lambda: third.refusals or third.told)
    await second.until(lambda: second.refusals or second.told)

    assert second.refusals + third.refusals == 1


def test_every_end_of_a_job_that_does_not_begin_has_an_answer() -> None:
    assert WHY_NOT.keys() == {BindingState.CHANGED, BindingState.BROKEN}
