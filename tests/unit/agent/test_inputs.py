"""What a compile can read, on real directories, asked from this machine's gcc where only that knows."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleetcc.agent import scans as scans_module
from fleetcc.agent.inputs import Inputs, Prepared
from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.backends.link import Spoken, StaleError
from fleetcc.backends.picture import Picture
from fleetcc.command.replica import Shipment, replica_shipment
from fleetcc.files.digests import ChangedError
from fleetcc.model import Compiler, Family, Reason
from fleetcc.store.desired import Desired
from fleetcc.toolchain.search_dependencies import dependencies
from fleetcc.wire.files import Directory, Entry, File, Link, ReplicaState

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
ENVIRONMENT = {b"PATH": b"/usr/bin:/bin", b"HOME": b"/nowhere", b"LC_ALL": b"C"}
PROGRAM = os.fsencode(shutil.which("gcc") or "/usr/bin/gcc")


class Bench:
    """A project and the agent's view of it."""

    def __init__(self, place: Path, executor: ThreadPoolExecutor) -> None:
        self.directory = place / "project"
        self.directory.mkdir()
        self.state = place / "state"
        self.state.mkdir()
        self.executor = executor
        self.inputs = Inputs(executor, str(self.state))

    def write(self, **files: str) -> None:
        """`a_h="..."`: a.h of the project; `in__a_h`: in/a.h."""
        for name, text in files.items():
            path = self.path(name.replace("__", "/").replace("_", "."))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def path(self, name: str) -> Path:
        return self.directory / name

    async def prepare(self, line: str = "gcc -c a.c", **variables: str) -> Prepared:
        argv = tuple(line.encode().split())
        environment = ENVIRONMENT | {name.encode(): value.encode() for name, value in variables.items()}

        def read(name: bytes) -> bytes | None:
            return (self.directory / os.fsdecode(name)).read_bytes()

        shipment = replica_shipment(argv, GCC, environment, read)
        assert isinstance(shipment, Shipment)
        invocation = Invocation(PROGRAM, argv, os.fsencode(self.directory), environment, 0o22)
        async with asyncio.timeout(60):
            return await self.inputs.prepare(invocation, shipment)

    def entry(self, prepared: Prepared, name: str) -> Entry | None:
        """What the job's manifest has at this path of the project."""
        whole = os.fsencode(self.path(name))
        found = [layer.entries[whole] for layer in prepared.order.layers if whole in layer.entries]
        return found[0] if found else None

    def names(self, prepared: Prepared) -> set[str]:
        """The project's files in the job's manifest."""
        root = os.fsencode(self.directory) + b"/"
        return {
            os.fsdecode(path[len(root) :])
            for layer in prepared.order.layers
            for path, entry in layer.entries.items()
            if path.startswith(root) and not isinstance(entry, Directory)
        }

    def fail(self, stderr: str) -> Spoken:
        """A compiler that says this."""
        return Spoken(0x100, b"", stderr.encode(), b"", 0.1, ())


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        made = Bench(tmp_path, executor)
        yield made
        made.inputs.close()


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# -- a job


async def test_a_manifest_has_the_compiler_the_source_and_its_headers(bench: Bench) -> None:
    bench.write(a_c='#include "in/a.h"\n', in__a_h="int a;\n", in__b_h="int b;\n")

    prepared = await bench.prepare()

    assert bench.names(prepared) == {"a.c", "in/a.h"}
    entry = bench.entry(prepared, "in/a.h")
    assert isinstance(entry, File)
    status = bench.path("in/a.h").stat()
    assert (entry.digest, entry.size, entry.mtime_ns) == (digest_of("int a;\n"), 7, status.st_mtime_ns)
    everything = {path: entry for layer in prepared.order.layers for path, entry in layer.entries.items()}
    program = everything[os.path.realpath(prepared.order.program)]
    assert isinstance(program, File)
    assert program.executable
    assert any(path.endswith(b"/cc1") for path in everything)
    assert prepared.size >= len('#include "in/a.h"\n') + 7


