"""What the entries of a host list stand for, by what is known of the names in them. Pure.

A literal address, an ssh entry and localhost stand for themselves. A name stands for all its addresses: those
that DNS has (A, then AAAA), else those that the system's resolver has. A service stands for the addresses of
the targets of its SRV records, with the options of its TXT records.
"""

import functools
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from fleetcc.hosts.grammar import HostKind, HostList, HostSpec
from fleetcc.hosts.names import is_address, is_service
from fleetcc.hosts.service_options import read_service_options, with_options
from fleetcc.hosts.standing import Question, RecordKind, Standing

# Of one entry. A reply by TCP has room for thousands; nobody has so many compile servers under one name.
MAX_ADDRESSES: Final = 256
ZEROCONF: Final = "+zeroconf"

_MOST_TROUBLES: Final = 4
_DNS_KINDS: Final = (RecordKind.A, RecordKind.AAAA)

Known: TypeAlias = Callable[[Question], Standing]
Address: TypeAlias = tuple[str, RecordKind]


@dataclass(frozen=True, slots=True)
class Member:
    """One host that an entry stands for now."""

    host: HostSpec  # TCP: `name` is a literal address; ssh and localhost: as listed
    origin: str  # for people: "FLEETCC_HOSTS", "build.example.com (A)", "mDNS fleetcc@red"
    priority: int = 0  # RFC 2782: lower is used first; 0 for everything that is not SRV
    weight: int = 0  # RFC 2782


@dataclass(frozen=True, slots=True)
class Nearby:
    """What the local network announces."""

    members: tuple[Member, ...] = ()
    trouble: str | None = None
    is_browsed: bool = False  # it was given the time to answer


@dataclass(frozen=True, slots=True)
class Expansion:
    """A host list, as far as its names are known."""

    members: tuple[Member, ...]
    troubles: Mapping[str, str]  # entry as written -> sentence
    wanted: tuple[Question, ...]  # what must be asked, now or when its TTL ends
    is_settled: bool  # every entry has been looked up, or has members already


