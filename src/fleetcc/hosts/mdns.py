"""Multicast DNS through python-zeroconf: what browsing and announcing have in common.

Import it late: it takes 100 ms, and the package is optional.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import psutil
from zeroconf import Error, InterfaceChoice, IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from fleetcc.errors import UsageError
from fleetcc.hosts.announcements import Interface, OwnNetwork

# Sockets are bound to interfaces, and interfaces come and go with cables, lids and tunnels.
INTERFACE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 30.0
# Who dies without a goodbye has its addresses forgotten after 120 s, but its name after 75 min only.
_CHECK_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0


class MdnsError(UsageError):
    """The network cannot be used for multicast now."""


def own_network() -> OwnNetwork:
    """The interfaces as they are now."""
    found = [
        _interface(one.address, one.netmask)
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family in (socket.AF_INET, socket.AF_INET6)
    ]
    return OwnNetwork(tuple(sorted(found, key=str)))


def _interface(address: str, netmask: str | None) -> Interface:
    # psutil gives an IPv6 netmask as an address, which ipaddress takes for IPv4 only.
    bits = "" if netmask is None else f"/{int(ipaddress.ip_address(netmask)).bit_count()}"
    return ipaddress.ip_interface(address + bits)


@contextlib.asynccontextmanager
async def opened(addresses: Sequence[str] = ()) -> AsyncIterator[AsyncZeroconf]:
    """A responder on the interfaces of these addresses, else on all; says goodbye for what it announced."""
    try:
        if addresses:
            zeroconf = AsyncZeroconf(interfaces=list(addresses))
        else:
            zeroconf = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
    except (Error, OSError, RuntimeError) as error:  # RuntimeError: there is no interface
        raise MdnsError(f"mDNS cannot be used here: {error}") from error
    try:
        yield zeroconf
    except (Error, OSError) as error:
        raise MdnsError(f"mDNS failed: {error or type(error).__name__}") from error
    finally:
        with contextlib.suppress(TimeoutError, Error, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await zeroconf.async_close()


async def until_moved(from_here: OwnNetwork, check: Callable[[], None] | None = None) -> None:
    """Wait until this machine's interfaces change; call `check` now and then."""
    checked = 0.0
    while own_network() == from_here:
        await asyncio.sleep(INTERFACE_SECONDS)
        checked += INTERFACE_SECONDS
        if check is not None and checked >= _CHECK_SECONDS:
            checked = 0.0
            check()


def service_info(
    service_type: str, name: str, server: str, port: int, addresses: Sequence[str], properties: dict[str, str]
) -> ServiceInfo:
    """The records of one instance of a service."""
    return ServiceInfo(
        service_type, name, port, properties=properties, server=server, parsed_addresses=list(addresses)
    )
