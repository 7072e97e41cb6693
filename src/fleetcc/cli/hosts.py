"""`fleetcc hosts`: each host that the list stands for, asked now; also --show-hosts and -j."""

import asyncio
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click
import msgspec

from fleetcc.agent.client import ask_agent
from fleetcc.agent.groups import host_id, timeouts_of
from fleetcc.backends.greeting import greet
from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener
from fleetcc.errors import FleetccError, HostError, HostListError
from fleetcc.hosts.grammar import HostKind, show_hosts, total_limit
from fleetcc.hosts.membership import Member, Membership
from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.settings import Settings, load_settings
from fleetcc.toolchain.identity_cache import IdentityCache
from fleetcc.wire.greeting import COMPILER_DIGITS, Welcome

Row = dict[str, object]

THIS_MACHINE: Final = "this machine"

# The compilers of this machine that hosts are compared with.
_DRIVERS: Final = ("gcc", "g++", "clang", "clang++")
_FROM_AGENT: Final = ("state", "speed", "running", "left_alone_seconds")


@click.command(name="hosts")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def command(*, as_json: bool) -> None:
    """Look up who the list stands for, ask each host what it is, and print that.

    What the agent knows of a host (its state, speed and our jobs there) is printed too, if one runs.
    Exit status 1 when there is no list or no host answers, 106 when the list cannot be read.
    """
    settings = load_settings(os.environb)
    found = find_host_list(settings)
    if found.host_list is None or not (found.host_list.hosts or found.host_list.zeroconf):
        where = "no host list" if found.host_list is None else f"{found.origin} names no host"
        click.echo(
            f"fleetcc: {where}: set FLEETCC_HOSTS, or write one of {', '.join(settings.host_files)}", err=True
        )
        raise SystemExit(1)
    asked = asyncio.run(asked_everybody(found, settings))
    _add_what_the_agent_knows(asked.rows, settings)
    _add_whose_compilers_are_ours(asked.rows, settings)
    if as_json:
        click.echo(msgspec.json.encode(asked.rows).decode())
    else:
        _print(found, asked.rows)
    for entry, trouble in asked.troubles.items():
        click.echo(f"fleetcc: {entry}: {trouble}", err=True)
    if not any(row["answers"] for row in asked.rows):
        raise SystemExit(1)


def print_list(option: str) -> int:
    """`--show-hosts` and `-j`, as distcc prints them; both succeed even without a list."""
    try:
        hosts = find_host_list(load_settings(os.environb)).host_list
    except HostListError as error:
        click.echo(f"fleetcc: {error}", err=True)
        hosts = None
    if option == "-j":
        click.echo(total_limit(hosts) if hosts is not None else 0)
    elif hosts is not None:
        for line in show_hosts(hosts, random.Random(os.getpid())):
            click.echo(line)
    return 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A row for each host, and a sentence for each entry that is in trouble."""

    rows: list[Row]
    troubles: Mapping[str, str]


async def asked_everybody(found: FoundHosts, settings: Settings) -> Asked:
    """Look up whom the list stands for, and ask each host what it is."""
    assert found.host_list is not None
    membership = Membership(found.host_list, found.origin, Resolver(settings.dns), lambda: None)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(membership.run())
        await membership.ready()
        rows = await _ask_all(membership.members, timeouts_of(settings))
        following.cancel()
    return Asked(rows, membership.troubles)


async def _ask_all(members: tuple[Member, ...], timeouts: HostTimeouts) -> list[Row]:
    opener = Opener()
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_ask(opener, member, timeouts)) for member in members]
    return [task.result() for task in asked]


async def _ask(opener: Opener, member: Member, timeouts: HostTimeouts) -> Row:
    host = member.host
    row: Row = {
        "host": host.text,
        "id": host_id(host),
        "origin": member.origin,
        "limit": host.limit,
        "protocol": min(host.protocol, 2),
    }
    if host.kind is HostKind.LOCAL:
        return {**row, "answers": True, "server": THIS_MACHINE}
    if host.down:
        return {**row, "answers": False, "trouble": "marked ,down in the list"}
    try:
        welcome = await greet(opener, host, timeouts)
    except HostError as error:
        return {**row, "answers": False, "trouble": str(error)}
    return {**row, "answers": True, **_told(welcome)}


def _told(welcome: Welcome | None) -> Row:
    if welcome is None:
        return {"server": "distccd (or refuses this address: a stock server does not tell)"}
    return {
        "server": welcome.server,
        "slots": welcome.slots,
        "capacity": welcome.capacity,
        "running": welcome.running,
        "waiting": welcome.waiting,
        "forms": [form.value for form in welcome.forms],
        "compilers": list(welcome.compilers),
        "files": welcome.no_files == "",
        "no_files": welcome.no_files or "",
    }


def _add_whose_compilers_are_ours(rows: list[Row], settings: Settings) -> None:
    """Which of this machine's compilers each host has too; found out once, then remembered."""
    if not any(row.get("compilers") for row in rows):
        return
    cache = IdentityCache(os.path.join(settings.state_dir, "identities"))
    ours: dict[str, str] = {}
    for name in _DRIVERS:
        program = shutil.which(name)
        identity = cache.find(os.fsencode(program), os.environb) if program is not None else None
        if identity is not None:
            ours[name] = identity.digest[:COMPILER_DIGITS]
    for row in rows:
        theirs = row.get("compilers")
        if isinstance(theirs, list):
            row["same_compilers"] = [name for name, digest in ours.items() if digest in theirs]
            row["other_compilers"] = [name for name, digest in ours.items() if digest not in theirs]


