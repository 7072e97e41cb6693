"""Answers about names, shared by all host lists of an agent: asked once, kept as long as they count.

It asks when it is told to, and starts nothing by itself; `membership` decides what is followed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeAlias

from fleetcc.hosts.late import LateDns, Lookup, browse_network
from fleetcc.hosts.members import Nearby
from fleetcc.hosts.standing import MAX_TTL, Question, RecordKind, Standing, learn
from fleetcc.hosts.system_lookup import SystemLookup

# Names of lists that are long gone are dropped beyond this.
_MOST_STANDINGS: Final = 4096
_UNKNOWN: Final = Standing()

Browse: TypeAlias = Callable[[Callable[[Nearby], None]], Awaitable[None]]


class Resolver:
    """What is known of names now."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        dns: Lookup | None = None,
        system: Lookup | None = None,
        browse: Browse = browse_network,
        random: Random | None = None,
    ) -> None:
        self.browse: Final = browse
        self.random: Final = random or Random()
        self._dns = dns or LateDns(servers)
        self._system = system or SystemLookup()
        self._standings: dict[Question, Standing] = {}
        self._asking: dict[Question, asyncio.Event] = {}

    def known(self, question: Question) -> Standing:
        """What the last replies said; asks nobody."""
        return self._standings.get(question, _UNKNOWN)

    async def refresh(self, question: Question) -> Standing:
        """Ask, unless what is known still counts; all who want the same at one time share one question."""
        loop = asyncio.get_running_loop()
        while self.known(question).is_due(loop.time()):
            asking = self._asking.get(question)
            if asking is None:
                await self._ask(question)
            else:
                await asking.wait()  # when its asker was cancelled, one of those who waited asks
        return self.known(question)

    async def _ask(self, question: Question) -> None:
        answered = self._asking[question] = asyncio.Event()
        try:
            lookup = self._system if question.kind is RecordKind.SYSTEM else self._dns
            reply = await lookup.ask(question)
            now = asyncio.get_running_loop().time()
            before = self.known(question)
            standing = self._standings[question] = learn(before, reply, now)
            if standing.is_doubted and not before.is_doubted:
                # What the system said before DNS had the name must not come back when DNS drops it.
                self._standings.pop(Question(question.name, RecordKind.SYSTEM), None)
            if len(self._standings) > _MOST_STANDINGS:
                self._forget(now)
        finally:
            del self._asking[question]
            answered.set()

    def _forget(self, now: float) -> None:
        gone = [of for of, standing in self._standings.items() if standing.is_due(now - MAX_TTL)]
        for question in gone:
            del self._standings[question]
