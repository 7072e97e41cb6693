"""`fleetcc stats`: this build and today in figures."""

import os

import click
import msgspec

from fleetcc.cli.past import jobs_of_build, jobs_of_today, past_jobs
from fleetcc.errors import UsageError
from fleetcc.monitor.events import Record
from fleetcc.monitor.stats import Stats, stats_of, stats_text
from fleetcc.settings import load_settings


@click.command(name="stats")
@click.option("--build", metavar="ID", help="Only this build, by the beginning of its name.")
@click.option("--today", is_flag=True, help="Only what ended since midnight.")
@click.option("--all", "every", is_flag=True, help="Everything that the journal has.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: figures by title.")
def command(*, build: str | None, today: bool, every: bool, as_json: bool) -> None:
    """Show the last build and today: jobs here and there and why, hosts, slowest units, bytes."""
    if (build is not None) + today + every > 1:
        raise UsageError("--build, --today and --all exclude each other: name one")
    records = past_jobs(load_settings(os.environb))
    chosen: dict[str, tuple[str, list[Record]]] = {}
    if not (today or every):
        jobs = jobs_of_build(records, build)
        chosen["build"] = f"build {jobs[-1].build}", jobs
    if today or not (every or build is not None):
        chosen["today"] = "today", jobs_of_today(records)
    if every:
        chosen["all"] = "all that the journal has", records
    found = {name: (title, stats_of(jobs)) for name, (title, jobs) in chosen.items()}
    click.echo(_json(found) if as_json else _text(found))


def _json(found: dict[str, tuple[str, Stats]]) -> str:
    return msgspec.json.encode({name: stats for name, (_, stats) in found.items()}).decode()


def _text(found: dict[str, tuple[str, Stats]]) -> str:
    return "\n\n".join(stats_text(title, stats) for title, stats in found.values())
