"""What holds the tokens: pipes with and without a name."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.jobserver.channel import Channel
from fleetcc.jobserver.fifo import FifoChannel
from fleetcc.jobserver.pipe import PipeChannel


@pytest.fixture(params=["pipe", "fifo"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    before = os.listdir("/proc/self/fd")
    made = PipeChannel() if request.param == "pipe" else FifoChannel(str(tmp_path))
    yield made
    made.close()
    assert os.listdir("/proc/self/fd") == before
    assert os.listdir(tmp_path) == []


def test_what_is_put_can_be_counted_and_taken(channel: Channel) -> None:
    assert channel.put(5) == 5
    assert channel.take(2) == 2
    assert channel.count_free() == 3
    assert channel.take(10) == 3
    assert channel.count_free() == 0


def test_nothing_waits(channel: Channel) -> None:
    assert channel.take(1) == 0
    assert channel.put(0) == channel.take(0) == 0
    room = channel.put(1 << 20)
    assert 0 < room < 1 << 20
    assert channel.put(1) == 0
    assert channel.take(1 << 20) == room


def test_a_pipe_is_inherited_by_high_numbers_and_its_readers_may_wait() -> None:
    channel = PipeChannel()
    reading, writing = channel.inherited
    assert channel.word == f"{reading},{writing}"
    assert min(channel.inherited) >= 100
    assert not fcntl.fcntl(reading, fcntl.F_GETFL) & os.O_NONBLOCK
    channel.put(1)
    assert os.read(reading, 2) == b"+"
    os.write(writing, b"+")
    assert channel.count_free() == 1
    channel.close()


def test_a_fifo_is_ours_alone_and_is_opened_by_its_path(tmp_path: Path) -> None:
    channel = FifoChannel(str(tmp_path))
    path = Path(channel.word.removeprefix("fifo:"))
    assert path.is_fifo()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert channel.inherited == ()
    with open(path, "r+b", buffering=0) as other:
        channel.put(2)
        assert other.read(1) == b"+"
        assert channel.count_free() == 1
    channel.close()


def test_a_path_that_makeflags_could_not_hold_is_not_used(tmp_path: Path) -> None:
    odd = tmp_path / "a b"
    odd.mkdir()
    channel = FifoChannel(str(odd))
    assert channel.word.startswith("fifo:/tmp/fleetcc-jobserver-")
    channel.close()
    assert os.listdir(odd) == []


def test_the_folder_of_a_run_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    running = FifoChannel(str(tmp_path))
    dead = tmp_path / "fleetcc-jobserver-dead"
    being_made = tmp_path / "fleetcc-jobserver-new"
    other = tmp_path / "else"
    for folder in (dead, being_made, other):
        folder.mkdir()
    os.mkfifo(dead / "tokens")
    os.mkfifo(other / "tokens")
    next_one = FifoChannel(str(tmp_path))
    assert not dead.exists()
    assert being_made.exists()
    assert other.exists()
    assert all(Path(each.word.removeprefix("fifo:")).is_fifo() for each in (running, next_one))
    running.close()
    next_one.close()
