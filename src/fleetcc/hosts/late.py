"""dnspython and python-zeroconf, loaded when first needed: each takes 100 ms, and most lists need neither."""

import asyncio
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from fleetcc.hosts.announcements import ZEROCONF_MISSING
from fleetcc.hosts.members import Nearby
from fleetcc.hosts.standing import Failure, Question, Reply
from fleetcc.hosts.threads import in_thread


class Lookup(Protocol):
    """A name service."""

    async def ask(self, question: Question) -> Reply:
        """Whatever happens is a reply; it comes within seconds."""
        ...


class LateDns:
    """Asks DNS, and loads what that takes beside the loop."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers
        self._loading = asyncio.Lock()
        self._dns: Lookup | None = None

    async def ask(self, question: Question) -> Reply:
        """The records of a name; never raises."""
        async with self._loading:
            if self._dns is None:
                try:
                    module = await in_thread(lambda: import_module("fleetcc.hosts.dns_lookup"))
                except (ImportError, RuntimeError) as error:  # RuntimeError: no thread can be started
                    return Failure(f"DNS cannot be asked: {error}; install fleetcc anew")
                self._dns = module.DnsLookup(self._servers)
        return await self._dns.ask(question)


async def browse_network(report: Callable[[Nearby], None]) -> None:
    """Tell who announces itself on the local network, until cancelled."""
    try:
        module = await in_thread(lambda: import_module("fleetcc.hosts.local_network"))
    except (ImportError, RuntimeError) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "zeroconf"
        report(Nearby(trouble=ZEROCONF_MISSING if missing else str(error), is_browsed=True))
        return
    await module.browse(report)
