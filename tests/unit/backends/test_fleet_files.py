"""Jobs made of files on a fleet host's link: the replica's updates, blobs, and what comes back."""

import asyncio
import hashlib
import os
from typing import Any

import msgspec
import pytest

from fleetcc.backends.link import (
    FileOrder,
    JobLimitError,
    LeftFile,
    StaleError,
    UnfitFilesError,
    UnfitTextError,
)
from fleetcc.errors import HostError
from fleetcc.files.layers import Layer
from fleetcc.includes.disk import Listing
from fleetcc.wire import zstd
from fleetcc.wire.files import (
    FILES,
    Contents,
    Directory,
    File,
    FileJob,
    Gone,
    Left,
    Missing,
    ReplicaState,
    Update,
)
from fleetcc.wire.fleet import (
    Blob,
    Cancel,
    Decline,
    Error,
    ErrorCode,
    Hello,
    Output,
    Part,
    Result,
    Welcome,
    encode_bulk,
)
from tests.unit.backends.fleet_bench import IDENTITY, Bench, HeldExecutor

REPLICA, OTHER = b"r" * 16, b"o" * 16
SECRET_HELLO = Hello("a-1", "fleetcc 9", capabilities=(FILES,), replica=b"s" * 32)
TAKES_FILES = Welcome("fleetccd 9", "i-1", 4, (IDENTITY,), capabilities=("expanded", FILES))
TAKES_NONE = Welcome("fleetccd 9", "i-1", 4, (IDENTITY,), capabilities=("expanded",))
SOURCE = b"int x;\n"
ENTRY = File(hashlib.sha256(SOURCE).digest(), len(SOURCE), 5)
LAYER = Layer({b"/src": Directory(), b"/src/a.c": ENTRY}, frozenset({b"/src"}))
LISTINGS = {b"/src": Listing(frozenset({b"a.c"}))}


def file_order(*layers: Layer, **fields: Any) -> FileOrder:
    told: dict[str, Any] = {
        "listings": LISTINGS, "program": b"/usr/bin/gcc", "argv": (b"gcc", b"-c", b"a.c"),
        "environment": (b"LANG=C",), "cwd": b"/src", "umask": 0o22, "returns": (b"/src",),
        "existing": (b"/src/a.o",), "label": "a.c", **fields,
    }  # fmt: skip
    return FileOrder(layers or (LAYER,), **told)


def job(update: int, replica: bytes = REPLICA) -> FileJob:
    """The job of `file_order`."""
    return FileJob(
        replica, update, b"/usr/bin/gcc", (b"gcc", b"-c", b"a.c"), (b"LANG=C",), b"/src", 0o22,
        (b"/src",), "a.c", (b"/src/a.o",),
    )  # fmt: skip


@pytest.fixture
async def fresh() -> Any:
    """Connected; the host has said nothing yet."""
    bench = Bench(hello=SECRET_HELLO)
    bench.blobs[ENTRY.digest] = SOURCE
    bench.connect()
    yield bench
    bench.link.close()


@pytest.fixture
async def bench(fresh: Bench) -> Bench:
    """The host takes files; its replica is empty."""
    fresh.say(TAKES_FILES, ReplicaState(REPLICA))
    fresh.events.told.clear()
    return fresh


def leave(
    bench: Bench,
    *files: tuple[bytes, bytes],
    status: int = 0,
    removed: tuple[bytes, ...] = (),
    number: int = 1,
) -> None:
    """The host answers a job with these files."""
    parts = (Part("stderr", 4, 4), *(Part("file", len(data), len(data)) for _, data in files))
    left = tuple(Left(path, 0o644) for path, _ in files)
    bench.link.data_received(
        b"".join(encode_bulk(Output, number, b"warn" + b"".join(data for _, data in files)))
    )
    bench.say(Result(status, parts, run_seconds=0.5, files=left, removed=removed), job=number)


async def work(bench: Bench) -> None:
    """Let the threads run until they have nothing to do."""
    assert isinstance(bench.executor, HeldExecutor)
    for _ in range(3):
        bench.executor.run()
        for _ in range(4):
            await asyncio.sleep(0)


# -- what it is


async def test_a_host_that_takes_files_is_up_once_its_replica_is_known(fresh: Bench) -> None:
    fresh.say(TAKES_FILES)
    assert fresh.events.told == []
    assert await fresh.link.answered

    fresh.say(ReplicaState(REPLICA))

    ((_, facts, _, _),) = fresh.events.of("up")
    assert facts.takes_files


