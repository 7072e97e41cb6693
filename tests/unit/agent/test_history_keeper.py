"""The way of what was learned to its file."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleetcc.agent import history_keeper
from fleetcc.agent.history_file import load_history
from fleetcc.agent.history_keeper import HistoryKeeper
from fleetcc.agent.stories import Stories
from fleetcc.monitor.journal import Journal
from fleetcc.scheduling.history import History


class Bench:
    """A keeper, and jobs that teach something."""

    def __init__(self, directory: Path, executor: ThreadPoolExecutor) -> None:
        self.path = directory / "history"
        self.stories = Stories(Journal(str(directory)))
        self.history = History()
        self.keeper = HistoryKeeper(str(self.path), self.history, self.stories, executor)

    def learn(self, key: bytes) -> None:
        """One more job ends."""
        story = self.stories.begin([b"gcc"], b"/")
        self.history.learn(key, 100, "b1", 2.0)
        story.end("done")

    @property
    def written(self) -> list[bytes]:
        """The keys in the file."""
        return list(load_history(str(self.path)).records)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ThreadPoolExecutor(1) as executor:
        yield Bench(tmp_path, executor)


async def test_what_was_learned_is_in_the_file_when_the_flush_returns(bench: Bench) -> None:
    running = bench.stories.begin([b"gcc"], b"/")
    bench.learn(b"first")
    await bench.keeper.flush()
    assert bench.written == [b"first"]

    bench.history.learn(b"second", 100, "b1", 3.0)
    running.end("done")  # it had arrived before the first flush
    await bench.keeper.flush()
    assert bench.written == [b"first", b"second"]


async def test_nothing_is_written_while_no_job_ends(bench: Bench) -> None:
    bench.learn(b"first")
    await bench.keeper.flush()
    bench.path.unlink()
    bench.stories.begin([b"gcc"], b"/")

    await bench.keeper.flush()

    assert not bench.path.exists()


async def test_it_is_written_again_and_again_without_being_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_keeper, "_KEEP_SECONDS", 0.001)
    task = asyncio.get_running_loop().create_task(bench.keeper.keep())
    async with asyncio.timeout(10):
        for key in (b"first", b"second"):
            bench.learn(key)
            while key not in bench.written:  # noqa: ASYNC110 - a thread writes it
                await asyncio.sleep(0.001)
    task.cancel()
