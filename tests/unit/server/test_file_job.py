"""A job in its tree, and what becomes of whatever a sandbox may report. This sandbox runs sh."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetcc.errors import ProtocolError
from fleetcc.sandbox.outcome import Ended, Killed, NotStarted, Outcome, Stage
from fleetcc.sandbox.scratch import Collected, TooMuch
from fleetcc.sandbox.spec import Spec
from fleetcc.server.file_job import AcceptedFiles, FilesJob
from fleetcc.server.job import THREAD_BYTES
from fleetcc.server.slots import Slot
from fleetcc.server.stats import Stats
from fleetcc.server.watch import Watch
from fleetcc.wire import zstd
from fleetcc.wire.files import FileJob
from fleetcc.wire.fleet import ErrorCode, Result

JOB = FileJob(
    b"r" * 16, 1, b"/usr/bin/gcc", (b"gcc", b"-c", b"a.c"), (b"LANG=C",), b"/src", 0o22, (b"/src",), "a.c",
    (b"/src/a.o",),
)  # fmt: skip
FAILED = 0x100


class LeftInMemory:
    """A file that a compiler left."""

    def __init__(self, path: bytes, content: bytes) -> None:
        self.path, self.mode, self.size_bytes = path, 0o644, len(content)
        self._content = content

    def read(self) -> bytes:
        return self._content


class HandRun:
    """A run whose program is a line of sh, and whose outcome is what the test says."""

    def __init__(self, bench: "Bench", line: str) -> None:
        self.argv = [b"/bin/sh", b"-c", line.encode()]
        self.pass_fds: tuple[int, ...] = ()
        self._bench = bench
        self.scratch = self
        bench.steps.append("made")

    def started(self) -> None:
        self._bench.steps.append("started")

    def outcome(self) -> Outcome:
        return self._bench.outcome

    def collect(self, tree: bytes, returns: Any, existing: Any) -> Any:
        assert (tree, returns, existing) == (b"/tree", JOB.returns, JOB.existing)
        return self._bench.left

    def close(self) -> None:
        self._bench.steps.append("closed")


class Bench:
    """One job with everything around it."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.line = "true"
        self.outcome: Outcome = ended()
        self.left: Any = Collected((), 0)
        self.trouble: Exception | None = None
        self.steps: list[str] = []
        self.specs: list[Spec] = []
        self.results: list[tuple[Result, bytes]] = []
        self.errors: list[tuple[ErrorCode, str]] = []
        self.stats = Stats()
        self.lifetime = 0.0
        ticket: Any = SimpleNamespace(command="a.c")
        self.watch = Watch(cast("Any", self))
        self.life = self.watch.job("files", "red", "a.c", "gcc")
        binding: Any = SimpleNamespace(tree=SimpleNamespace(root=b"/tree"))
        replica: Any = SimpleNamespace(release=lambda _: self.steps.append("released"))
        self.pool = pool
        self.is_over = False
        self.takes_zstd = True
        self.client = "red"
        accepted = AcceptedFiles(7, JOB, ticket, binding, replica, self.life)
        self.job = FilesJob(cast("Any", self._service()), cast("Any", self), accepted)

    def _service(self) -> SimpleNamespace:
        async def slot(_ticket: object) -> Slot:
            return Slot(0, 0)

        options = SimpleNamespace(job_memory_bytes=1 << 30, job_disk_bytes=1 << 20)
        self.options = options
        options.job_lifetime_seconds = 0.0
        return SimpleNamespace(
            gate=SimpleNamespace(slot=slot, leave=lambda _: self.steps.append("left the line")),
            fleet=SimpleNamespace(files=SimpleNamespace(sandbox=SimpleNamespace(run=self._run))),
            options=options, compilers=set(), pool=self.pool,
            stats=self.stats,
        )  # fmt: skip

    def _run(self, spec: Spec, inherited: tuple[int, ...]) -> HandRun:
        assert inherited == (0,)
        self.specs.append(spec)
        if self.trouble is not None:
            raise self.trouble
        return HandRun(self, self.line)

    # -- the session

    def started(self, number: int) -> None:
        assert number == 7
        self.steps.append("told")

    def finished(self, number: int, result: Result, packed: list[bytes]) -> None:
        assert number == 7
        self.results.append((result, b"".join(packed)))

    def failed(self, number: int, code: ErrorCode, text: str, _remedy: str) -> None:
        assert number == 7
        self.errors.append((code, text))

    def job_over(self, number: int) -> None:
        self.steps.append(f"over {number}")

    # -- for tests

    async def run(self) -> None:
        async with asyncio.timeout(30):
            await self.job.run()

    @property
    def counted(self) -> list[str]:
        """How jobs have ended."""
        return list(self.stats.by_outcome())

    @property
    def parts(self) -> list[tuple[str, bytes]]:
        """What the result brings."""
        ((result, packed),) = self.results
        found, at = [], 0
        for part in result.parts:
            raw = packed[at : at + part.raw_bytes]
            found.append((part.name, zstd.unpack(part.encoding, raw, part.plain_bytes)))
            at += part.raw_bytes
        return found