async def test_a_host_that_takes_no_files_is_up_at_once(fresh: Bench) -> None:
    fresh.say(TAKES_NONE)

    ((_, facts, _, _),) = fresh.events.of("up")
    assert not facts.takes_files


async def test_a_host_that_has_no_replica_for_us_is_up_for_texts(fresh: Bench) -> None:
    fresh.say(TAKES_FILES, TAKES_NONE)

    ((_, facts, _, _),) = fresh.events.of("up")
    assert not facts.takes_files


async def test_what_such_a_host_says_later_keeps_its_replica(bench: Bench) -> None:
    bench.say(TAKES_FILES)

    ((_, facts, _, _),) = bench.events.of("up")
    assert facts.takes_files


# -- jobs


async def test_a_job_comes_after_the_updates_that_it_needs(bench: Bench) -> None:
    bench.link.send(7, file_order())

    assert bench.said() == [(0, Update(REPLICA, 1, dict(LAYER.entries))), (1, job(1))]


async def test_a_warm_job_is_one_frame(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.said()

    bench.link.send(8, file_order())

    assert bench.said() == [(2, job(1))]


@pytest.mark.parametrize("end", ["runs", "answered", "cancelled", "failed"])
async def test_jobs_that_run_are_spared_what_has_appeared(bench: Bench, end: str) -> None:
    bench.link.send(7, file_order())
    if end == "answered":
        leave(bench)
    elif end == "cancelled":
        bench.link.cancel(7)
    elif end == "failed":
        bench.say(Error(ErrorCode.FAILED, "disk"), job=1)
    bench.said()
    more = Layer({**LAYER.entries, b"/src/new.h": ENTRY}, LAYER.directories)

    bench.link.send(8, file_order(more, listings={b"/src": Listing(frozenset({b"a.c", b"new.h"}))}))

    ((_, update), _) = bench.said()
    assert update == Update(REPLICA, 2, {b"/src/new.h": ENTRY}, fork=end == "runs")


async def test_what_a_compiler_left_and_removed_is_told(bench: Bench) -> None:
    bench.link.send(7, file_order(existing=(b"/src/a.o", b"/src/old.o")))
    leave(bench, (b"/src/a.o", b"\x7fELF"), (b"/src/a.d", b"a.o:"), removed=(b"/src/old.o",))

    ((_, number, spoken),) = bench.events.of("finished")
    assert number == 7
    assert (spoken.status, spoken.stderr, spoken.output, spoken.seconds) == (0, b"warn", b"", 0.5)
    assert spoken.files == (LeftFile(b"/src/a.o", 0o644, b"\x7fELF"), LeftFile(b"/src/a.d", 0o644, b"a.o:"))
    assert spoken.removed == (b"/src/old.o",)


async def test_success_without_any_file_is_an_answer(bench: Bench) -> None:
    bench.link.send(7, file_order())
    leave(bench)

    ((_, _, spoken),) = bench.events.of("finished")
    assert spoken.files == ()


async def test_big_files_are_unpacked_in_a_thread(bench: Bench) -> None:
    big = b"object" * 100_000
    encoding, raw = zstd.pack(big)
    bench.link.send(7, file_order())
    bench.link.data_received(b"".join(encode_bulk(Output, 1, raw)))
    parts = (Part("file", len(raw), len(big), encoding),)
    bench.say(Result(0, parts, files=(Left(b"/src/a.o", 0o600),)), job=1)
    assert bench.events.told == []

    await work(bench)

    ((_, _, spoken),) = bench.events.of("finished")
    assert spoken.files == (LeftFile(b"/src/a.o", 0o600, big),)


async def test_a_removal_of_what_was_no_output_ends_the_connection(bench: Bench) -> None:
    bench.link.send(7, file_order())
    leave(bench, removed=(b"/home/user/.bashrc",))

    ((_, error),) = bench.events.of("down")
    assert ".bashrc" in str(error)


async def test_a_file_outside_of_the_directories_that_were_named_ends_the_connection(bench: Bench) -> None:
    bench.link.send(7, file_order())
    leave(bench, (b"/etc/passwd", b"root"))

    ((_, error),) = bench.events.of("down")
    assert "was not asked for" in str(error)


async def test_a_job_that_fits_into_no_frame_gives_its_grant_back(bench: Bench) -> None:
    bench.link.send(7, file_order(argv=(b"x" * (1 << 20),)))

    (_, number, error) = await bench.events.next("failed")
    assert (number, type(error)) == (7, UnfitTextError)
    update, decline = bench.said()
    assert isinstance(update[1], Update)
    assert decline == (0, Decline(1))
    bench.link.send(8, file_order())
    assert bench.said() == [(1, job(1))]


async def test_a_job_that_is_cancelled_is_taken_back(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.said()

    bench.link.cancel(7)
    leave(bench)

    assert bench.said() == [(1, Cancel())]
    assert bench.events.told == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.CHANGED, StaleError),
        (ErrorCode.REPLICA_GONE, StaleError),
        (ErrorCode.UNFIT, UnfitFilesError),
        (ErrorCode.LIMITS, JobLimitError),
        (ErrorCode.LIFETIME, JobLimitError),
        (ErrorCode.SANDBOX, HostError),
        (ErrorCode.STORE_FULL, HostError),
    ],
)
async def test_an_error_says_whose_fault_it_was(bench: Bench, code: ErrorCode, kind: type[HostError]) -> None:
    bench.link.send(7, file_order())
    bench.say(Error(code, "so it is"), job=1)

    ((_, _, error),) = bench.events.of("failed")
    assert type(error) is kind


