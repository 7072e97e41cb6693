"""What is known of each host beside what the dispatcher needs: its entry, who named it, which server it is.

One server that is reached by two addresses of a list is one host of that list: it says so in its WELCOME.
"""

import math
from dataclasses import dataclass, field

from fleetcc.agent.groups import Group, host_id
from fleetcc.hosts.grammar import HostSpec
from fleetcc.monitor.events import Host
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import HostState, Place
from fleetcc.settings import printable


@dataclass(slots=True)
class Known:
    """What people may want to know of a host."""

    server: str = ""
    instance: str = ""
    trouble: str = ""
    same_as: str = ""


@dataclass(slots=True)
class KnownHosts:
    """All hosts that lists have named and that are not forgotten."""

    specs: dict[str, HostSpec] = field(default_factory=dict)
    named_by: dict[str, Group] = field(default_factory=dict)
    _known: dict[str, Known] = field(default_factory=dict)

    def of(self, host: str) -> Known:
        """What is known of this host."""
        return self._known.setdefault(host, Known())

    def forget(self, host: str) -> None:
        """No list names it any more."""
        self.specs.pop(host, None)
        self.named_by.pop(host, None)
        self._known.pop(host, None)

    def take_members(self, group: Group) -> None:
        """The members of this group have changed."""
        group.origins.clear()
        group.places.clear()
        for member in group.membership.members:
            if not member.host.down:
                name = host_id(member.host)
                self.specs[name], self.named_by[name] = member.host, group
                group.origins[name] = member.origin
                group.places[name] = Place(name, member.priority, member.weight)

    def places(self, group: Group) -> list[Place]:
        """The group's hosts, each server once however many addresses it has."""
        servers: dict[str, str] = {}
        chosen = []
        for name, place in group.places.items():
            known = self.of(name)
            first = servers.setdefault(known.instance, name) if known.instance else name
            known.same_as = first if first != name else ""
            if first == name:
                chosen.append(place)
        return chosen

    def set_instance(self, host: str, instance: str) -> bool:
        """Which server answers there; whether two addresses have turned out to be one, or no longer are."""
        known = self.of(host)
        before, known.instance = known.instance, instance
        if before == instance:
            return False
        others = {other.instance for name, other in self._known.items() if name != host}
        return bool(others & ({before, instance} - {""}))

    def troubles(self, group: Group) -> str:
        """What is wrong with the hosts of a group, in one line."""
        found = [self._known[host].trouble for host in group.origins if host in self._known]
        found += [f"{entry}: {sentence}" for entry, sentence in group.membership.troubles.items()]
        return "; ".join(filter(None, found))

    def event(self, host: str, dispatcher: Dispatcher, now: float) -> Host:
        """One host for those who watch; the event's time is for the caller to set."""
        spec = self.specs.get(host)
        if spec is None:
            return Host(host=host, time=0.0, state="gone")
        known = self.of(host)
        facts = dispatcher.facts_of(host) if known.server else None  # else it was never connected
        state = dispatcher.state_of(host)
        why = known.trouble if state is not HostState.UP else ""
        if known.same_as:  # its slots are that host's
            state, why = HostState.DOWN, f"is the same server as {known.same_as}"
        until = dispatcher.backoffs.until(host, None, now)
        return Host(
            host=host, time=0.0, state=state.value, server=known.server,
            slots=facts.slots if facts is not None else spec.limit,
            speed=round(dispatcher.history.speed(host), 2),
            takes_files=facts is not None and facts.takes_files, why=printable(why),
            pause=0.0 if until is None else round(until - now, 1),
        )  # fmt: skip

    def row(self, host: str, dispatcher: Dispatcher, now: float) -> dict[str, object]:
        """One host for `fleetcc status` and `fleetcc hosts`."""
        spec, known, facts = self.specs[host], self.of(host), dispatcher.facts_of(host)
        until = dispatcher.backoffs.until(host, None, now)
        return {
            "id": host,
            "host": spec.text,
            "origin": self.named_by[host].origins.get(host, "left the list"),
            "state": "same as " + known.same_as if known.same_as else dispatcher.state_of(host).value,
            "running": dispatcher.running_on(host),
            "limit": facts.slots if facts is not None else spec.limit,
            "speed": round(dispatcher.history.speed(host), 2),
            "left_alone_seconds": 0.0 if until is None else math.ceil(10 * (until - now)) / 10,
            "server": known.server,
            "trouble": known.trouble,
        }
