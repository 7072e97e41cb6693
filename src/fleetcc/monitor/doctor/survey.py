"""Asks DNS for the names of a host list, and visits whomever it stands for as soon as that is known."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.backends.link import HostTimeouts
from fleetcc.hosts.grammar import HostKind, HostSpec
from fleetcc.hosts.late import LateDns, Lookup
from fleetcc.hosts.membership import Member, Membership
from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.sources import FoundHosts
from fleetcc.hosts.standing import Question, Reply
from fleetcc.hosts.system_lookup import SystemLookup
from fleetcc.monitor.doctor.measure import measure
from fleetcc.monitor.doctor.visit import Visit, visit

# Names that have no answer by then have none.
SURVEY_SECONDS: Final = 5.0
# Of hosts of one list; the rest wait for their turn.
_MOST_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a host list."""

    replies: Mapping[Question, Reply]  # of name services
    troubles: Mapping[str, str]  # entry as written -> sentence
    members: tuple[Member, ...]
    visits: tuple[Visit, ...]  # of those that can be visited
    seconds: float  # that names and visits took


@dataclass(slots=True)
class Noting:
    """A name service whose replies are kept."""

    lookup: Lookup
    replies: dict[Question, Reply] = field(default_factory=dict)

    async def ask(self, question: Question) -> Reply:
        """As `lookup` does."""
        reply = self.replies[question] = await self.lookup.ask(question)
        return reply


def is_visited(host: HostSpec) -> bool:
    """This machine needs no visit, and what is marked ,down gets none."""
    return host.kind is not HostKind.LOCAL and not host.down


async def survey(
    found: FoundHosts, servers: tuple[str, ...], timeouts: HostTimeouts, name_of: Callable[[HostSpec], str]
) -> Survey:
    """Look up and visit everybody at the same time, then measure; `servers`: of DNS, as FLEETCC_DNS has them.

    Takes at most SURVEY_SECONDS and MEASURE_SECONDS.
    """
    assert found.host_list is not None
    begun = time.monotonic()
    dns, system = Noting(LateDns(servers)), Noting(SystemLookup())
    resolver = Resolver(servers, dns=dns, system=system)
    news = asyncio.Event()
    membership = Membership(found.host_list, found.origin, resolver, news.set)
    visiting = _Visiting(membership, news, timeouts, name_of)
    await visiting.run(begun + SURVEY_SECONDS)
    seconds = time.monotonic() - begun
    visits = [_result(member, task, name_of) for member, task in visiting.visits.items()]
    return Survey(
        replies={**dns.replies, **system.replies},
        troubles=membership.troubles,
        members=membership.members,
        visits=await measure(visits, timeouts),
        seconds=seconds,
    )


@dataclass(slots=True)
class _Visiting:
    """Visits whoever becomes known, until all names have been looked up."""

    membership: Membership
    news: asyncio.Event  # somebody may have become known
    timeouts: HostTimeouts
    name_of: Callable[[HostSpec], str]
    visits: dict[Member, asyncio.Task[Visit]] = field(default_factory=dict)
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_AT_ONCE))

    async def run(self, deadline: float) -> None:
        """`deadline`: on the monotonic clock; visits that take longer are ended."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self.membership.run())
            ready = tasks.create_task(self.membership.ready())
            ready.add_done_callback(lambda _: self.news.set())
            self._visit_new(tasks)
            while not ready.done():
                await self.news.wait()
                self.news.clear()
                self._visit_new(tasks)
            await _end(self.visits, deadline)
            following.cancel()

    def _visit_new(self, tasks: asyncio.TaskGroup) -> None:
        for member in self.membership.members:
            if member not in self.visits and is_visited(member.host):
                self.visits[member] = tasks.create_task(self._visit(member))

    async def _visit(self, member: Member) -> Visit:
        async with self.at_once:
            return await visit(member, self.name_of(member.host), self.timeouts)


async def _end(visits: Mapping[Member, asyncio.Task[Visit]], deadline: float) -> None:
    """Wait for the visits, as long as there is time."""
    if visits:
        left = deadline - time.monotonic()
        _, late = await asyncio.wait(visits.values(), timeout=max(0.1, left))
        for task in late:
            task.cancel()


def _result(member: Member, task: "asyncio.Task[Visit]", name_of: Callable[[HostSpec], str]) -> Visit:
    if not task.cancelled():
        return task.result()
    return Visit(member, name_of(member.host), f"did not answer within {SURVEY_SECONDS:g} s, names and all")