def ended(status: int = 0, **fields: Any) -> Ended:
    told: dict[str, Any] = {
        "status": status, "started": 0.0, "cpu_seconds": 0.25, "peak_bytes": 1 << 20, "is_full": False,
        "written_bytes": 0, **fields,
    }  # fmt: skip
    return Ended(**told)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with ThreadPoolExecutor(1) as pool:
        yield Bench(pool)


def left(*files: tuple[bytes, bytes], removed: tuple[bytes, ...] = ()) -> Collected:
    return Collected(tuple(cast("Any", LeftInMemory(*each)) for each in files), 0, removed)


async def test_the_program_runs_in_its_tree_as_the_client_said(bench: Bench) -> None:
    await bench.run()

    (spec,) = bench.specs
    assert (spec.tree, spec.program, spec.argv) == (b"/tree", b"/usr/bin/gcc", JOB.argv)
    assert (spec.environment, spec.cwd, spec.umask) == (JOB.environment, b"/src", 0o22)
    assert bench.steps == ["made", "started", "told", "left the line", "closed"]
    assert bench.counted == ["ok"]


@pytest.mark.parametrize("size", [6, THREAD_BYTES])
async def test_streams_and_files_are_brought_whatever_the_status(bench: Bench, size: int) -> None:
    bench.line = "echo out; echo err >&2"
    bench.outcome = ended(FAILED)
    bench.left = left((b"/src/a.d", b"a.o:"), (b"/src/big", b"x" * size), removed=(b"/src/a.o",))

    await bench.run()

    assert bench.parts == [
        ("stdout", b"out\n"), ("stderr", b"err\n"), ("file", b"a.o:"), ("file", b"x" * size),
    ]  # fmt: skip
    result = bench.results[0][0]
    assert [(file.path, file.mode) for file in result.files] == [(b"/src/a.d", 0o644), (b"/src/big", 0o644)]
    assert (result.status, result.removed, result.cpu_seconds) == (FAILED, (b"/src/a.o",), 0.25)
    assert bench.counted == ["compile-error"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (NotStarted(Stage.EXEC, 2), ErrorCode.UNFIT),
        (NotStarted(Stage.CWD, 2), ErrorCode.UNFIT),
        (NotStarted(Stage.OVERLAY, 1), ErrorCode.SANDBOX),
        (Killed(), ErrorCode.FAILED),
        (ended(FAILED, is_full=True), ErrorCode.LIMITS),
        (ended(FAILED, peak_bytes=1 << 30), ErrorCode.LIMITS),
    ],
)
async def test_what_was_no_compilers_word_is_an_error(
    bench: Bench, outcome: Outcome, code: ErrorCode
) -> None:
    bench.outcome = outcome

    await bench.run()

    assert [each for each, _ in bench.errors] == [code]
    assert bench.results == []
    assert bench.steps[-1] == "closed"


async def test_a_success_on_a_full_disk_is_a_success(bench: Bench) -> None:
    bench.outcome = ended(0, is_full=True)

    await bench.run()

    assert (bench.errors, len(bench.results)) == ([], 1)


async def test_more_than_a_client_can_be_given_is_an_error(bench: Bench) -> None:
    bench.left = TooMuch("10001 files")

    await bench.run()

    assert bench.errors == [(ErrorCode.LIMITS, "10001 files")]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(ProtocolError("a NUL"), ErrorCode.REFUSED), (OSError(24, "Too many open files"), ErrorCode.FAILED)],
)
async def test_a_run_that_cannot_be_made_is_an_error(
    bench: Bench, trouble: Exception, code: ErrorCode
) -> None:
    bench.trouble = trouble

    await bench.run()

    assert [each for each, _ in bench.errors] == [code]


async def test_a_job_that_lives_too_long_is_ended(bench: Bench) -> None:
    bench.line = "exec sleep 1000"
    bench.options.job_lifetime_seconds = 0.05

    await bench.run()

    ((code, text),) = bench.errors
    assert (code, text) == (ErrorCode.LIFETIME, "stopped after 0.05 s, the lifetime of a job on this server")
    assert bench.steps[-2:] == ["left the line", "closed"]


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_job_that_nobody_waits_for_is_ended(bench: Bench, is_over: bool) -> None:
    bench.line = "exec sleep 1000"
    bench.is_over = is_over
    running = asyncio.get_running_loop().create_task(bench.job.run())
    async with asyncio.timeout(20):
        while "told" not in bench.steps:  # noqa: ASYNC110 - within turns of this loop
            await asyncio.sleep(0)

    running.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait([running])

    assert running.cancelled()
    assert bench.errors == [(ErrorCode.CANCELLED, "cancelled")]
    assert bench.counted == ["disconnected" if is_over else "cancelled"]
    assert bench.steps[-1] == "closed"


def test_what_a_job_held_is_given_back_when_it_is_over(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        bench = Bench(pool)
        bench.job.broken()
        bench.job.over()

    assert bench.steps == ["left the line", "released", "over 7"]
    assert [code for code, _ in bench.errors] == [ErrorCode.FAILED]
    assert bench.counted == ["internal-error"]
