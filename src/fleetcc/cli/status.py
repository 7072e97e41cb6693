"""`fleetcc status`: what the agent is doing now."""

import os

import click
import msgspec

from fleetcc.agent.client import ask_agent
from fleetcc.monitor.status import status_text
from fleetcc.settings import load_settings


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print the raw answer as JSON.")
def command(*, as_json: bool) -> None:
    """Show the agent, its hosts and their slots, the jobs of now, and why past jobs ran where they ran.

    Exit status 1 when no agent runs.
    """
    settings = load_settings(os.environb)
    status = ask_agent(settings.agent_dir, "status")
    if status is None:
        click.echo(f"no agent serves {settings.agent_dir}; the first compile starts one", err=True)
        raise SystemExit(1)
    click.echo(msgspec.json.encode(status).decode() if as_json else status_text(status))
