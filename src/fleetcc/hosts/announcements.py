"""What machines announce by mDNS, and which hosts that makes. Pure, and without python-zeroconf.

An announcement is one machine, so it gives one host, whatever number of addresses the machine has.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.hosts.grammar import MAX_LIMIT, REMOTE_LIMIT, HostKind, HostSpec
from fleetcc.hosts.members import MAX_ADDRESSES, Member, Nearby

FLEETCC_TYPE: Final = "_fleetcc._tcp.local."
DISTCC_TYPE: Final = "_distcc._tcp.local."

ZEROCONF_MISSING: Final = "the package zeroconf is not installed; run pip install 'fleetcc[zeroconf]'"

_NOBODY: Final = (
    "nobody on the local network announces a compile server; "
    "start fleetccd --zeroconf there, or list hosts by name"
)

Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class Announcement:
    """One instance of a service."""

    instance: str
    is_ours: bool
    addresses: tuple[str, ...]
    port: int
    jobs: int


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """This machine's addresses when it was asked, each with the network that it is in."""

    interfaces: tuple[Interface, ...]

    def has(self, address: str) -> bool:
        """Whether this is one of this machine's own addresses."""
        found = ipaddress.ip_address(address)
        return any(interface.ip == found for interface in self.interfaces)

    def reaches(self, address: str) -> bool:
        """Whether the address is another machine's in a network of this one."""
        found = ipaddress.ip_address(address)
        return not self.has(address) and any(found in interface.network for interface in self.interfaces)

    def announceable(self) -> list[str]:
        """The addresses by which others may reach this machine; loopback when there are no others."""
        addresses = [interface.ip for interface in self.interfaces]
        outside = [address for address in addresses if not address.is_loopback]
        return [str(address).partition("%")[0] for address in outside or addresses]


def announced_jobs(properties: Mapping[bytes, bytes | None]) -> int:
    """How many jobs a server takes: `jobs`, by distcc's rules."""
    if b"jobs" not in properties:
        return REMOTE_LIMIT
    return _number(properties[b"jobs"]) or min((_number(properties.get(b"cpus")) or 1) + 2, MAX_LIMIT)


def _number(value: bytes | None) -> int | None:
    number = int(value) if value is not None and value.isdigit() and len(value) < 9 else 0
    return number if 1 <= number <= MAX_LIMIT else None


def nearby(found: Sequence[Announcement], network: OwnNetwork, *, is_browsed: bool) -> Nearby:
    """The hosts of these announcements; one that is announced both ways is one host."""
    members: dict[tuple[str, int], Member] = {}
    for one in sorted(found, key=lambda one: (not one.is_ours, one.instance)):
        address = reachable_address(one.addresses, network)
        if address is not None and one.port:
            members.setdefault((address, one.port), _member(one, address))
    trouble = None
    if len(members) > MAX_ADDRESSES:
        trouble = f"{len(members)} hosts announce themselves; the first {MAX_ADDRESSES} are used"
    elif not members and is_browsed:
        trouble = _NOBODY
    return Nearby(tuple(members.values())[:MAX_ADDRESSES], trouble, is_browsed)


def _member(one: Announcement, address: str) -> Member:
    shown = f"[{address}]" if ":" in address else address
    text = f"{shown}:{one.port}/{one.jobs}"
    host = HostSpec(HostKind.TCP, address, one.port, one.jobs, None, None, 1, down=False, text=text)
    return Member(host, f"mDNS {one.instance}")


def reachable_address(addresses: Sequence[str], network: OwnNetwork) -> str | None:
    """The best of a machine's addresses.

    In a network that is shared before others: the bridges of containers have the same addresses everywhere.
    """
    return min(addresses, key=lambda address: _distance(address, network), default=None)


def _distance(address: str, network: OwnNetwork) -> tuple[bool, bool, bool]:
    is_link_local = ipaddress.ip_address(address).is_link_local  # works with its zone only, which logs lose
    return is_link_local, not network.reaches(address), ":" in address
