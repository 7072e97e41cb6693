"""Writes the journal of jobs, once a second while there is something to write."""

import asyncio
from concurrent.futures import Executor
from typing import Final

from fleetcc.monitor.journal import Journal

_FLUSH_SECONDS: Final = 1.0


class JournalKeeper:
    """The journal's way to its file; what is written runs in a thread, one at a time."""

    def __init__(self, journal: Journal, executor: Executor) -> None:
        self._journal = journal
        self._executor = executor
        self._writing = asyncio.Lock()

    async def keep(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            if not self._journal.is_flushed:
                await self.flush()

    async def flush(self) -> None:
        """Every job that has ended is in the file when this returns."""
        async with self._writing:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._journal.flush)
