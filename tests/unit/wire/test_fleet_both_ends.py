"""The client's and the server's end of the fleet protocol against each other, in any order of events."""

from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleetcc.wire import fleet_answers, fleet_requests
from fleetcc.wire.fleet import (
    BULK_BYTES,
    OPENING,
    Drain,
    ErrorCode,
    Grant,
    Hello,
    Job,
    Part,
    Result,
    Welcome,
)
from fleetcc.wire.fleet_client import FleetClient
from fleetcc.wire.fleet_server import FleetServer

SOURCE_SIZES = (0, 1, 5000, BULK_BYTES + 1)
which = st.integers(0, 100)


def pick(found: Any, choice: int) -> Any:
    """One of several, by a number that may be any."""
    ordered = sorted(found)
    return ordered[choice % len(ordered)]


class BothEnds(RuleBasedStateMachine):
    """Two pipes between them hold what is on its way; each rule is something that one side may do."""

    HELLO = Hello("a", "p")

    def __init__(self) -> None:
        super().__init__()
        self.client = FleetClient(self.HELLO)
        self.server = FleetServer(1 << 20, now=0.0)
        self.up = bytearray(self.client.opening()[len(OPENING) :])
        self.down = bytearray(self.server.welcome(Welcome("p", "i", 4)))
        # the client's side
        self.grants = 0
        self.uploads: dict[int, Iterator[bytes]] = {}
        self.sent: set[int] = set()
        self.cancelled: set[int] = set()
        self.answers: dict[int, list[Any]] = {}
        # the server's side
        self.wanted = 0
        self.uploading: set[int] = set()
        self.ready: set[int] = set()
        self.started: set[int] = set()
        self.unwanted: set[int] = set()
        self.results: dict[int, Iterator[bytes]] = {}
        self.is_draining = False
        self.begin()

    def begin(self) -> None:
        """Both have introduced themselves, and some grants are there."""
        self.demand(8)
        self.carry_up(1 << 20)
        for _ in range(4):
            self.grant()
        self.carry_down(1 << 20)

    # -- the client does

    @rule(most=st.integers(0, 5))
    def demand(self, most: int) -> None:
        self.up += self.client.demand(most, "normal")

    @precondition(lambda self: self.grants)
    @rule(size=st.sampled_from(SOURCE_SIZES), kind=st.sampled_from(["preprocessed"] * 4 + ["files"]))
    def send(self, size: int, kind: str) -> None:
        self.grants -= 1
        number, head = self.client.job(Job(kind, "0" * 64, (b"cc",), "expanded", size, size))
        self.sent.add(number)
        self.up += head
        self.uploads[number] = self.client.blobs(number, bytes(size))

    @precondition(lambda self: self.uploads)
    @rule(choice=which, most=st.sampled_from([1, 100]))
    def upload(self, choice: int, most: int) -> None:
        number = pick(self.uploads, choice)
        for _ in range(most):
            piece = next(self.uploads[number], None)
            if piece is None:
                del self.uploads[number]
                return
            self.up += piece

    @precondition(lambda self: self.grants)
    @rule()
    def decline(self) -> None:
        self.grants -= 1
        self.up += self.client.decline(1)

    @precondition(lambda self: len(self.sent) > 1)
    @rule(choice=which)
    def cancel(self, choice: int) -> None:
        number = pick(self.sent, choice)
        if number not in self.answers:
            self.cancelled.add(number)
        self.up += self.client.cancel(number)

    @rule()
    def client_pings(self) -> None:
        self.up += self.client.ping()

    # -- the server does

    @precondition(lambda self: self.wanted and not self.is_draining)
    @rule()
    def grant(self) -> None:
        self.wanted -= 1
        self.down += self.server.grant(1, 0.0)

    @precondition(lambda self: self.ready - self.started)
    @rule(choice=which)
    def start(self, choice: int) -> None:
        number = pick(self.ready - self.started, choice)
        self.started.add(number)
        self.down += self.server.started(number)

    @precondition(lambda self: self.ready)
    @rule(choice=which, sizes=st.lists(st.sampled_from(SOURCE_SIZES), max_size=3))
    def begin_result(self, choice: int, sizes: list[int]) -> None:
        number = pick(self.ready, choice)
        self.ready.remove(number)
        result = self.result_of(number, sizes)
        self.results[number] = self.server.result(number, result, [bytes(size) for size in sizes])

    def result_of(self, number: int, sizes: list[int]) -> Result:
        return Result(0, tuple(Part(f"part {n}", size, size) for n, size in enumerate(sizes)))

    @precondition(lambda self: self.results)
    @rule(choice=which)
    def go_on_with_result(self, choice: int) -> None:
        number = pick(self.results, choice)
        frame = next(self.results[number], None)
        if frame is None:
            del self.results[number]
        else:
            self.down += frame

    @precondition(lambda self: self.ready | self.uploading | self.unwanted)
    @rule(choice=which)
    def fail(self, choice: int) -> None:
        number = pick(self.ready | self.uploading | self.unwanted, choice)
        for place in (self.ready, self.uploading, self.unwanted):
            place.discard(number)
        self.down += self.server.failed(number, ErrorCode.FAILED, "the disk is full")

    @rule()
    def server_pings(self) -> None:
        self.down += self.server.ping()

    @precondition(lambda self: not self.is_draining and len(self.sent) > 3)
    @rule()
    def drain(self) -> None:
        self.is_draining = True
        self.down += self.server.drain("restart")

    @precondition(lambda self: self.is_draining)
    @rule()
    def revoke(self) -> None:
        self.server.revoke()

    # -- the network does

    @precondition(lambda self: self.up)
    @rule(size=st.one_of(st.integers(1, 30), st.just(1 << 20)))
    def carry_up(self, size: int) -> None:
        data, self.up = bytes(self.up[:size]), self.up[size:]
        for event in self.server.receive(data, 0.0):
            self.server_learns(event)

    @precondition(lambda self: self.down)
    @rule(size=st.one_of(st.integers(1, 30), st.just(1 << 20)))
    def carry_down(self, size: int) -> None:
        data, self.down = bytes(self.down[:size]), self.down[size:]
        for event in self.client.receive(data, 0.0):
            self.client_learns(event)

    @rule()
    def carry_all(self) -> None:
        while self.up or self.down:
            if self.up:
                self.carry_up(1 << 20)
            if self.down:
                self.carry_down(1 << 20)

    def server_learns(self, event: fleet_requests.Event) -> None:
        match event:
            case fleet_requests.Reply():
                self.down += event.data
            case fleet_requests.Pinged():
                self.down += self.server.pong(event.token, 1e9)
            case fleet_requests.Demanded():
                self.wanted = event.most
            case fleet_requests.Offered():
                self.uploading.add(event.number)
            case fleet_requests.Uploaded():
                self.uploading.discard(event.number)
                self.ready.add(event.number)
            case fleet_requests.Cancelled():
                self.uploading.discard(event.number)
                self.ready.discard(event.number)
                if event.number not in self.results:
                    self.unwanted.add(event.number)
            case fleet_requests.Complaint():
                raise AssertionError(event)

    def client_learns(self, event: fleet_answers.Event) -> None:
        match event:
            case Grant():
                self.grants += event.count
            case fleet_answers.Reply():
                self.up += event.data
            case fleet_answers.Began():
                assert event.job not in self.answers
            case fleet_answers.Finished() | fleet_answers.Failed():
                self.answers.setdefault(event.job, []).append(event)
            case Welcome() | Drain():
                pass
            case _:
                raise AssertionError(event)

    def has_more(self) -> bool:
        """Whether anything else is on its way; a step of it is taken."""
        return False

    # -- what must be so

    @invariant()
    def nothing_is_answered_twice_or_after_it_was_cancelled(self) -> None:
        assert all(len(found) == 1 for found in self.answers.values())
        assert not self.cancelled & self.answers.keys()

    def teardown(self) -> None:
        """Let everything arrive and everything be answered: then both agree that nothing is left."""
        while self.up or self.down or self.uploads or self.server.jobs or self.results or self.has_more():
            while self.uploads:
                self.upload(0, 100)
            while self.results:
                self.go_on_with_result(0)
            while self.ready:
                self.begin_result(0, [1, BULK_BYTES + 1])
            while self.uploading or self.unwanted:
                self.fail(0)
            self.carry_all()
        self.nothing_is_answered_twice_or_after_it_was_cancelled()
        assert self.answers.keys() | self.cancelled == self.sent
        assert self.client.outstanding == self.server.jobs == 0


TestBothEnds = BothEnds.TestCase
TestBothEnds.settings = settings(max_examples=300, stateful_step_count=100, deadline=None)
