"""The local slots: how many compilers and preprocessors this machine runs at once for us.

One count, two limits (as in distcc, where both kinds take the same lock files): a compiler may start
while fewer than `compile_limit` slots are taken, a preprocessor while fewer than `preprocess_limit`.
Preprocessors that wait go first, because they feed the other machines.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from fleetcc.hosts.grammar import HostList
from fleetcc.settings import Settings


class Use(Enum):
    """What a local slot is for."""

    PREPROCESS = "preprocess"
    COMPILE = "compile"


def slot_limit(use: Use, settings: Settings, hosts: HostList | None, processors: int) -> int:
    """How many may run at once, by the job's own settings, else its host list, else the machine."""
    if use is Use.PREPROCESS:
        listed = hosts.preprocess_slots if hosts is not None else None
        return settings.preprocess_slots or listed or 2 * processors
    listed = hosts.local_slots if hosts is not None else None
    return settings.local_slots or listed or processors


@dataclass(slots=True)
class _Waiter:
    future: asyncio.Future[None]
    limit: int


@dataclass(slots=True)
class LocalSlots:
    """A count with two waiting lines. Limits travel with each request: they are the job's settings."""

    compile_limit: int = 0  # of the last job that asked for a compiler's slot
    taken: dict[Use, int] = field(default_factory=lambda: dict.fromkeys(Use, 0))
    _waiting: dict[Use, deque[_Waiter]] = field(default_factory=lambda: {use: deque() for use in Use})

    @property
    def total_taken(self) -> int:
        """Slots in use for either purpose."""
        return sum(self.taken.values())

    def waiting_count(self, use: Use) -> int:
        """How many jobs wait for a slot of this kind."""
        return sum(1 for waiter in self._waiting[use] if not waiter.future.done())

    async def acquire(self, use: Use, limit: int) -> None:
        """Wait for a slot; cancellation leaves nothing behind."""
        if use is Use.COMPILE:
            self.compile_limit = limit
        if not self._waiting[use] and self.total_taken < limit:
            self.taken[use] += 1
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), limit)
        self._waiting[use].append(waiter)
        try:
            await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                self.release(use)
            raise

    def release(self, use: Use) -> None:
        """Give a slot back and wake whoever may have it."""
        self.taken[use] -= 1
        for line in (self._waiting[Use.PREPROCESS], self._waiting[Use.COMPILE]):
            self._wake(line)

    def _wake(self, line: deque[_Waiter]) -> None:
        use = Use.PREPROCESS if line is self._waiting[Use.PREPROCESS] else Use.COMPILE
        while line and (line[0].future.done() or self.total_taken < line[0].limit):
            waiter = line.popleft()
            if not waiter.future.done():
                self.taken[use] += 1
                waiter.future.set_result(None)
