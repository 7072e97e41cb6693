"""One compiler: its group, its descriptor, its end."""

import asyncio
import os

import pytest

from fleetcc.server import running


@pytest.fixture
def start(tmp_path):
    """Start a shell script as a compiler, in a folder of its own."""
    descriptors: list[int] = []

    def begin(script):
        stdout, stderr, slot = (os.memfd_create(name) for name in ("stdout", "stderr", "slot"))
        descriptors.extend((stdout, stderr, slot))
        environment = {b"PATH": b"/usr/bin:/bin"}
        argv = [b"/bin/sh", b"-c", script.encode()]
        return running.start(argv, os.fsencode(tmp_path), environment, (stdout, stderr), slot), stdout, slot

    yield begin
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 3", 3 << 8), ("kill -9 $$", 9), ("kill -TERM $$", 15)]
)
async def test_the_wait_status_is_the_compilers(start, script, status):
    compiler, _, _ = start(script)
    async with asyncio.timeout(10):
        assert await compiler.wait() == status


async def test_what_it_used_is_known_when_it_has_ended(start):
    compiler, _, _ = start("x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done")
    async with asyncio.timeout(10):
        await compiler.wait()
    assert 0.001 < compiler.cpu_seconds < 10
    assert 100_000 < compiler.peak_bytes < 1 << 30


async def test_it_runs_in_its_folder_and_group_with_nothing_but_its_own_descriptors(start, tmp_path):
    compiler, stdout, slot = start(
        "pwd; ls /proc/self/fd | tr '\\n' ' '; cut -d' ' -f5 /proc/self/stat; echo $$"
    )
    async with asyncio.timeout(10):
        await compiler.wait()
    folder, descriptors, group, pid = parts(stdout)
    assert folder == str(tmp_path)
    assert str(slot) in descriptors
    assert len(descriptors) == 5  # standard streams, the slot, and the folder that ls reads
    assert group == pid


def parts(stdout: int) -> tuple[str, list[str], str, str]:
    lines = os.pread(stdout, 1000, 0).decode().splitlines()
    *descriptors, group = lines[1].split()
    return lines[0], descriptors, group, lines[2]


async def test_a_cancelled_wait_ends_only_when_the_whole_group_is_gone(start):
    compiler, stdout, _ = start("sleep 60 & echo $!; wait")
    waiting = asyncio.get_running_loop().create_task(compiler.wait())
    await asyncio.sleep(0)  # a task that is cancelled before it ran has not begun to wait
    async with asyncio.timeout(10):
        while not (child := os.pread(stdout, 100, 0).strip()):  # noqa: ASYNC110 - a process, not a task
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while is_alive(int(child)):  # noqa: ASYNC110 - a process, not a task
            await asyncio.sleep(0)


async def test_stopping_what_has_ended_is_no_fault(start):
    compiler, _, _ = start("exit 0")
    async with asyncio.timeout(10):
        await compiler.wait()
    compiler.kill()


async def test_a_program_that_cannot_run_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        running.start([b"/no/such/gcc"], os.fsencode(tmp_path), {}, (1, 2), 2)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
