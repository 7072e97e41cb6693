"""Who may connect: a list of networks. Addresses that are IPv4 in IPv6 clothes are compared as IPv4."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.errors import UsageError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
PRIVATE: Final = (*LOOPBACK, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "fc00::/7")


def peer_address(text: str) -> Address:
    """The address of a peer as the socket layer writes it, without scope and without IPv6 clothes."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@dataclass(frozen=True, slots=True)
class AccessList:
    """Any match admits; everybody else is refused."""

    networks: tuple[Network, ...]

    def admits(self, address: Address) -> bool:
        """Whether this peer may connect."""
        return any(address in network for network in self.networks if network.version == address.version)


def parse_access_list(entries: Sequence[str], *, private: bool) -> AccessList:
    """Addresses, networks and host names (looked up now, once); nothing named admits loopback only."""
    networks = [network for entry in entries for network in _parse_entry(entry)]
    if private:
        networks += [ipaddress.ip_network(text) for text in PRIVATE]
    if not networks:
        networks = [ipaddress.ip_network(text) for text in LOOPBACK]
    return AccessList(tuple(networks))


def _parse_entry(entry: str) -> list[Network]:
    name, slash, bits = entry.partition("/")
    try:
        address = peer_address(name)
    except ValueError:
        if slash or _looks_numeric(name):
            raise UsageError(f"--allow {entry}: expected an address, ADDRESS/BITS or a host name") from None
        return _look_up(entry)
    try:
        # Host bits after the mask are ignored, as in distccd.
        return [ipaddress.ip_network(f"{address}/{bits}" if slash else str(address), strict=False)]
    except ValueError as error:
        raise UsageError(f"--allow {entry}: {error}") from error


def _looks_numeric(name: str) -> bool:
    return not name or ":" in name or name.replace(".", "").isdigit()


def _look_up(name: str) -> list[Network]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--allow {name}: cannot be looked up: {error}") from error
    addresses = {peer_address(str(info[4][0])) for info in found}
    return [ipaddress.ip_network(str(address)) for address in sorted(addresses, key=str)]
