"""The jobserver's tokens in the hands of real tools: GNU make 4.3 and 4.4, ninja 1.13."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleetcc.jobserver.channel import Channel
from fleetcc.jobserver.fifo import FifoChannel
from fleetcc.jobserver.makeflags import with_jobserver
from fleetcc.jobserver.old_make import make_script
from fleetcc.jobserver.pipe import PipeChannel
from fleetcc.jobserver.serving import Jobserver
from fleetcc.jobserver.tokens import LOOKS
from tests.support.blocking_jobs import BlockingJobs, environment_with
from tests.support.build_tools import (
    NEW_MAKE,
    NEW_NINJA,
    OLD_MAKE,
    needs_new_make,
    needs_new_ninja,
    needs_old_make,
)
from tests.support.fleet import PATIENCE_SECONDS, eventually
from tests.support.launcher import write_program

TOOLS = [
    pytest.param((OLD_MAKE, "pipe"), marks=needs_old_make, id="make-4.3"),
    pytest.param((NEW_MAKE, "fifo"), marks=needs_new_make, id="make-4.4"),
    pytest.param((NEW_MAKE, "pipe"), marks=needs_new_make, id="make-4.4-pipe"),
    pytest.param((NEW_NINJA, "fifo"), marks=needs_new_ninja, id="ninja-1.13"),
]
JOBS = 24

# Lets jobs end one by one, and says so. A process of its own: a test that polled would hold the jobserver up.
END_ONE_BY_ONE = """if True:
    import time
    with open("lock", "r+b", buffering=0) as lock:
        for ended in range(1, 5001):
            lock.write(b"\\n")
            while open("journal").read().count("end") < ended:
                time.sleep(0.001)
            print(ended, flush=True)
