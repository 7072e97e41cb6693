"""The host lists that jobs name, each followed for as long as it is used: files watched, names looked up.

A group is one list at one place (a variable's text, a file). Jobs that wait see its hosts change.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fleetcc.backends.link import HostTimeouts
from fleetcc.errors import HostListError
from fleetcc.hosts.grammar import HostKind, HostList, HostSpec
from fleetcc.hosts.membership import Membership
from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.scheduling.fleet import Place
from fleetcc.settings import Settings

log = logging.getLogger(__name__)

# A list that no job has named for so long is not followed any more.
FORGET_SECONDS: Final = 120.0


def host_id(host: HostSpec) -> str:
    """The name under which a host is known to dispatcher, history and log, whatever its limit and options."""
    if host.kind is HostKind.TCP:
        return f"[{host.name}]:{host.port}" if ":" in host.name else f"{host.name}:{host.port}"
    if host.kind is HostKind.LOCAL:
        return "localhost"
    user = f"{host.user}@" if host.user else "@"
    return f"{user}{host.name}" + (f":{host.command}" if host.command else "")


def timeouts_of(settings: Settings) -> HostTimeouts:
    """The part of the settings that a conversation needs."""
    return HostTimeouts(settings.connect_timeout_seconds, settings.io_timeout_seconds, settings.ssh)


@dataclass(slots=True)
class Group:
    """One list and its hosts."""

    key: str
    settings: Settings  # of the job that named it last
    host_list: HostList
    membership: Membership
    task: asyncio.Task[None] | None = None
    jobs: int = 0  # that name it and have not ended
    last_used: float = 0.0
    origins: dict[str, str] = field(default_factory=dict)  # host id -> where it came from
    places: dict[str, Place] = field(default_factory=dict)  # host id -> its place in the list
    trouble: str = ""  # what is wrong with the file just now


class Groups:
    """All groups of one agent."""

    def __init__(self, tasks: asyncio.TaskGroup, changed: Callable[[Group], None]) -> None:
        self._tasks = tasks
        self._changed = changed
        self._groups: dict[str, Group] = {}
        self._resolvers: dict[tuple[str, ...], Resolver] = {}

    def all(self) -> list[Group]:
        """Every group that is followed."""
        return list(self._groups.values())

    def find(self, found: FoundHosts, settings: Settings) -> Group:
        """The group of this list; follows it from now on."""
        assert found.host_list is not None
        key = _key(found, settings)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._make(key, found, settings)
            self._changed(group)
        elif group.host_list is not found.host_list:
            self._update(group, found.host_list)
        group.settings = settings
        group.last_used = asyncio.get_running_loop().time()
        return group

    def look(self, now: float) -> list[Group]:
        """Read files again that have changed while jobs wait; the groups that nobody names any more."""
        gone = []
        for group in self.all():
            if group.jobs:
                group.last_used = now
                self._read_again(group)
            elif now - group.last_used > FORGET_SECONDS:
                self._drop(group)
                gone.append(group)
        return gone

    def close(self) -> None:
        """Follow nothing any more."""
        for group in self.all():
            self._drop(group)

    def _make(self, key: str, found: FoundHosts, settings: Settings) -> Group:
        assert found.host_list is not None
        resolver = self._resolvers.get(settings.dns)
        if resolver is None:
            resolver = self._resolvers[settings.dns] = Resolver(settings.dns)

        def changed() -> None:
            if key in self._groups:
                self._changed(self._groups[key])

        membership = Membership(found.host_list, found.origin, resolver, changed)
        group = Group(key, settings, found.host_list, membership)
        group.task = self._tasks.create_task(membership.run())
        return group

    def _update(self, group: Group, host_list: HostList) -> None:
        group.host_list = host_list
        group.membership.update(host_list)

    def _read_again(self, group: Group) -> None:
        if group.settings.hosts is not None:
            return
        try:
            found = find_host_list(group.settings)
        except HostListError as error:
            if str(error) != group.trouble:
                group.trouble = str(error)
                log.warning("%s; the hosts of before are kept for the jobs that wait", error)
            return
        group.trouble = ""
        same_place = found.host_list is not None and _key(found, group.settings) == group.key
        if found.host_list is not None and same_place and found.host_list is not group.host_list:
            self._update(group, found.host_list)

    def _drop(self, group: Group) -> None:
        self._groups.pop(group.key, None)
        if group.task is not None:
            group.task.cancel()


def _key(found: FoundHosts, settings: Settings) -> str:
    text = f"={settings.hosts}" if settings.hosts is not None else ""
    dns = f" by {' '.join(settings.dns)}" if settings.dns else ""
    return found.origin + text + dns