def _add_what_the_agent_knows(rows: list[Row], settings: Settings) -> None:
    """State, speed and our jobs, out of the agent's own picture."""
    try:
        status = ask_agent(settings.agent_dir, "status")
    except FleetccError:  # no agent is no trouble here
        status = None
    hosts = status.get("hosts") if status is not None else None
    if not isinstance(hosts, list):
        return
    known = {row["id"]: row for row in hosts}
    for row in rows:
        agents = known.get(row["id"])
        if agents is not None:
            row["agent"] = {name: agents[name] for name in _FROM_AGENT}


def _print(found: FoundHosts, rows: list[Row]) -> None:
    click.echo(f"{len(rows)} hosts from {found.origin}")
    names = [_name(row) for row in rows]
    width = max(map(len, names), default=0)
    for name, row in zip(names, rows, strict=True):
        sign = "ok  " if row["answers"] else "FAIL"
        click.echo(f"  {sign} {name:<{width}}  {_sentence(row)}")


def _name(row: Row) -> str:
    """The address, and where it came from unless the list says it itself."""
    origin = str(row["origin"])
    return f"{row['id']}" + (f"  {origin}" if "(" in origin or "mDNS" in origin else "")


def _sentence(row: Row) -> str:
    if "trouble" in row:
        return str(row["trouble"])
    parts = [str(row["server"])]
    if "slots" in row:
        capacity = "" if row["capacity"] == row["slots"] else f", capacity now {row['capacity']}"
        parts.append(f"{row['running']} of {row['slots']} slots run, {row['waiting']} wait{capacity}")
    else:
        parts.append(f"limit {row['limit']}")
    parts += _compiler_words(row)
    if row.get("files"):
        parts.append("takes files")
    elif row.get("no_files"):
        parts.append(f"takes no files: {row['no_files']}")
    agent = row.get("agent")
    if isinstance(agent, dict):
        alone = f", left alone for {agent['left_alone_seconds']:.0f} s" if agent["left_alone_seconds"] else ""
        parts.append(f"{agent['state']}{alone}, speed {agent['speed']:g}, {agent['running']} of our jobs")
    return "; ".join(parts)


def _compiler_words(row: Row) -> list[str]:
    same, other = row.get("same_compilers"), row.get("other_compilers")
    words = []
    if isinstance(same, list) and same:
        words.append(f"has our {' '.join(same)}")
    if isinstance(other, list) and other:
        words.append(f"not our {' '.join(other)}")
    return words