"""


@dataclass
class Bench:
    """A tool, a channel in the form that it reads, and jobs."""

    program: str
    channel: Channel
    jobs: BlockingJobs
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, *words: str, jobs: int = JOBS) -> "subprocess.Popen[bytes]":
        """Run a build of that many jobs, or this command."""
        if not words and self.program == NEW_NINJA:
            words = (self.program, "-C", str(self.jobs.write_ninja(jobs)))
        elif not words:
            words = (self.program, "-f", str(self.jobs.write_makefile("many", jobs)))
        flags = with_jobserver("", self.channel.word, 2)
        process = subprocess.Popen(
            words, env=environment_with(MAKEFLAGS=flags), stdin=subprocess.DEVNULL, cwd=self.jobs.folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=self.channel.inherited, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def finish(self) -> None:
        """Let all jobs end; the build must succeed, and every token lies in the pipe."""
        self.jobs.lock.let_go(1000)
        for process in self.processes:
            out, _ = process.communicate(timeout=PATIENCE_SECONDS)
            assert process.returncode == 0, out


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    program, form = request.param
    made = Bench(
        program, PipeChannel() if form == "pipe" else FifoChannel(str(tmp_path)), BlockingJobs(tmp_path / "j")
    )
    try:
        yield made
    finally:
        for process in made.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        made.jobs.close()


@contextlib.asynccontextmanager
async def serving(bench: Bench, capacity: int) -> AsyncIterator[Jobserver]:
    server = Jobserver(bench.channel, capacity)
    try:
        yield server
    finally:
        server.close()


each_tool = pytest.mark.parametrize("bench", TOOLS, indirect=True)


@each_tool
async def test_as_many_jobs_run_as_the_capacity_says_and_the_tokens_come_back(bench: Bench) -> None:
    async with serving(bench, 4):
        assert bench.channel.count_free() == 3
        bench.start()
        bench.jobs.wait_for_running(4)
        assert bench.channel.count_free() == 0
        bench.finish()
        assert bench.channel.count_free() == 3
    assert max(bench.jobs.counts) == 4
    assert bench.jobs.started == JOBS


@each_tool
async def test_more_jobs_begin_when_hosts_join(bench: Bench) -> None:
    async with serving(bench, 2) as server:
        bench.start()
        bench.jobs.wait_for_running(2)
        for capacity in (5, 9):
            server.set_capacity(capacity)
            if bench.program == NEW_NINJA:  # it asks for tokens when a job has ended
                bench.jobs.end_one()
            bench.jobs.wait_for_running(capacity)
        bench.finish()
        assert bench.channel.count_free() == 8
    assert max(bench.jobs.counts) == 9


@each_tool
async def test_fewer_jobs_run_when_hosts_leave_and_none_is_waited_for(bench: Bench) -> None:
    async with serving(bench, 8) as server:
        bench.start(jobs=5000)
        bench.jobs.wait_for_running(8)
        server.set_capacity(3)
        assert server.pool.surplus == 5
        await _end_jobs_until_settled(bench, server)
        bench.jobs.wait_for_running(3)
        seen = len(bench.jobs.counts)
        for _ in range(5):
            bench.jobs.end_one()
            bench.jobs.wait_for_running(3)
        assert max(bench.jobs.counts[seen:]) <= 3
        assert bench.channel.count_free() == 0


@each_tool
async def test_a_build_of_one_slot_runs_one_job(bench: Bench) -> None:
    async with serving(bench, 1):
        bench.start(jobs=4)
        bench.jobs.wait_for_running(1)
        bench.finish()
    assert max(bench.jobs.counts) == 1


@each_tool
async def test_the_tokens_of_a_killed_build_are_all_there_again(bench: Bench) -> None:
    async with serving(bench, 6) as server:
        process = bench.start()
        bench.jobs.wait_for_running(6)
        assert [server.look(process.pid) for _ in range(2 * LOOKS)] == [0] * (2 * LOOKS)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        bench.processes.clear()
        assert bench.channel.count_free() == 0
        assert sum(server.look(process.pid) for _ in range(LOOKS)) == 5
        assert bench.channel.count_free() == 5


@pytest.mark.parametrize("bench", TOOLS[:3], indirect=True)
async def test_nested_makes_draw_from_one_pool(bench: Bench) -> None:
    top = _nested(bench, makes=3, jobs=8)
    async with serving(bench, 5):
        bench.start(bench.program, "-f", str(top))
        bench.jobs.wait_for_running(5)
        bench.finish()
        assert bench.channel.count_free() == 4
    assert max(bench.jobs.counts) == 5
    assert bench.jobs.started == 24


@pytest.mark.parametrize("bench", TOOLS[:3], indirect=True)
async def test_what_a_killed_make_held_is_given_to_the_others_while_they_run(bench: Bench) -> None:
    top = _nested(bench, makes=2, jobs=8, more=("sub01 sub02 sub03 sub04 sub05 sub06 sub07: sub00\n", ""))
    async with serving(bench, 6) as server:
        process = bench.start(bench.program, "-k", "-f", str(top))
        bench.jobs.wait_for_running(6)  # one of the first make, five of the other, by four tokens
        victim, held = _busiest_make(process.pid, Path(bench.program).name)
        assert held == 5
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: bench.channel.count_free() == 1)  # which stood for the victim itself
        assert [server.look(process.pid) for _ in range(LOOKS)] == [0] * (LOOKS - 1) + [2]
        assert bench.channel.count_free() == 3  # each of the two makes might have one on its way
        bench.jobs.lock.let_go(1000)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 2
        assert sum(server.look(process.pid) for _ in range(LOOKS)) == 2
        assert bench.channel.count_free() == 5


@needs_new_ninja
@needs_old_make
async def test_ninja_and_a_make_that_reads_descriptors_only_share_one_pool(tmp_path: Path) -> None:
    jobs = BlockingJobs(tmp_path / "j")
    script = write_program(tmp_path / "bin" / "make", make_script(OLD_MAKE))
    bench = Bench(NEW_NINJA, FifoChannel(str(tmp_path)), jobs)
    folder = jobs.write_ninja(2, f"{script} -f {jobs.write_makefile('sub', 6)}")
    async with serving(bench, 4):
        bench.start(NEW_NINJA, "-C", str(folder))
        jobs.wait_for_running(4)
        bench.finish()
        assert bench.channel.count_free() == 3
    assert (max(jobs.counts), jobs.started) == (4, 12)
    jobs.close()


async def test_a_child_that_never_reads_is_not_waited_for(tmp_path: Path) -> None:
    bench = Bench("", PipeChannel(), BlockingJobs(tmp_path / "j"))
    async with serving(bench, 2) as server:
        bench.start("cat", str(bench.jobs.lock.path))
        for capacity in (50, 3, 1, 40):
            server.set_capacity(capacity)
            assert bench.channel.count_free() == capacity - 1
        bench.processes[0].kill()
        bench.processes[0].communicate()
        assert server.look(bench.processes[0].pid) == 0
    bench.jobs.close()


async def test_a_token_that_nobody_took_is_taken_out(tmp_path: Path) -> None:
    bench = Bench("", PipeChannel(), BlockingJobs(tmp_path / "j"))
    async with serving(bench, 4) as server:
        words = (sys.executable, "-c", f"import os; os.write({bench.channel.inherited[1]}, b'++')")
        bench.start(*words).communicate()
        assert bench.channel.count_free() == 5
        server.look(bench.processes[0].pid)
        assert bench.channel.count_free() == server.pool.issued == 3
    bench.jobs.close()


async def _end_jobs_until_settled(bench: Bench, server: Jobserver) -> None:
    """The tool asks for the same token that we take back: a race at each end of a job."""
    driver = await asyncio.create_subprocess_exec(
        sys.executable, "-c", END_ONE_BY_ONE, cwd=bench.jobs.folder, stdout=subprocess.PIPE
    )
    assert driver.stdout is not None
    while server.pool.surplus:
        assert await driver.stdout.readline(), "the tool wins every time"
    driver.kill()
    await driver.communicate()


def _nested(bench: Bench, makes: int, jobs: int, more: Sequence[str] = ("", "", "")) -> Path:
    """A Makefile that calls so many others; `more` is added to each."""
    subs = [bench.jobs.write_makefile(f"sub{number}", jobs, more[number]) for number in range(makes)]
    lines = "".join(f"m{number}:\n\t@$(MAKE) -f {path}\n" for number, path in enumerate(subs))
    names = " ".join(f"m{number}" for number in range(makes))
    top = bench.jobs.folder / "top"
    top.write_text(f"all: {names}\n{lines}")
    return top


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _makes(root: int, name: str) -> list[int]:
    found = []
    for child in _children(root):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                found.append(child)
        found += _makes(child, name)
    return found


def _busiest_make(root: int, name: str) -> tuple[int, int]:
    """The make below the root that runs the most jobs, and how many."""
    return max(((make, len(_children(make))) for make in _makes(root, name)), key=lambda pair: pair[1])
