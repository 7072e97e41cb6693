"""How many slots may be used now: the machine's figures, read at most once a second, and our own share.

What of the load is ours is the one-minute average of the count of our compilers. All processes of the machine
keep it together in one small file, brought up to date whenever a compiler starts or ends. Capacity is
computed only while something waits; a server with free slots never reads a figure.
"""

import contextlib
import fcntl
import logging
import os
import struct
import time
from collections.abc import Callable
from typing import Final, Literal

from fleetcc.scheduling.capacity import Memory, decayed, memory_allows, slots_under_load
from fleetcc.server import machine
from fleetcc.server.slots import open_shared_file

_log: Final = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 1.0
_RECORD: Final = struct.Struct("<ddq")  # monotonic time, average, count


class Meter:
    """Capacity of this machine, as this process computes it."""

    def __init__(self, path: str, slots: int, load_limit: float, reserve_bytes: int) -> None:
        self._file = open_shared_file(path)
        self._slots = slots
        self._load_limit = load_limit
        self._reserve_bytes = reserve_bytes
        self._refreshed = 0.0
        self._by_load = slots
        self._memory = Memory(0, 1 << 62, 0.0)
        self.load = 0.0  # average, as last read
        self._last_said = (slots, True)

    def needs_refresh(self, now: float) -> bool:
        """Whether the figures are older than a second."""
        return now - self._refreshed >= REFRESH_SECONDS

    def refresh(self, now: float, running: int) -> None:
        """Read the machine; `running` is the true count of compilers of all our processes."""
        self._refreshed = now
        ours = self._account(lambda _: running)
        self.load = machine.load_average()
        self._by_load = slots_under_load(self._slots, self._load_limit, self.load, ours)
        self._memory = machine.memory()

    def capacity(self, running: int) -> int:
        """How many slots may be used, 0 while memory is short; by the last refresh."""
        allows = memory_allows(self._memory, self._reserve_bytes, running)
        self._say(self._by_load, allows=allows)
        return self._by_load if allows else 0

    @property
    def memory(self) -> Memory:
        """As last read."""
        return self._memory

    def limited_by(self, running: int) -> Literal["", "load", "memory"]:
        """What keeps slots from being used, by the last refresh."""
        if not memory_allows(self._memory, self._reserve_bytes, running):
            return "memory"
        return "load" if self._by_load < self._slots else ""

    def started(self) -> None:
        """A compiler of this process has started."""
        self._account(lambda count: count + 1)

    def ended(self) -> None:
        """A compiler of this process has ended."""
        self._account(lambda count: max(0, count - 1))

    def close(self) -> None:
        """Close the shared file."""
        os.close(self._file)

    def _account(self, change: Callable[[int], int]) -> float:
        now = time.monotonic()
        locked = self._lock()
        when, average, count = self._record(now)
        average = decayed(average, count, now - when)
        if locked:
            os.pwrite(self._file, _RECORD.pack(now, average, change(count)), 0)
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return average

    def _record(self, now: float) -> tuple[float, float, int]:
        content = os.pread(self._file, _RECORD.size, 0)
        if len(content) == _RECORD.size:
            when, average, count = _RECORD.unpack(content)
            # A file from before a restart of the machine has a time that has not come yet.
            if when <= now and 0 <= average < 1e6 and 0 <= count < 1 << 20:
                return when, average, count
        return now, 0.0, 0

    def _lock(self) -> bool:
        # Held for microseconds. A process stopped in that moment must not stop all others: the
        # count is then a little wrong until the next refresh.
        for _ in range(10):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        return False

    def _say(self, slots: int, *, allows: bool) -> None:
        if (slots, allows) == self._last_said:
            return
        self._last_said = (slots, allows)
        if not allows:
            _log.warning(
                "memory is short, no new compilers: available=%dM reserve=%dM pressure=%.0f%%",
                self._memory.available_bytes >> 20,
                self._reserve_bytes >> 20,
                self._memory.pressure_percent,
            )
        else:
            _log.info("capacity=%d of %d slots", slots, self._slots)
