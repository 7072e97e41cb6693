"""Writes what was learned of durations, once a minute while jobs end: an agent may be killed."""

import asyncio
from concurrent.futures import Executor
from typing import Final

from fleetcc.agent.history_file import encode_history, write_history
from fleetcc.agent.stories import Stories
from fleetcc.scheduling.history import History

_KEEP_SECONDS: Final = 60.0


class HistoryKeeper:
    """The history's way to its file; what is written runs in a thread, one at a time."""

    def __init__(self, path: str, history: History, stories: Stories, executor: Executor) -> None:
        self._path = path
        self._history = history
        self._stories = stories
        self._executor = executor
        self._writing = asyncio.Lock()
        self._written = 0  # jobs that had ended

    async def keep(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """What every job that has ended has taught is in the file when this returns."""
        async with self._writing:
            ended = self._stories.total - len(self._stories.running)
            if ended == self._written:
                return
            loop, content = asyncio.get_running_loop(), encode_history(self._history)
            await loop.run_in_executor(self._executor, write_history, self._path, content)
            self._written = ended