def expand(host_list: HostList, origin: str, known: Known, nearby: Nearby) -> Expansion:
    """Find whom the list stands for."""
    growing = _Growing(origin, known)
    for host in host_list.hosts:
        if host.kind is not HostKind.TCP or is_address(host.name):
            growing.add(Member(host, origin))
        elif is_service(host.name):
            growing.add_service(host)
        else:
            growing.add_name(host)
    if host_list.zeroconf:
        growing.add_nearby(nearby)
    return Expansion(
        tuple(growing.members.values()), growing.troubles, tuple(growing.wanted), growing.is_settled
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The addresses of one name."""

    addresses: Sequence[Address]
    troubles: Sequence[str]
    is_settled: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    name: str  # absolute: it ends with a dot

    @property
    def shown(self) -> str:
        return self.name.removesuffix(".") or "."


@dataclass(slots=True)
class _Growing:
    """An Expansion in the making."""

    origin: str
    known: Known
    members: dict[tuple[object, ...], Member] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    wanted: dict[Question, None] = field(default_factory=dict)
    is_settled: bool = True

    def add(self, member: Member) -> None:
        host = member.host
        self.members.setdefault((host.kind, host.name, host.port, host.user, host.command), member)

    def add_name(self, host: HostSpec) -> None:
        if host.down:  # nobody will ask for its address
            self.add(Member(host, self.origin))
            return
        found = self._look_up(host.name.lower())
        self.is_settled &= found.is_settled
        for address, kind in found.addresses[:MAX_ADDRESSES]:
            self.add(Member(replace(host, name=address), f"{host.name} ({kind.value})"))
        if found.is_settled:
            remedy = [] if found.addresses else ["correct the name, or add it to DNS or /etc/hosts"]
            self._report(host.text, [*_too_many(len(found.addresses)), *found.troubles, *remedy])

    def add_service(self, host: HostSpec) -> None:
        name = host.name.lower()
        services = self._ask(Question(name, RecordKind.SRV))
        texts = self._ask(Question(name, RecordKind.TXT))
        targets = sorted(_targets(services.values), key=lambda target: target.priority)
        asked = [target for target in targets if target.shown != "."][:MAX_ADDRESSES]
        found = [(target, self._look_up(target.name.lower())) for target in asked]
        if not services.is_asked or not texts.is_asked:
            self.is_settled = False
            return  # a host that TXT says is down must not get a job in the meantime
        options = read_service_options(texts.values)
        count = self._add_targets(with_options(host, options), found)
        self.is_settled &= all(of_target.is_settled for _, of_target in found)
        troubles = [
            *_too_many(max(count, len(targets))),
            *_service_troubles(services, targets),
            *options.troubles,
        ]
        for target, of_target in found:
            if of_target.is_settled:
                troubles += [f"{target.shown}: {trouble}" for trouble in of_target.troubles]
        self._report(host.text, troubles)

    def add_nearby(self, nearby: Nearby) -> None:
        self.is_settled &= nearby.is_browsed
        for member in nearby.members:
            self.add(member)
        if nearby.trouble is not None:
            self.troubles[ZEROCONF] = nearby.trouble

    def _add_targets(self, host: HostSpec, found: Iterable[tuple[_Target, _Found]]) -> int:
        """Add all of them up to the limit; returns how many there are."""
        count = 0
        for target, of_target in found:
            origin = f"{host.name} (SRV {target.priority} {target.weight} {target.shown})"
            for address, _ in of_target.addresses:
                count += 1
                if count <= MAX_ADDRESSES:
                    reached = replace(host, name=address, port=target.port)
                    self.add(Member(reached, origin, target.priority, target.weight))
        return count

    def _look_up(self, name: str) -> _Found:
        asked = [] if _is_loopback(name) else [Question(name, kind) for kind in _DNS_KINDS]
        standings = [(question.kind, self._ask(question)) for question in asked]
        found = _addresses(standings)
        if all(not standing.values or standing.is_doubted for _, standing in standings):
            # Also while DNS is in doubt: a name that moves to /etc/hosts is never without addresses.
            system = (RecordKind.SYSTEM, self._ask(Question(name, RecordKind.SYSTEM)))
            if not found and system[1].values:
                standings = [system]  # that DNS does not know what /etc/hosts knows is nothing wrong
            elif not found:
                standings.append(system)
            found = found or _addresses([system])
        usable = [address for address in found if _is_usable(address[0])]
        useless = [
            f"{kind.value}: {value} is no address that can be connected to"
            for value, kind in found
            if not _is_usable(value)
        ]
        is_settled = bool(usable) or all(standing.is_asked for _, standing in standings)
        return _Found(usable, [*useless, *_troubles(standings, has_any=bool(usable))], is_settled)

    def _ask(self, question: Question) -> Standing:
        self.wanted[question] = None
        return self.known(question)

    def _report(self, text: str, troubles: list[str]) -> None:
        if troubles:
            more = len(troubles) - _MOST_TROUBLES
            tail = [f"and {more} more"] if more > 0 else []
            self.troubles[text] = "; ".join([*troubles[:_MOST_TROUBLES], *tail])


def _addresses(standings: Iterable[tuple[RecordKind, Standing]]) -> list[Address]:
    return [(value, kind) for kind, standing in standings for value in standing.values]


def _troubles(standings: Iterable[tuple[RecordKind, Standing]], *, has_any: bool) -> list[str]:
    """What went wrong; that there is no AAAA record is nothing wrong where there is an A record."""
    found = []
    for kind, standing in standings:
        if standing.trouble is None:
            continue
        if standing.values:
            found.append(f"{kind.value}: {standing.trouble}; the last answer is kept and asked for again")
        elif standing.failures or not has_any:
            found.append(f"{kind.value}: {standing.trouble}")
    return found


def _service_troubles(services: Standing, targets: Sequence[_Target]) -> list[str]:
    if any(target.shown == "." for target in targets):
        return ["DNS says that this service is not offered here (the target of its SRV record is '.')"]
    if services.trouble is None:
        return []
    if services.values:
        return [f"SRV: {services.trouble}; the last answer is kept and asked for again"]
    return [f"SRV: {services.trouble}; correct the name, or add SRV records to DNS"]


def _targets(values: Iterable[str]) -> Iterable[_Target]:
    for value in values:
        priority, weight, port, name = value.split(" ", 3)
        yield _Target(int(priority), int(weight), int(port), name)


def _too_many(count: int) -> list[str]:
    if count <= MAX_ADDRESSES:
        return []
    return [f"{count} addresses; the first {MAX_ADDRESSES} are used, split the rest off under other names"]


def _is_loopback(name: str) -> bool:
    """Names that RFC 6761 (6.3) keeps away from DNS."""
    bare = name.removesuffix(".")
    return bare == "localhost" or bare.endswith(".localhost")


@functools.lru_cache(maxsize=4096)
def _is_usable(text: str) -> bool:
    """Whether one can connect there; blocking name servers answer 0.0.0.0, which would be this machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_link_local and address.scope_id is None:
            return False
        address = address.ipv4_mapped or address
    return not (address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255")
