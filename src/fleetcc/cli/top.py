"""`fleetcc top`: hosts, slots and jobs, live."""

import os
import shutil
import sys
import time
from typing import Final

import click

from fleetcc.agent.client import connect_events
from fleetcc.errors import UsageError
from fleetcc.monitor.top.once import first_picture, plain_frame
from fleetcc.monitor.top.rows import DRAWN, PLAIN, Glyphs
from fleetcc.settings import load_settings

_PIPE_COLUMNS: Final = 120  # nobody's terminal; COLUMNS in the environment says otherwise


@click.command(name="top")
@click.option("--once", is_flag=True, help="Print one picture as text and end, as without a terminal.")
def command(*, once: bool) -> None:
    """Show hosts with their slots, jobs, rates, and why jobs ran here, as it changes; `?` lists the keys.

    Waits for an agent when none runs. With --once, and without a terminal: exit status 1 when no agent runs.
    """
    agent_dir = load_settings(os.environb).agent_dir
    nobody = f"no agent serves {agent_dir}; the first compile starts one"
    if once or not _has_screen():
        _print_once(agent_dir, nobody)
    else:
        _watch(agent_dir, nobody)


def _has_screen() -> bool:
    """An editor's or a CI system's `dumb` terminal has none."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environb.get(b"TERM") not in {None, b"", b"dumb"}


def _print_once(agent_dir: str, nobody: str) -> None:
    connection = connect_events(agent_dir)
    if connection is None:
        click.echo(nobody, err=True)
        raise SystemExit(1)
    columns = shutil.get_terminal_size((_PIPE_COLUMNS, 24)).columns
    click.echo(plain_frame(first_picture(connection), time.time(), columns, _glyphs()))


def _watch(agent_dir: str, nobody: str) -> None:
    try:
        from fleetcc.monitor.top.app import Top  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError("fleetcc top needs textual: pip install 'fleetcc[top]'") from error
    trouble = Top(lambda: connect_events(agent_dir), nobody).run()
    if trouble is not None:
        raise trouble


def _glyphs() -> Glyphs:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return DRAWN if encoding == "utf8" else PLAIN
