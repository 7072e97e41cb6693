"""The hosts as the agent knows them: how many jobs each has, which failed, what each takes.

Drives scheduling.placement with the loop's clock, and asks each host once what it is.
"""

import asyncio
import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fleetcc.backends.distcc import DistccBackend, HostTimeouts
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import HostKind, HostList, HostSpec
from fleetcc.model import Form
from fleetcc.scheduling.placement import Candidate, Nowhere, Placed, Placement
from fleetcc.wire.greeting import Welcome

log = logging.getLogger(__name__)

# What a host is changes only when somebody upgrades it; a failed question is asked again soon.
WELCOME_SECONDS: Final = 600.0
UNREACHABLE_SECONDS: Final = 5.0

HostKey = tuple[HostKind, str, int, str | None, str | None]


def host_key(host: HostSpec) -> HostKey:
    """What makes two entries the same host, whatever their limits and options."""
    return host.kind, host.name, host.port, host.user, host.command


@dataclass(frozen=True, slots=True)
class _Known:
    welcome: Welcome | None  # None: a stock distccd, or not reached
    until: float
    is_reached: bool = True


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A host list made ready for placing, once."""

    hosts: HostList
    specs: dict[HostKey, HostSpec]
    candidates: tuple[Candidate[HostKey], ...]


@dataclass(slots=True)
class Fleet:
    """All hosts of all jobs of this agent."""

    backend: DistccBackend
    tasks: asyncio.TaskGroup
    rng: random.Random
    placement: Placement[HostKey] = field(default_factory=Placement)
    _known: dict[HostKey, _Known] = field(default_factory=dict)
    _asking: dict[HostKey, asyncio.Task[None]] = field(default_factory=dict)
    _prepared: dict[int, _Prepared] = field(default_factory=dict)
    _waiting: dict[int, asyncio.Future[HostKey | None]] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

    async def place(
        self, hosts: HostList, forms: Sequence[Form], compiler: bytes, avoid: frozenset[HostKey]
    ) -> HostSpec | None:
        """Wait for a host that takes one of the forms; None when all fail lately. `release` gives it back."""
        prepared = self._prepare(hosts)
        candidates = prepared.candidates
        if avoid or forms[0] is Form.DIRECTIVES:
            candidates = tuple(
                c for c in candidates if c.host not in avoid and self.form_for(prepared.specs[c.host], forms)
            )
        answer = self.placement.request(candidates, compiler, self._now())
        key = await self._wait(answer) if isinstance(answer, int) else _host_of(answer)
        return None if key is None else prepared.specs[key]

    def release(self, host: HostSpec) -> None:
        """The host's job is over, however it ended."""
        self._deliver(self.placement.release(host_key(host), self._now()))

    def succeeded(self, host: HostSpec, compiler: bytes) -> None:
        """Forgive earlier failures."""
        self.placement.succeeded(host_key(host), compiler)

    def failed(self, host: HostSpec, compiler: bytes | None, backoff_max: float) -> float:
        """Leave the host alone for a while (for one compiler, or all); returns the seconds."""
        pause = self.placement.failed(host_key(host), compiler, self._now(), backoff_max)
        known = self._known.get(host_key(host))
        if known is not None:  # it may come back as another server: ask again, but let nobody wait for that
            self._known[host_key(host)] = replace(known, until=self._now())
        self._deliver(self.placement.tick(self._now()))
        return pause

    def form_for(self, host: HostSpec, forms: Sequence[Form]) -> Form | None:
        """The best of the job's forms that this host takes."""
        if host.kind is HostKind.LOCAL:
            return forms[0]
        known = self._known.get(host_key(host))
        taken = known.welcome.forms if known is not None and known.welcome is not None else (Form.EXPANDED,)
        return next((form for form in forms if form in taken), None)

    def any_reached(self, hosts: HostList) -> bool:
        """Did any host of the list answer when it was last asked what it is?"""
        known = (self._known.get(key) for key in self._prepare(hosts).specs)
        return any(answer is not None and answer.is_reached for answer in known)

    async def learn(self, hosts: HostList, timeouts: HostTimeouts) -> None:
        """Ask every host of the list that has not been asked lately what it is."""
        now = self._now()
        asking: list[asyncio.Task[None]] = []
        for key, host in self._prepare(hosts).specs.items():
            if host.kind is HostKind.LOCAL:
                continue
            known = self._known.get(key)
            if known is None or known.until < now:
                task = self._asking.get(key)
                if task is None:
                    task = self.tasks.create_task(self._ask(key, host, timeouts))
                    self._asking[key] = task
                if known is None:
                    asking.append(task)  # otherwise the old answer serves until the new one is there
        if asking:
            await asyncio.wait(asking)

    def snapshot(self) -> list[dict[str, object]]:
        """Every host that jobs have named, for `fleetcc status`."""
        now = self._now()
        hosts: dict[HostKey, HostSpec] = {}
        for prepared in self._prepared.values():
            hosts.update(prepared.specs)
        return [
            {
                "host": host.text,
                "running": self.placement.running.get(key, 0),
                "limit": host.limit,
                "left_alone_seconds": self._left_alone_seconds(key, now),
                "server": self._server_text(key),
            }
            for key, host in hosts.items()
        ]

    def close(self) -> None:
        """Stop the questions that are still open."""
        for task in self._asking.values():
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _left_alone_seconds(self, key: HostKey, now: float) -> float:
        until = self.placement.left_alone_until(key, b"", now)
        return 0.0 if until is None else math.ceil(10 * (until - now)) / 10

    def _server_text(self, key: HostKey) -> str:
        known = self._known.get(key)
        if known is None or not known.is_reached:
            return ""
        return known.welcome.server if known.welcome is not None else "distccd"

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _prepare(self, hosts: HostList) -> _Prepared:
        known = self._prepared.get(id(hosts))
        if known is not None:
            return known
        if len(self._prepared) > 64:  # one per host list in use; a list that changed leaves its old self here
            self._prepared.clear()
        specs = {host_key(host): host for host in hosts.hosts if not host.down}
        candidates = [Candidate(key, host.limit) for key, host in specs.items()]
        if hosts.randomize:
            self.rng.shuffle(candidates)
        prepared = _Prepared(hosts, specs, tuple(candidates))
        self._prepared[id(hosts)] = prepared
        return prepared

    async def _wait(self, ticket: int) -> HostKey | None:
        future: asyncio.Future[HostKey | None] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        self._set_timer()
        try:
            return await future
        except asyncio.CancelledError:
            self.placement.cancel(ticket)
            if future.done() and not future.cancelled():
                key = future.result()
                if key is not None:
                    self._deliver(self.placement.release(key, self._now()))
            raise
        finally:
            self._waiting.pop(ticket, None)

    def _deliver(self, answers: "Sequence[Placed[HostKey] | Nowhere]") -> None:
        for answer in answers:
            self._waiting[answer.ticket].set_result(_host_of(answer))
        if answers or self._waiting:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.placement.next_deadline(self._now())
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._deliver(self.placement.tick(self._now()))
        self._set_timer()

    async def _ask(self, key: HostKey, host: HostSpec, timeouts: HostTimeouts) -> None:
        try:
            welcome = await self.backend.greet(host, timeouts)
            self._known[key] = _Known(welcome, self._now() + WELCOME_SECONDS)
        except HostError as error:
            log.info("host %s: %s", host.text, error)
            self._known[key] = _Known(None, self._now() + UNREACHABLE_SECONDS, is_reached=False)
        finally:
            del self._asking[key]


def _host_of(answer: "Placed[HostKey] | Nowhere") -> HostKey | None:
    return answer.host if isinstance(answer, Placed) else None