async def test_blobs_that_the_host_was_not_told_of_are_none_of_its_business(bench: Bench) -> None:
    secret = hashlib.sha256(b"secret").digest()
    bench.blobs[secret] = b"secret"
    bench.link.send(7, file_order())
    bench.said()

    bench.say(Missing((secret, ENTRY.digest)))
    await work(bench)

    assert bench.said() == [
        (0, Gone((secret,))), (0, Contents(((ENTRY.digest, 7),), 7)), (0, Blob(SOURCE)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "takes_files"), [("", True), (os.uname().machine, True), ("pdp11", False)]
)
async def test_a_host_of_another_machine_runs_none_of_our_programs(
    fresh: Bench, machine: str, takes_files: bool
) -> None:
    fresh.say(msgspec.structs.replace(TAKES_FILES, machine=machine), ReplicaState(REPLICA))

    ((_, facts, _, _),) = fresh.events.of("up")
    assert facts.takes_files is takes_files


# -- blobs


async def test_what_the_host_lacks_is_sent(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.said()

    bench.say(Missing((ENTRY.digest,)))
    await work(bench)

    assert bench.said() == [(0, Contents(((ENTRY.digest, 7),), 7)), (0, Blob(SOURCE))]


async def test_what_is_not_here_any_more_is_said_to_be_gone_and_told_anew(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.said()
    bench.blobs.clear()

    bench.say(Missing((ENTRY.digest,)))
    await work(bench)
    assert bench.said() == [(0, Gone((ENTRY.digest,)))]
    bench.say(Error(ErrorCode.CHANGED, "it has changed"), job=1)

    bench.link.send(8, file_order())
    ((_, update), (_, again)) = bench.said()
    assert update == Update(REPLICA, 2, {b"/src/a.c": ENTRY}, (b"/src/a.c",))
    assert again == job(2)


async def test_a_host_that_gave_the_replica_up_is_told_all_again_and_gets_each_blob_once(
    bench: Bench,
) -> None:
    bench.link.send(7, file_order())
    bench.say(Missing((ENTRY.digest,)))
    bench.said()

    bench.say(ReplicaState(OTHER))
    bench.say(Error(ErrorCode.STORE_FULL, "lost"), job=1)
    bench.link.send(8, file_order())
    bench.say(Missing((ENTRY.digest,)))
    await work(bench)

    assert bench.said() == [
        (0, Update(OTHER, 1, dict(LAYER.entries))), (2, job(1, OTHER)),
        (0, Contents(((ENTRY.digest, 7),), 7)), (0, Blob(SOURCE)),
    ]  # fmt: skip


async def test_an_upload_ends_with_the_connection(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.say(Missing((ENTRY.digest,)))
    bench.said()

    bench.link.close()
    await work(bench)

    assert bench.said() == []


async def test_the_next_connection_goes_on_where_the_last_one_was(bench: Bench) -> None:
    bench.link.send(7, file_order())
    bench.link.close()

    again = Bench(hello=SECRET_HELLO, picture=bench.picture)
    again.connect()
    again.say(TAKES_FILES, ReplicaState(REPLICA, 1))
    again.link.send(8, file_order())

    assert again.said() == [(1, job(1))]
    again.link.close()