async def test_an_order_says_how_the_compiler_runs(bench: Bench) -> None:
    bench.write(a_c="int x;\n")
    bench.path("out").mkdir()

    order = (await bench.prepare("gcc -MD -c a.c -o out/a.o")).order

    here = os.fsencode(bench.directory)
    assert order.argv == (b"gcc", b"-MD", b"-c", b"a.c", b"-o", b"out/a.o")
    assert (order.cwd, order.umask, order.label) == (here, 0o22, "a.c")
    assert set(order.returns) == {here, here + b"/out"}
    assert b"LC_ALL=C" in order.environment
    assert order.existing == ()
    assert all(name in order.listings for layer in order.layers for name in layer.directories)


async def test_outputs_that_are_there_are_named_where_they_really_are(bench: Bench) -> None:
    bench.write(a_c="int x;\n", real_o="old", a_d="old")
    bench.path("a.o").symlink_to("real.o")

    prepared = await bench.prepare("gcc -MD -c a.c")

    here = os.fsencode(bench.directory)
    assert prepared.order.existing == (here + b"/real.o", here + b"/a.d")
    assert bench.entry(prepared, "a.o") == Link(b"real.o")


async def test_a_warm_job_has_the_same_layers_and_asks_no_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n")
    for name in ("a.c", "a.h"):  # too young files are hashed each time
        os.utime(bench.path(name), ns=(10**18, 10**18))
    first = await bench.prepare()
    second = await bench.prepare()

    def no_thread(*_: Any) -> Any:
        raise AssertionError("a thread")

    monkeypatch.setattr(bench.executor, "submit", no_thread)
    third = await bench.prepare()

    assert all(one is other for one, other in zip(second.order.layers, third.order.layers, strict=True))
    assert [layer.entries for layer in first.order.layers] == [layer.entries for layer in third.order.layers]


# -- edits


async def test_an_edited_header_is_told_with_its_new_content(bench: Bench) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n")
    await bench.prepare()

    bench.write(a_h="int b;\n")  # as long as before, and in the same tick of the clock
    entry = bench.entry(await bench.prepare(), "a.h")

    assert isinstance(entry, File)
    assert entry.digest == digest_of("int b;\n")
    assert bench.inputs.content(entry.digest) == b"int b;\n"
    assert bench.inputs.content(digest_of("int a;\n")) is None


async def test_a_header_that_includes_another_now_brings_it_along(bench: Bench) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n", b_h="int b;\n")
    await bench.prepare()

    bench.write(a_h='#include "b.h"\n')

    assert bench.names(await bench.prepare()) == {"a.c", "a.h", "b.h"}


async def test_a_header_that_was_deleted_is_looked_for_elsewhere(bench: Bench) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n", in__a_h="long a;\n")
    assert bench.names(await bench.prepare("gcc -Iin -c a.c")) >= {"a.h"}

    bench.path("a.h").unlink()

    assert bench.names(await bench.prepare("gcc -Iin -c a.c")) == {"a.c", "in/a.h"}


async def test_a_new_header_earlier_on_the_path_takes_the_place_of_another(bench: Bench) -> None:
    bench.write(a_c="#include <a.h>\n", two__a_h="int a;\n")
    bench.path("one").mkdir()
    assert bench.names(await bench.prepare("gcc -Ione -Itwo -c a.c")) == {"a.c", "two/a.h"}

    bench.write(one__a_h="long a;\n")

    assert "one/a.h" in bench.names(await bench.prepare("gcc -Ione -Itwo -c a.c"))


async def test_a_hosts_replica_follows_every_edit(bench: Bench) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n", in__a_h="long a;\n")
    picture = Picture()
    picture.take_state(ReplicaState(b"r" * 16))

    async def told() -> tuple[set[str], set[str]]:
        order = (await bench.prepare("gcc -Iin -c a.c")).order
        change = picture.change_for(order.layers, order.listings, is_busy=False)
        root = os.fsencode(bench.directory) + b"/"
        puts = {
            path
            for update in change.updates
            for path, entry in update.puts.items()
            if isinstance(entry, File)
        }
        removes = {path for update in change.updates for path in update.removes}
        return tuple(
            {os.fsdecode(path[len(root) :]) for path in paths if path.startswith(root)}
            for paths in (puts, removes)
        )  # type: ignore[return-value]

    puts, removes = await told()
    assert {"a.c", "a.h"} <= puts
    assert await told() == (set(), set())
    bench.write(a_h="short a;\n")
    assert await told() == ({"a.h"}, set())
    bench.path("a.h").unlink()
    puts, removes = await told()
    assert (puts <= {"in/a.h"}, removes) == (True, {"a.h"})
    assert removes == {"a.h"}


