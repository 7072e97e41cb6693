"""The hosts of one list, followed while a build runs: who is there now, who came, who left.

`members` is computed from what the resolver knows (members.py). One task follows each question: it asks,
tells that something may have changed, and sleeps until the answer has had its time. Which questions there
are depends on the answers (the targets of a service), so the tasks are compared with the questions after
each change.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fleetcc.hosts.grammar import HostList, HostSpec
from fleetcc.hosts.members import Expansion, Member, Nearby, expand
from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.standing import Question

__all__ = ["Member", "Membership"]

# A little more than the slowest look-up; a build must not wait longer for a name server.
READY_SECONDS: Final = 5.0


class Membership:
    """Follows one host list: `members` is what its entries stand for now."""

    def __init__(
        self, host_list: HostList, origin: str, resolver: Resolver, changed: Callable[[], None]
    ) -> None:
        self._host_list = host_list
        self._origin = origin
        self._resolver = resolver
        self._changed = changed
        self._nearby = Nearby()
        self._ranks: dict[HostSpec, float] = {}
        self._woken = asyncio.Event()
        self._ready = asyncio.Event()
        self._expansion = Expansion((), {}, (), is_settled=True)
        self._members: tuple[Member, ...] = ()
        self._expand()

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody who is there now, in the order of the list."""
        return self._members

    @property
    def troubles(self) -> Mapping[str, str]:
        """Entries whose last look-up failed or that stand for nobody, each with a sentence."""
        return self._expansion.troubles

    async def ready(self) -> None:
        """Wait until every entry has been looked up once, or READY_SECONDS; `run` must be running."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                await self._ready.wait()

    def update(self, host_list: HostList) -> None:
        """Follow this list from now on; who is in both stays."""
        self._host_list = host_list
        if not host_list.zeroconf:
            self._nearby = Nearby()
        self._settle()
        self._woken.set()

    async def run(self) -> None:
        """Look names up again when their TTL ends, and browse the local network, until cancelled."""
        async with asyncio.TaskGroup() as group:
            followers: dict[Question | None, asyncio.Task[None]] = {}
            while True:
                self._woken.clear()
                self._settle()
                self._compare(group, followers)
                await self._woken.wait()

    def _compare(
        self, group: asyncio.TaskGroup, followers: dict[Question | None, asyncio.Task[None]]
    ) -> None:
        """Have one task for each question; the one without a question browses the local network."""
        browsing: list[None] = [None] if self._host_list.zeroconf else []
        wanted: dict[Question | None, None] = dict.fromkeys([*browsing, *self._expansion.wanted])
        for question in followers.keys() - wanted.keys():
            followers.pop(question).cancel()
        for question in wanted:
            if question not in followers:
                follow = self._browse() if question is None else self._follow(question)
                followers[question] = group.create_task(follow)

    async def _follow(self, question: Question) -> None:
        loop = asyncio.get_running_loop()
        while True:
            standing = await self._resolver.refresh(question)
            self._woken.set()
            if standing.due is not None:
                await asyncio.sleep(max(0.0, standing.due - loop.time()))

    async def _browse(self) -> None:
        await self._resolver.browse(self._seen)

    def _seen(self, nearby: Nearby) -> None:
        self._nearby = nearby
        self._woken.set()

    def _settle(self) -> None:
        if self._expand():
            self._changed()

    def _expand(self) -> bool:
        """Compute everything anew; returns whether members changed."""
        self._expansion = expand(self._host_list, self._origin, self._resolver.known, self._nearby)
        members = self._expansion.members
        if self._host_list.randomize:
            members = self._in_random_order(members)
        if self._expansion.is_settled:
            self._ready.set()
        else:
            self._ready.clear()
        is_changed = members != self._members
        self._members = members
        return is_changed

    def _in_random_order(self, members: Sequence[Member]) -> tuple[Member, ...]:
        """In an order that stays while others come and go."""
        old = self._ranks
        self._ranks = {
            member.host: old[member.host] if member.host in old else self._resolver.random.random()
            for member in members
        }
        return tuple(sorted(members, key=lambda member: self._ranks[member.host]))
