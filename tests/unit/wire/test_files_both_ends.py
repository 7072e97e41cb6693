"""Both ends of the fleet protocol against each other, with jobs made of files among the others."""

import itertools
from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from fleetcc.wire import fleet_answers, fleet_requests
from fleetcc.wire.files import Contents, File, FileJob, Gone, Left, ReplicaState, Update
from fleetcc.wire.files_client import Wanted
from fleetcc.wire.fleet import BULK_BYTES, ErrorCode, Hello, Part, Result
from fleetcc.wire.fleet_answers import Finished
from tests.unit.wire.test_fleet_both_ends import BothEnds, pick, which

# The last is a blob that goes in three frames.
SIZES = (0, 3, 5000, 2 * BULK_BYTES + 1)
BLOBS = range(12)
MOST_REPLICAS = 4


def digest(blob: int) -> bytes:
    return b"%032d" % blob


def content(of: bytes) -> bytes:
    """What hashes to this, as far as this test goes."""
    return of[-1:] * SIZES[int(of) % len(SIZES)]


class FilesToo(BothEnds):
    """The server keeps blobs by digest and asks for what a job lacks; the client sends or loses them."""

    HELLO = Hello("a", "p", replica=b"s" * 16)

    def begin(self) -> None:
        # the client's side
        self.replica: bytes | None = None
        self.number = 0
        self.contents: dict[bytes, Iterator[bytes]] = {}  # what is on its way, by its first digest
        self.to_send: dict[bytes, None] = {}
        self.file_jobs: set[int] = set()
        # the server's side
        self.replicas = 0
        self.needs: dict[int, set[bytes]] = {}  # of each update of the present replica
        self.store: set[bytes] = set()
        self.lost: set[bytes] = set()  # that the client said to be gone, since they were last told
        self.waiting: dict[int, set[bytes]] = {}
        self.arriving: Contents | None = None
        self.arrived = b""
        self.give_up()
        super().begin()
        self.change_and_send([0, 1, 3])

    # -- the client does

    @precondition(lambda self: self.replica is not None)
    @rule(blobs=st.lists(st.sampled_from(BLOBS), max_size=4), fork=st.booleans())
    def change(self, blobs: list[int], fork: bool) -> None:
        assert self.replica is not None
        self.number += 1
        puts = {b"/%d" % blob: File(digest(blob), len(content(digest(blob))), 0) for blob in blobs}
        removes = tuple(b"/%d" % (blob + 1) for blob in blobs)
        self.up += self.client.update(Update(self.replica, self.number, dict(puts), removes, fork))

    @precondition(lambda self: self.grants and self.replica is not None)
    @rule(back=st.integers(0, 3))
    def send_files(self, back: int) -> None:
        assert self.replica is not None
        self.grants -= 1
        update = max(0, self.number - back)
        job = FileJob(self.replica, update, b"/bin/cc", (b"cc",), (), b"/w", 0o22, (b"/w",))
        number, head = self.client.file_job(job)
        self.sent.add(number)
        self.file_jobs.add(number)
        self.up += head

    @precondition(lambda self: self.grants and self.replica is not None)
    @rule(blobs=st.lists(st.sampled_from(BLOBS), min_size=1, max_size=4))
    def change_and_send(self, blobs: list[int]) -> None:
        self.change(blobs, fork=False)
        self.send_files(0)

    @precondition(lambda self: self.to_send and not self.contents)
    @rule(most=st.integers(1, 5))
    def begin_contents(self, most: int) -> None:
        first = next(iter(self.to_send))
        found = [first] if len(content(first)) > BULK_BYTES else self.small_ones(most)
        for sent in found:
            del self.to_send[sent]
        raw = b"".join(content(sent) for sent in found)
        contents = Contents(tuple((sent, len(content(sent))) for sent in found), len(raw))
        self.contents[first] = self.client.contents(contents, raw)

    def small_ones(self, most: int) -> list[bytes]:
        return [sent for sent in self.to_send if len(content(sent)) <= BULK_BYTES][:most]

    @precondition(lambda self: self.contents)
    @rule(most=st.sampled_from([1, 100]))
    def go_on_with_contents(self, most: int) -> None:
        ((first, frames),) = self.contents.items()
        for frame in itertools.islice(frames, most):
            self.up += frame
        if most > 1:
            del self.contents[first]

    @precondition(lambda self: self.to_send)
    @rule(choice=which)
    def lose_what_is_wanted(self, choice: int) -> None:
        lost = pick(self.to_send, choice)
        del self.to_send[lost]
        self.up += self.client.gone([lost])

    @rule(blob=st.sampled_from(BLOBS))
    def lose_anything(self, blob: int) -> None:
        """Also what nobody has asked for: then nothing is said."""
        if digest(blob) not in self.to_send:
            self.up += self.client.gone([digest(blob)])

    @precondition(lambda self: self.contents)
    @rule()
    def lose_what_is_on_its_way(self) -> None:
        self.up += self.client.gone(self.contents)
        for lost in self.contents:  # which may have been asked for again
            self.to_send.pop(lost, None)

    # -- the server does

    @precondition(lambda self: self.replicas < MOST_REPLICAS)
    @rule()
    def give_up(self) -> None:
        """The first time it tells which replica there is; then a new one."""
        self.replicas += 1
        self.needs = {0: set()}
        self.store.clear()
        self.down += self.server.replica_state(ReplicaState(b"%016d" % self.replicas))
        for number in sorted(self.waiting):
            self.end(number, ErrorCode.REPLICA_GONE)

    @precondition(lambda self: self.store)
    @rule(choice=which)
    def evict(self, choice: int) -> None:
        self.store.remove(pick(self.store, choice))

    def result_of(self, number: int, sizes: list[int]) -> Result:
        if number not in self.file_jobs:
            return super().result_of(number, sizes)
        files = tuple(Left(b"/w/%d.o" % rank, 0o644) for rank in range(len(sizes)))
        return Result(0, tuple(Part("file", size, size) for size in sizes), files=files)

    def end(self, number: int, code: ErrorCode) -> None:
        self.waiting.pop(number, None)
        self.uploading.discard(number)
        self.down += self.server.failed(number, code, "no")

    def look_after_waiting(self) -> None:
        for number, needed in sorted(self.waiting.items()):
            if number not in self.uploading:  # answered or cancelled meanwhile
                del self.waiting[number]
            elif needed & self.lost:
                self.end(number, ErrorCode.CHANGED)
            elif needed <= self.store:
                del self.waiting[number]
                self.uploading.remove(number)
                self.ready.add(number)
            else:
                self.down += self.server.missing(sorted(needed - self.store), 0.0)

    # -- what comes of it

    def server_learns(self, event: fleet_requests.Event) -> None:
        super().server_learns(event)
        match event:
            case fleet_requests.Updated():
                entries = event.update.puts.values()
                files = {entry.digest for entry in entries if isinstance(entry, File)}
                self.lost -= files
                self.needs[event.update.number] = self.needs[event.update.number - 1] | files
            case fleet_requests.FilesOffered():
                self.uploading.add(event.number)
                self.waiting[event.number] = set(self.needs[event.job.update])
            case fleet_requests.ContentsBegin():
                assert self.arriving is None
                self.arriving, self.arrived = event.contents, b""
            case fleet_requests.ContentsPiece():
                self.arrived += event.raw
            case fleet_requests.ContentsEnd():
                self.contents_ended(is_whole=event.is_whole)
            case Gone():
                self.lost.update(event.digests)
        self.look_after_waiting()

    def contents_ended(self, *, is_whole: bool) -> None:
        assert self.arriving is not None
        if is_whole:
            assert self.arrived == b"".join(content(of) for of, _ in self.arriving.blobs)
            self.store.update(of for of, _ in self.arriving.blobs)
        self.arriving = None

    def client_learns(self, event: fleet_answers.Event) -> None:
        match event:
            case ReplicaState():
                self.replica, self.number = event.replica, event.number
            case Wanted():
                assert not self.to_send.keys() & set(event.digests)
                self.to_send.update(dict.fromkeys(event.digests))
            case _:
                super().client_learns(event)

    def has_more(self) -> bool:
        if self.contents:
            self.go_on_with_contents(100)
        elif self.to_send:
            self.begin_contents(5)
        else:
            return False
        return True

    @invariant()
    def files_come_with_their_bytes(self) -> None:
        for number in self.file_jobs & self.answers.keys():
            for answer in self.answers[number]:
                if isinstance(answer, Finished) and answer.result.files:
                    assert [len(raw) for _, _, raw in answer.files()] == [
                        part.raw_bytes for part in answer.result.parts
                    ]

    def teardown(self) -> None:
        super().teardown()
        assert self.arriving is None
        assert "blobs" not in (self.server.overdue(1e9, 1e6) or "")


TestFilesToo = FilesToo.TestCase
TestFilesToo.settings = settings(max_examples=200, stateful_step_count=100, deadline=None)