async def test_a_file_that_changes_between_scan_and_hash_makes_the_job_stale(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n")
    compute = bench.inputs._digests.compute

    def edited_first(files: Any) -> None:
        bench.write(a_h="int changed;\n")
        compute(files)

    monkeypatch.setattr(bench.inputs._digests, "compute", edited_first)
    with pytest.raises(StaleError, match=r"a\.h changes while it is read"):
        await bench.prepare()

    monkeypatch.setattr(bench.inputs._digests, "compute", compute)
    entry = bench.entry(await bench.prepare(), "a.h")
    assert isinstance(entry, File)
    assert entry.digest == digest_of("int changed;\n")


async def test_jobs_that_come_while_one_is_made_ready_wait_for_their_turn(bench: Bench) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n", b_c='#include "a.h"\n')

    first, second = await asyncio.gather(  # noqa: TID251 - in one go, whatever fails
        bench.prepare(), bench.prepare("gcc -c b.c")
    )

    assert (bench.names(first), bench.names(second)) == ({"a.c", "a.h"}, {"b.c", "a.h"})


# -- what the scan cannot know


COMPUTED = "#define QUOTE(x) #x\n#define NAME(x) QUOTE(in/x.h)\n#include NAME(__CHAR_BIT__)\n"


def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, ...]]:
    """How often `cc -M` is asked."""
    asked: list[tuple[bytes, ...]] = []

    def counted(program: bytes, argv: tuple[bytes, ...], *rest: Any) -> Any:
        asked.append(argv)
        return dependencies(program, argv, *rest)

    monkeypatch.setattr(scans_module, "dependencies", counted)
    return asked


async def test_what_the_scan_cannot_find_out_the_compiler_is_asked_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count_questions(monkeypatch)
    bench.write(a_c=COMPUTED, in__8_h="int eight;\n", b_c="int b;\n")
    await bench.prepare("gcc -c b.c")  # gcc is asked much, and the files are not young any more
    assert asked == []

    first = await bench.prepare()
    await bench.prepare()

    assert "in/8.h" in bench.names(first)
    assert len(asked) == 1
    assert sum(bench.inputs.counts.asked.values()) == 1

    bench.write(in__8_h='#include "more.h"\n', in__more_h="int more;\n")
    assert {"in/8.h", "in/more.h"} <= bench.names(await bench.prepare())
    assert len(asked) == 2


# -- misses


async def test_a_file_that_a_compiler_missed_is_sent_from_then_on(bench: Bench) -> None:
    bench.write(a_c="int x;\n", data_bin="data")
    prepared = await bench.prepare()
    spoken = bench.fail("a.s:1: Error: file not found: data.bin\n")
    assert bench.entry(prepared, "data.bin") is None

    assert bench.inputs.learn(prepared, spoken)

    again = await bench.prepare()
    assert bench.entry(again, "data.bin") is not None
    assert not bench.inputs.learn(again, spoken)
    assert bench.inputs.counts.missed == 1
    assert bench.entry(await bench.prepare("gcc -c a.c -o other.o"), "data.bin") is None


@pytest.mark.parametrize(
    "stderr",
    [
        "a.c:1:10: fatal error: nowhere.h: No such file or directory\n",
        "a.c:1:1: error: unknown type name 'in'\n",
        "In file included from a.c:1:\na.h:1:1: error: expected ';' before 'a'\n",
    ],
    ids=["not here either", "a directory", "it was there"],
)
async def test_errors_of_the_user_are_no_misses(bench: Bench, stderr: str) -> None:
    bench.write(a_c='#include "a.h"\n', a_h="int a;\n", in__x_h="")
    prepared = await bench.prepare()

    assert not bench.inputs.learn(prepared, bench.fail(stderr))
    assert bench.inputs.counts.as_json()["missed"] == 0


