"""`fleetcc doctor`: is everything in order, and if not, what to do."""

import os
import sys

import click

from fleetcc.cli.doctor_checks import make_context, table
from fleetcc.errors import UsageError
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.report import as_json, as_text, exit_status, plain
from fleetcc.monitor.doctor.running import run_checks

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


@click.command(name="doctor")
@click.option("--json", "as_objects", is_flag=True, help="Print a JSON array of objects.")
@click.option("--host", metavar="HOST", help="Look at this host only, in the list or not.")
@click.option("--quick", "is_quick", is_flag=True, help="Run no compiler, start no agent, ask no network.")
def command(*, as_objects: bool, host: str | None, is_quick: bool) -> None:
    """Look at compilers, launcher, agent, settings, hosts and limits, and say what to do where one is bad.

    An error is what was asked for and will not work; a warning is what could work better. Nothing is changed,
    and no host gets work. Exit status 1 when there is an error, 0 when there are at most warnings.
    """
    if host is not None and is_quick:
        raise UsageError("--host asks the network and --quick does not: choose one")
    context = make_context(os.environb, host, is_quick=is_quick)
    checked = run_checks(table(context, host_only=host is not None), context)
    if as_objects:
        click.echo(as_json(checked))
    else:
        click.echo(as_text(checked, _painted if sys.stdout.isatty() else plain))
    sys.stdout.flush()
    raise SystemExit(exit_status(checked))


def _painted(text: str, level: Level) -> str:
    return click.style(text, fg=_COLOURS[level])
