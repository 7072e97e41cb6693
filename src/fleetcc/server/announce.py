"""Tells the local network by mDNS that here is a compile server: as distccd does, and under our own name.

distcc clients browse the subtype of their compiler, MACHINE--VERSION. python-zeroconf gives an instance one
type, so each compiler is an instance of its own there; who browses _distcc._tcp sees the first only.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from fleetcc.errors import UsageError
from fleetcc.hosts.announcements import DISTCC_TYPE, FLEETCC_TYPE, ZEROCONF_MISSING

# RFC 1035: an instance's name is one label.
_MAX_LABEL: Final = 63
_NOT_IN_SUBTYPES: Final = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class AnnouncedCompiler:
    """What `cc -dumpmachine` and `cc -dumpversion` say."""

    machine: str
    version: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What is announced."""

    port: int
    slots: int
    version: str
    compilers: Sequence[AnnouncedCompiler] = ()  # `cc` first
    addresses: Sequence[str] = ()  # literal ones, those listened on; none, :: and 0.0.0.0 are all


@dataclass(frozen=True, slots=True)
class Instance:
    """One service, as mDNS has it."""

    service_type: str
    name: str
    properties: dict[str, str]


@contextlib.asynccontextmanager
async def announced(offer: Offer, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Announce the offer as long as this lasts, then say goodbye; `say` gets the sentences for the log.

    Raises UsageError when the zeroconf package is not installed. A network that cannot be used is only told
    of, and tried again.
    """
    try:
        from fleetcc.hosts import mdns  # noqa: F401, PLC0415 - optional, and takes 100 ms
    except ImportError as error:
        raise UsageError(f"--zeroconf: {ZEROCONF_MISSING}, or leave --zeroconf out") from error
    group = asyncio.TaskGroup()
    await group.__aenter__()
    task = group.create_task(_keep_announcing(offer, say))
    try:
        yield
    finally:
        task.cancel()
        # Without the body's exception, which would come out wrapped in a group.
        await group.__aexit__(None, None, None)


async def _keep_announcing(offer: Offer, say: Callable[[str], None]) -> None:
    from fleetcc.hosts import mdns  # noqa: PLC0415 - see above

    while True:
        try:
            await _announce_here(offer, say)
        except mdns.MdnsError as error:
            say(f"not announced: {error}; tried again every {mdns.RETRY_SECONDS:g} s")
            await asyncio.sleep(mdns.RETRY_SECONDS)


async def _announce_here(offer: Offer, say: Callable[[str], None]) -> None:
    """Announce until this machine's interfaces change."""
    from fleetcc.hosts import mdns  # noqa: PLC0415 - see above

    from_here = mdns.own_network()
    host = socket.gethostname().partition(".")[0]
    chosen = chosen_addresses(offer.addresses)
    addresses = chosen or from_here.announceable()
    async with mdns.opened(chosen) as zeroconf:
        sending = []
        for one in instances(offer, host, os.cpu_count() or 1):
            # Not HOST.local: that is avahi's, which renames the machine when another responder claims it.
            info = mdns.service_info(
                one.service_type, one.name, f"{host}-fleetcc.local.", offer.port, addresses, one.properties
            )
            sending.append(await zeroconf.async_register_service(info, allow_name_change=True))
        for sent in sending:
            await sent
        say(f"announced by mDNS as fleetcc@{host} and distcc@{host}, port {offer.port}")
        await mdns.until_moved(from_here)


def instances(offer: Offer, host: str, cpus: int) -> list[Instance]:
    """Everything that is announced for this offer."""
    sizes = {"txtvers": "1", "cpus": str(cpus), "jobs": str(offer.slots)}
    found = [
        Instance(FLEETCC_TYPE, _name(f"fleetcc@{host}", FLEETCC_TYPE), {**sizes, "fleetcc": offer.version}),
        Instance(DISTCC_TYPE, _name(f"distcc@{host}", DISTCC_TYPE), _distcc_properties(sizes, offer, 0)),
    ]
    for index, compiler in enumerate(offer.compilers):
        subtype = f"_{_plain(compiler.machine)}--{_plain(compiler.version)}._sub.{DISTCC_TYPE}"
        name = _name(f"distcc@{host} {compiler.machine} {compiler.version}", DISTCC_TYPE)
        found.append(Instance(subtype, name, _distcc_properties(sizes, offer, index)))
    return found


def _distcc_properties(sizes: dict[str, str], offer: Offer, index: int) -> dict[str, str]:
    properties = {**sizes, "distcc": offer.version}
    if index < len(offer.compilers):
        compiler = offer.compilers[index]
        properties["gnuhost"] = compiler.machine
        properties["cc_version"] = compiler.version
        properties["cc_machine"] = compiler.machine
    return properties


def _plain(text: str) -> str:
    return _NOT_IN_SUBTYPES.sub("-", text.lower())


def _name(label: str, service_type: str) -> str:
    # A dot would begin another label.
    plain = label.replace(".", "-").encode()[:_MAX_LABEL].decode(errors="ignore")
    return f"{plain}.{service_type}"


def chosen_addresses(addresses: Sequence[str]) -> list[str]:
    """The addresses to announce by themselves; none when everything is listened on."""
    if any(ip_address(address).is_unspecified for address in addresses):
        return []
    return [address.partition("%")[0] for address in addresses]
