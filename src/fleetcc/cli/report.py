"""`fleetcc report`: one HTML page about a build."""

import os
import webbrowser
from pathlib import Path

import click

from fleetcc import __version__
from fleetcc.agent.client import ask_agent
from fleetcc.agent.history_file import load_history
from fleetcc.cli.past import jobs_of_build, past_jobs
from fleetcc.cli.trace import write_result
from fleetcc.errors import FleetccError
from fleetcc.monitor.report.measures import HostFacts
from fleetcc.monitor.report.page import report_page
from fleetcc.settings import Settings, load_settings, printable


@click.command(name="report")
@click.option("-o", "output", metavar="FILE", default="report.html", show_default=True, help="Where it goes.")
@click.option("--build", metavar="ID", help="Which build, by the beginning of its name; else the last one.")
@click.option("--open", "show", is_flag=True, help="Show it in a browser.")
def command(*, output: str, build: str | None, show: bool) -> None:
    """Write a page that says what held a build up: this machine, the network, a few long units, or the slots.

    It also has the timeline, the longest units, what ran here and why, each host's share, and what one more
    host would have brought. The page is one file, and fetches nothing.
    """
    settings = load_settings(os.environb)
    records = jobs_of_build(past_jobs(settings), build)
    hosts = {host for record in records for host in (record.host, *record.hosts) if host}
    page = report_page(records, host_facts(settings, hosts), f"fleetcc {__version__}")
    write_result(output, page.encode())
    click.echo(f"{printable(output)}: about {len(records)} jobs of build {records[-1].build}", err=True)
    if show and not webbrowser.open(Path(output).resolve().as_uri()):
        raise FleetccError(f"no browser was found here; open {printable(output)} by hand")


def host_facts(settings: Settings, hosts: set[str]) -> dict[str, HostFacts]:
    """Slots and speeds of hosts: from the agent if one runs, else speeds from what it has learned."""
    try:
        status = ask_agent(settings.agent_dir, "status")
    except FleetccError:
        status = None
    rows = status.get("hosts") if status is not None else None
    facts = {}
    if isinstance(rows, list):
        facts = {row["id"]: HostFacts(int(row["limit"]), float(row["speed"])) for row in rows}
    history = load_history(os.path.join(settings.state_dir, "history"))
    speeds = history.speeds
    return {
        host: facts.get(host) or HostFacts(speed=history.speed(host))
        for host in hosts
        if host in facts or host in speeds
    }
