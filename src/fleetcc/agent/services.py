"""What all jobs of one agent share."""

from concurrent.futures import Executor
from dataclasses import dataclass

from fleetcc.agent.compilers import Compilers
from fleetcc.agent.fleet import Fleet
from fleetcc.agent.inputs import Inputs
from fleetcc.agent.local_slots import LocalSlots, Use, slot_limit
from fleetcc.agent.plan import Plans
from fleetcc.agent.pump import PumpMemory
from fleetcc.agent.spoke import SpokeMemory
from fleetcc.agent.stories import Stories
from fleetcc.agent.story import LOCALHOST
from fleetcc.agent.text import PragmaMemory
from fleetcc.agent.verification import Verified
from fleetcc.errors import HostListError
from fleetcc.hosts.sources import find_host_list
from fleetcc.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Made once by the daemon."""

    fleet: Fleet
    local: LocalSlots
    compilers: Compilers
    inputs: Inputs
    stories: Stories
    executor: Executor
    spoke: SpokeMemory
    pragmas: PragmaMemory
    verified: Verified
    pump: PumpMemory
    plans: Plans
    processors: int

    def slots_of(self, host: str) -> int:
        """How many a host has, or this machine for compilers; 0: it is not known."""
        return self.local.compile_limit if host == LOCALHOST else self.fleet.slots_of(host)

    async def acquire_local(self, use: Use, settings: Settings) -> None:
        """Wait for a local slot within what the job's own settings, or its host list, allow."""
        try:
            hosts = find_host_list(settings).host_list
        except HostListError:
            hosts = None
        await self.local.acquire(use, slot_limit(use, settings, hosts, self.processors))
