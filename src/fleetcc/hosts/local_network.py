"""Hosts that announce themselves by mDNS, as fleetccd and distccd --zeroconf do: browsed, asked, told of.

Import it late: it brings python-zeroconf.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from zeroconf import Error, ServiceInfo
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from fleetcc.hosts.announcements import (
    DISTCC_TYPE,
    FLEETCC_TYPE,
    Announcement,
    OwnNetwork,
    announced_jobs,
    nearby,
)
from fleetcc.hosts.mdns import RETRY_SECONDS, MdnsError, opened, own_network, until_moved
from fleetcc.hosts.members import Nearby
from fleetcc.settings.values import printable

# What distcc gives the network to answer before it goes on without.
BROWSE_SECONDS: Final = 1.0
_RESOLVE_MILLISECONDS: Final = 3000


async def browse(report: Callable[[Nearby], None]) -> None:
    """Tell who is there, at once and whenever that changes, until cancelled."""
    known = Nearby()

    def remember(nearby: Nearby) -> None:
        nonlocal known
        known = nearby
        report(nearby)

    while True:
        try:
            await _browse_here(remember, known)
        except MdnsError as error:
            trouble = f"{error}; tried again every {RETRY_SECONDS:g} s"
            remember(Nearby(known.members, trouble, is_browsed=True))
            await asyncio.sleep(RETRY_SECONDS)


async def _browse_here(report: Callable[[Nearby], None], before: Nearby) -> None:
    """Browse until this machine's interfaces change; who was there stays until all had time to answer."""
    from_here = own_network()
    async with opened() as zeroconf, asyncio.TaskGroup() as group:
        neighbours = _Neighbours(zeroconf, group, from_here, report, is_patient=bool(before.members))
        browser = AsyncServiceBrowser(
            zeroconf.zeroconf, [FLEETCC_TYPE, DISTCC_TYPE], handlers=[neighbours.hear]
        )
        try:
            await asyncio.sleep(BROWSE_SECONDS)
            neighbours.tell(is_browsed=True)
            await until_moved(from_here, neighbours.check)
        finally:
            await browser.async_cancel()


class _Neighbours:
    """Who has been heard, and what they said."""

    def __init__(
        self,
        zeroconf: AsyncZeroconf,
        group: asyncio.TaskGroup,
        from_here: OwnNetwork,
        report: Callable[[Nearby], None],
        *,
        is_patient: bool,
    ) -> None:
        self._zeroconf = zeroconf
        self._group = group
        self._from_here = from_here
        self._report = report
        self._is_patient = is_patient
        self._is_browsed = False
        self._types: dict[str, str] = {}  # every name that is announced now, and its type
        self._found: dict[str, Announcement] = {}

    def hear(self, *, service_type: str, name: str, state_change: Any, **_: Any) -> None:
        """One came, changed or left; called by zeroconf."""
        if state_change.name == "Removed":
            self._types.pop(name, None)
            if self._found.pop(name, None) is not None:
                self.tell()
        else:
            self._types[name] = service_type
            self._group.create_task(self._resolve(service_type, name))

    def check(self) -> None:
        """Ask everybody whether they are still there."""
        for name, service_type in self._types.items():
            self._group.create_task(self._resolve(service_type, name))

    def tell(self, *, is_browsed: bool = False) -> None:
        """Report who is there."""
        self._is_browsed |= is_browsed
        if self._is_browsed or not self._is_patient:
            self._report(nearby(list(self._found.values()), self._from_here, is_browsed=self._is_browsed))

    async def _resolve(self, service_type: str, name: str) -> None:
        try:
            info = AsyncServiceInfo(service_type, name)
            is_there = await info.async_request(self._zeroconf.zeroconf, _RESOLVE_MILLISECONDS)
        except (Error, OSError):  # a name that breaks the rules, or a network that has just gone
            is_there = False
        before = self._found.pop(name, None)
        if is_there and name in self._types:
            self._found[name] = read_announcement(info)
        if self._found.get(name) != before:
            self.tell()


def read_announcement(info: ServiceInfo) -> Announcement:
    """What the records of one instance say."""
    instance = printable(info.name.removesuffix("." + info.type))
    addresses = tuple(info.parsed_scoped_addresses())
    jobs = announced_jobs(info.properties)
    return Announcement(instance, info.type == FLEETCC_TYPE, addresses, info.port or 0, jobs)
