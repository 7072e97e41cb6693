"""This machine as a host of the list: a `localhost` entry grants when a local slot is free.

The slot is one of those that links, probes and fallbacks use too. It is taken before the grant is told, so a
job that is bound to this machine starts at once; `over` gives it back.
"""

import asyncio

from fleetcc.agent.local_slots import LocalSlots, Use
from fleetcc.backends.link import AnyOrder, HostEvents
from fleetcc.model import Priority


class LocalLink:
    """The link of the `localhost` entry."""

    encodings: tuple[str, ...] = ()

    def __init__(
        self,
        host: str,
        limit: int,
        events: HostEvents,
        tasks: asyncio.TaskGroup,
        local: LocalSlots,
        local_limit: int,
    ) -> None:
        self._host = host
        self._limit = limit
        self._events = events
        self._tasks = tasks
        self._local = local
        self._local_limit = local_limit
        self._asked = 0
        self._taken = 0  # slots held: granted or running
        self._getting: asyncio.Task[None] | None = None

    def demand(self, most: int, priority: Priority) -> None:  # noqa: ARG002 - the local line knows none
        """There are so many jobs."""
        self._asked = most
        self._get_next()

    def decline(self, count: int) -> None:
        """Give slots back that were granted."""
        for _ in range(count):
            self.over()

    def send(self, number: int, order: AnyOrder) -> None:
        """The launcher runs it; nothing is sent."""

    def cancel(self, number: int) -> None:
        """The launcher has gone: whoever runs the job calls `over`."""

    def over(self) -> None:
        """A job has ended, or a grant was of no use."""
        self._taken -= 1
        self._local.release(Use.COMPILE)
        self._get_next()

    def close(self) -> None:
        """Wait for no more slots."""
        self._asked = 0
        if self._getting is not None:
            self._getting.cancel()

    def _get_next(self) -> None:
        if self._asked and self._taken < self._limit and self._getting is None:
            self._getting = self._tasks.create_task(self._get())
        elif not self._asked and self._getting is not None:
            self._getting.cancel()
            self._getting = None

    async def _get(self) -> None:
        await self._local.acquire(Use.COMPILE, self._local_limit)
        self._getting = None
        if not self._asked:
            self._local.release(Use.COMPILE)
            return
        self._asked -= 1
        self._taken += 1
        self._events.granted(self._host, 1)
        self._get_next()
