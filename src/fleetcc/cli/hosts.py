"""`fleetcc hosts`: each host of the list, asked now; also --show-hosts and -j."""

import asyncio
import os
import random

import click
import msgspec

from fleetcc.backends.distcc import DistccBackend, HostTimeouts
from fleetcc.errors import HostError, HostListError
from fleetcc.hosts.grammar import HostKind, HostSpec, show_hosts, total_limit
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.settings import Settings, load_settings
from fleetcc.wire.greeting import Welcome


def timeouts_of(settings: Settings) -> HostTimeouts:
    """The part of the settings that a conversation needs."""
    return HostTimeouts(settings.connect_timeout_seconds, settings.io_timeout_seconds, settings.ssh)


@click.command(name="hosts")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def command(*, as_json: bool) -> None:
    """Ask each host of the list what it is, and print that.

    Exit status 1 when there is no list or no host answers, 106 when the list cannot be read.
    """
    settings = load_settings(os.environb)
    found = find_host_list(settings)
    if found.host_list is None or not found.host_list.hosts:
        where = "no host list" if found.host_list is None else f"{found.origin} names no host"
        click.echo(
            f"fleetcc: {where}: set FLEETCC_HOSTS, or write one of {', '.join(settings.host_files)}", err=True
        )
        raise SystemExit(1)
    if found.host_list.zeroconf:
        click.echo("fleetcc: +zeroconf is not served by this release; the other entries are", err=True)
    rows = asyncio.run(_ask_all(found.host_list.hosts, timeouts_of(settings)))
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
    else:
        _print(found, rows)
    if not any(row["answers"] for row in rows):
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


async def _ask_all(hosts: tuple[HostSpec, ...], timeouts: HostTimeouts) -> list[dict[str, object]]:
    backend = DistccBackend()
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_ask(backend, host, timeouts)) for host in hosts]
    return [task.result() for task in asked]


async def _ask(backend: DistccBackend, host: HostSpec, timeouts: HostTimeouts) -> dict[str, object]:
    row: dict[str, object] = {"host": host.text, "limit": host.limit, "protocol": min(host.protocol, 2)}
    if host.kind is HostKind.LOCAL:
        return {**row, "answers": True, "server": "this machine"}
    if host.down:
        return {**row, "answers": False, "trouble": "marked ,down in the list"}
    try:
        welcome = await backend.greet(host, timeouts)
    except HostError as error:
        return {**row, "answers": False, "trouble": str(error)}
    return {**row, "answers": True, **_told(welcome)}


def _told(welcome: Welcome | None) -> dict[str, object]:
    if welcome is None:
        return {"server": "distccd (or refuses this address: a stock server does not tell)"}
    return {
        "server": welcome.server,
        "slots": welcome.slots,
        "capacity": welcome.capacity,
        "running": welcome.running,
        "waiting": welcome.waiting,
        "forms": [form.value for form in welcome.forms],
    }


def _print(found: FoundHosts, rows: list[dict[str, object]]) -> None:
    click.echo(f"{len(rows)} hosts from {found.origin}")
    width = max(len(str(row["host"])) for row in rows)
    for row in rows:
        text = row.get("trouble") or row["server"]
        if "slots" in row:
            text = f"{text}: {row['running']} of {row['slots']} slots run, {row['waiting']} wait" + (
                "" if row["capacity"] == row["slots"] else f", capacity now {row['capacity']}"
            )
        sign = "ok  " if row["answers"] else "FAIL"
        click.echo(f"  {sign} {row['host']!s:<{width}}  limit {row['limit']:<3} {text}")
