"""The journal's way to its file."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleetcc.agent import journal_keeper
from fleetcc.agent.journal_keeper import JournalKeeper
from fleetcc.monitor.events import Record
from fleetcc.monitor.journal import Journal, read_journal


def record(number: int) -> Record:
    return Record(agent="a", job=number, build="b", started=1.0, label="a.c", directory="/", state="done")


async def test_what_was_added_is_in_the_file_when_the_flush_returns(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    with ThreadPoolExecutor(1) as executor:
        keeper = JournalKeeper(journal, executor)
        for number in range(3):
            journal.add(record(number))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(keeper.flush())

    assert [each.job for each in read_journal(str(tmp_path))] == [0, 1, 2]


async def test_it_is_written_again_and_again_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_keeper, "_FLUSH_SECONDS", 0.001)
    journal = Journal(str(tmp_path))
    with ThreadPoolExecutor(1) as executor:
        task = asyncio.get_running_loop().create_task(JournalKeeper(journal, executor).keep())
        async with asyncio.timeout(10):
            for number in range(3):
                journal.add(record(number))
                while len(list(read_journal(str(tmp_path)))) <= number:  # noqa: ASYNC110 - a thread writes it
                    await asyncio.sleep(0.001)
        task.cancel()
