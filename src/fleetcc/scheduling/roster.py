"""All hosts that one client knows: their groups, who may do what, and why nobody may. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from fleetcc.model import Form
from fleetcc.scheduling.backoff import Backoffs
from fleetcc.scheduling.fleet import (
    Connect,
    HostState,
    HostType,
    Instruction,
    Needs,
    Place,
    Prospect,
    Why,
    can_do,
)
from fleetcc.scheduling.state import Host, Job, LineKey

# RFC 2782: a weight of 0 beside others gets a very small chance.
_NO_WEIGHT: Final = 0.01


class Dice(Protocol):
    """A `random.Random`."""

    def expovariate(self, lambd: float) -> float:
        """Exponentially distributed."""


@dataclass(frozen=True, slots=True)
class Able:
    """Hosts for jobs of one kind, in the order of their group."""

    hosts: tuple[Host, ...]  # they may do such jobs now, or may turn out to once they are connected
    ready: dict[Host, None]  # of these: connected, and known to be able
    away: tuple[Host, ...]  # of these: the others

    @property
    def fastest(self) -> float:
        """The highest speed among those that are ready."""
        return max((host.speed for host in self.ready), default=1.0)


class Roster:
    """Hosts and groups. What it says of them is kept until they change."""

    def __init__(self, rng: Dice) -> None:
        self.backoffs = Backoffs()
        self.version = 0  # another number whenever anything may have changed
        self._rng = rng
        self._hosts: dict[str, Host] = {}
        self._groups: dict[str, tuple[Place, ...]] = {}
        self._able: dict[LineKey, Able] = {}
        self._able_until = inf

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts.values())

    def get(self, name: str) -> Host | None:
        """The host of this name."""
        return self._hosts.get(name)

    def changed(self) -> None:
        """Look again who is able."""
        self.version += 1
        self._able.clear()
        self._able_until = inf

    def set_group(self, group: str, places: Iterable[Place]) -> list[Host]:
        """These are the group's hosts from now on; returns those that are new."""
        self._groups[group] = self._in_order(list(places))
        new = []
        for place in self._groups[group]:
            if place.host not in self._hosts:
                self._hosts[place.host] = Host(place.host)
                new.append(self._hosts[place.host])
        self.changed()
        return new

    def drop_group(self, group: str) -> None:
        """Nobody names this group any more."""
        self._groups.pop(group, None)
        self.changed()

    def unnamed(self) -> list[str]:
        """Hosts of no group without jobs: they are forgotten."""
        named = {place.host for places in self._groups.values() for place in places}
        gone = [host.id for host in self._hosts.values() if host.id not in named and not host.runs]
        for name in gone:
            del self._hosts[name]
        if gone:
            self.changed()
        return gone

    def able(self, key: LineKey, now: float) -> Able:
        """The hosts that may do this line's jobs."""
        if now >= self._able_until:
            self.changed()
        found = self._able.get(key)
        if found is None:
            hosts = tuple(self._find_able(key, now))
            up = (host for host in hosts if host.state is HostState.UP and can_do(host.facts, key[1]))
            ready = dict.fromkeys(up)
            away = tuple(host for host in hosts if host not in ready)
            found = self._able[key] = Able(hosts, ready, away)
        return found

    def prospect(self, key: LineKey, now: float) -> tuple[Prospect | Why, list[Instruction]]:
        """What a job of this line could expect."""
        able = self.able(key, now)
        if not able.hosts:
            return self.why_nobody(key, now), []
        return Prospect.READY if able.ready else Prospect.WAIT, self.connects(able.away)

    def may_rescue(self, host: Host, job: Job, now: float) -> bool:
        """Whether the job could go there as well."""
        return host in self.able(job.line_key, now).ready

    def connects(self, hosts: Iterable[Host]) -> list[Instruction]:
        """Connect those that are not."""
        instructions: list[Instruction] = []
        for host in hosts:
            if host.state is HostState.DOWN:
                host.state = HostState.CONNECTING
                instructions.append(Connect(host.id))
        return instructions

    def why_nobody(self, key: LineKey, now: float) -> Why:
        """Why no host may do this line's jobs."""
        group, needs, avoid = key
        places = self._groups.get(group, ())
        if not places:
            return Why.NO_HOSTS
        if avoid:
            return Why.FAILED
        reached = [
            host
            for place in places
            if (host := self._hosts[place.host]).state is HostState.UP
            and self.backoffs.until(host.id, needs.name, now) is None
        ]
        if not reached:
            return Why.ALL_FAILING
        if not needs.forms:
            return Why.NO_SANDBOX
        if Form.EXPANDED not in needs.forms and all(host.facts.type is HostType.STOCK for host in reached):
            return Why.NO_FORM
        return Why.NO_SAME_COMPILER

    def _in_order(self, places: list[Place]) -> tuple[Place, ...]:
        weighted = {place.tier for place in places if place.weight}

        def turn(place: Place) -> tuple[int, float]:
            # RFC 2782: the chance to come first in a tier is in proportion to the weight.
            if place.tier not in weighted:
                return place.tier, 0.0
            return place.tier, self._rng.expovariate(1.0) / (place.weight or _NO_WEIGHT)

        return tuple(sorted(places, key=turn))

    def _find_able(self, key: LineKey, now: float) -> Iterator[Host]:
        group, needs, avoid = key
        tier: int | None = None
        for place in self._groups.get(group, ()):
            if tier is not None and place.tier > tier:
                return
            host = self._hosts[place.host]
            if place.host in avoid or not self._may_take(host, needs, now):
                continue
            yield host
            # A host that is only being connected does not close the way to the next tier's.
            if host.state is HostState.UP:
                tier = place.tier

    def _may_take(self, host: Host, needs: Needs, now: float) -> bool:
        """Whether the host could do such jobs: now, or once it is connected."""
        pause = self.backoffs.until(host.id, needs.name, now)
        if pause is not None:
            self._able_until = min(self._able_until, pause)
            return False
        if host.state is HostState.UP:
            return can_do(host.facts, needs) or host.facts.is_looking
        return host.state is not HostState.DRAINING
