"""Opens the links to hosts: finds out whether a host speaks the fleet protocol, and remembers who does not.

A stock distccd closes at the first bytes that it does not know; one whose workers are all busy says nothing.
The first is asked again after some minutes, the second soon.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fleetcc.agent.local_link import LocalLink
from fleetcc.agent.local_slots import LocalSlots
from fleetcc.backends.distcc import StockLink
from fleetcc.backends.fleet import FleetLink
from fleetcc.backends.link import HostEvents, HostTimeouts, Link, OurSide
from fleetcc.backends.picture import Picture
from fleetcc.backends.stream import Opener, explain_silence
from fleetcc.hosts.grammar import HostKind, HostSpec
from fleetcc.scheduling.fleet import Facts, HostType

log = logging.getLogger(__name__)

STOCK_SECONDS: Final = 600.0
SILENT_SECONDS: Final = 5.0


@dataclass(slots=True)
class Links:
    """Makes links, and knows which hosts are stock."""

    ours: OurSide
    events: HostEvents
    tasks: asyncio.TaskGroup
    local: LocalSlots
    opener: Opener = field(default_factory=Opener)
    pictures: dict[str, Picture] = field(default_factory=dict)  # outlive connections
    _roots: set[bytes] = field(default_factory=set)  # of all pictures
    _stock_until: dict[str, float] = field(default_factory=dict)

    async def open(
        self,
        host: str,
        spec: HostSpec,
        timeouts: HostTimeouts,
        local_limit: int,
        made: Callable[[Link], None],
    ) -> None:
        """Connect; `made` gets the link before it tells anything. Raises HostError."""
        if spec.kind is HostKind.LOCAL:
            made(LocalLink(host, spec.limit, self.events, self.tasks, self.local, local_limit))
            self.events.up(host, Facts(HostType.LOCAL, spec.limit), "this machine", "")
        elif self.is_known_stock(host) or not await self._try_fleet(host, spec, timeouts, made):
            link = StockLink(host, spec, self.opener, timeouts, self.events, self.tasks)
            made(link)
            self.events.up(host, link.facts, "distccd", "")

    def is_known_stock(self, host: str) -> bool:
        """Whether it was found to be a stock host lately."""
        return asyncio.get_running_loop().time() < self._stock_until.get(host, 0.0)

    def ask_again(self, host: str) -> None:
        """It failed, and may come back as another server."""
        self._stock_until.pop(host, None)

    async def _try_fleet(
        self, host: str, spec: HostSpec, timeouts: HostTimeouts, made: Callable[[Link], None]
    ) -> bool:
        loop = asyncio.get_running_loop()

        def factory() -> FleetLink:
            link = FleetLink(
                host,
                spec.text,
                self.ours,
                self.pictures.setdefault(host, Picture(self._roots)),
                self.events,
                timeouts.io_seconds,
            )
            made(link)
            return link

        async def talk(_: asyncio.Transport, link: FleetLink) -> float | None:
            """None: a fleet host; else for how long it is taken for a stock one."""
            try:
                async with asyncio.timeout(timeouts.connect_seconds):
                    if await asyncio.shield(link.answered):
                        return None
                await explain_silence(spec, link)
                seconds = STOCK_SECONDS
            except TimeoutError:
                seconds = SILENT_SECONDS
            link.close()
            return seconds

        seconds = await self.opener.converse(spec, timeouts, factory, talk)
        if seconds is None:
            return True
        self._stock_until[host] = loop.time() + seconds
        return False
