"""What travels between a job's own way (`remote`) and the fleet: who has its text, and how it ended."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fleetcc.agent.groups import Group
from fleetcc.agent.local_link import LocalLink
from fleetcc.backends.link import AnyOrder, Link, Spoken
from fleetcc.errors import HostError
from fleetcc.model import Reason
from fleetcc.scheduling.fleet import Facts, JobSpec


class RunLocallyError(Exception):
    """Leaves the way to the hosts; the launcher shall exec the compiler."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.text, detail)
        self.reason = reason
        self.detail = detail


class Source(Protocol):
    """Who has a job's files, or its text in the form and packing that a host takes."""

    def order(self, facts: Facts, encodings: Sequence[str]) -> AnyOrder | None:
        """The order for such a host, if it needs no more work."""

    async def make_order(self, facts: Facts, encodings: Sequence[str]) -> AnyOrder:
        """The order; raises RunLocallyError, LauncherGoneError."""

    def bound(self, host: str, text: str) -> None:
        """The job goes to this host, whose name for people is `text`."""

    def began(self, host: str) -> None:
        """Its compiler runs there."""

    def unbound(self, host: str) -> None:
        """That host has it no more, and it goes on elsewhere."""

    def answered(self, host: str, spoken: Spoken) -> None:
        """A compiler has spoken there; nothing is told after this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a compiler said, and on which host."""

    host: str
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class OnLocalhost:
    """The `localhost` entry of the list was free first; `Fleet.local_is_over` gives its slot back."""

    number: int
    link: LocalLink
    began: float


@dataclass(eq=False, slots=True)
class Errand:
    """One job while it is the fleet's."""

    spec: JobSpec
    source: Source
    group: Group
    ended: asyncio.Future[Answer | OnLocalhost]
    submitted: float
    links: dict[str, Link] = field(default_factory=dict)  # where it has been sent
    unsent: dict[str, Link] = field(default_factory=dict)  # bound there, its text is still being made
    errors: list[HostError] = field(default_factory=list)