# -- what cannot travel


async def test_an_output_that_may_not_be_written_is_the_compilers_affair(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(a_c="int x;\n", a_o="old")
    real = os.access  # which lets root write anything
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and not path.endswith(b"/a.o"))

    with pytest.raises(CannotShipError) as caught:
        await bench.prepare()

    assert caught.value.reason is Reason.OUTPUT_UNWRITABLE


async def test_a_disk_that_fails_keeps_the_job_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(a_c="int x;\n")

    def fail(_files: Any) -> None:
        raise OSError(5, "Input/output error", "a.c")

    monkeypatch.setattr(bench.inputs._digests, "compute", fail)
    with pytest.raises(CannotShipError) as caught:
        await bench.prepare()

    assert caught.value.reason is Reason.LOCAL_FILES
    assert "Input/output error" in caught.value.detail


async def test_a_change_while_files_are_read_says_which(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(a_c="int x;\n")

    def change(_files: Any) -> None:
        raise ChangedError(b"/p/a.c")

    monkeypatch.setattr(bench.inputs._digests, "compute", change)
    with pytest.raises(StaleError, match=r"^/p/a\.c changes while it is read$"):
        await bench.prepare()


# -- from one agent to the next


async def test_digests_are_kept_for_the_next_agent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(a_c="int x;\n")
    os.utime(bench.path("a.c"), ns=(10**18, 10**18))
    await bench.prepare()
    bench.inputs.save()

    assert (bench.state / "digests").stat().st_size > 0


async def test_a_place_where_nothing_can_be_kept_is_no_trouble(bench: Bench) -> None:
    bench.write(a_c="int x;\n")
    await bench.prepare()
    shutil.rmtree(bench.state)
    bench.state.write_text("no directory")

    bench.inputs.save()

    assert bench.state.read_text() == "no directory"


# -- what vanishes


VANISHING = [
    ("-I../include", "<x.h>", "include"),
    ("-I../include", "<x.h>", "include/x.h"),
    ("-I../include", "<sub/x.h>", "include/sub"),
    ("-I../include", "<sub/x.h>", "include"),
    ("-I../include", "<sub/../x.h>", "include/sub"),
    ("-I../link", "<x.h>", "link"),
    ("-I../link", "<x.h>", "include"),
    ("-I../link", "<sub/x.h>", "include/sub"),
    ("-iquote ../include", '"sub/x.h"', "include/sub"),
    ("-I.", '"../include/x.h"', "include"),
    ("-I.", '"../link/sub/x.h"', "include/sub"),
    ("-include ../include/x.h", "<x.h>", "include"),
]


@pytest.mark.parametrize(("option", "name", "vanishing"), VANISHING)
async def test_what_vanishes_here_does_not_stay_in_a_replica(
    bench: Bench, option: str, name: str, vanishing: str
) -> None:
    """Else a compiler there would find what a compiler here would not."""
    bench.write(
        build__a_c=f"#include {name}\n", include__x_h="int x;\n", include__sub__x_h="int x;\n",
        other__x_h="long x;\n", other__sub__x_h="long x;\n",
    )  # fmt: skip
    bench.path("link").symlink_to("include")
    root, bench.directory = bench.directory, bench.path("build")
    picture, replica = Picture(), Desired()
    picture.take_state(ReplicaState(b"r" * 16))

    async def send() -> None:
        order = (await bench.prepare(f"gcc {option} -I../other -c a.c")).order
        for update in picture.change_for(order.layers, order.listings, is_busy=False).updates:
            replica.apply(replica.plan(update.puts, update.removes, 1 << 40))

    await send()
    gone = os.fsencode(root / vanishing)
    assert gone in replica.entries

    os.rename(root / vanishing, root / "elsewhere")
    await send()

    assert [path for path in replica.entries if path == gone or path.startswith(gone + b"/")] == []
