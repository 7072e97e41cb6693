"""`fleetcc log`: the jobs that have ended, newest last."""

import os
import time
from collections import deque

import click

from fleetcc.agent.client import flush_journal
from fleetcc.errors import UsageError
from fleetcc.model import Reason
from fleetcc.monitor.events import Record, encode
from fleetcc.monitor.journal import read_journal
from fleetcc.monitor.log import Follower, Wanted, log_line
from fleetcc.settings import load_settings, printable
from fleetcc.settings.table import nearest

_LOOK_SECONDS = 0.3
_INTERRUPTED = 130


@click.command(name="log")
@click.option(
    "-n", "count", default=20, show_default=True, type=click.IntRange(0), help="So many jobs; 0: all."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with jobs as they end.")
@click.option("--reason", default="", metavar="SLUG", help="Only these, as `linking` or `remote`.")
@click.option("--host", default="", metavar="HOST", help="Only what this host had; its port may be left out.")
@click.option("--failed", is_flag=True, help="Only what failed.")
@click.option("--json", "as_json", is_flag=True, help="Print the journal's own lines.")
def command(*, count: int, follow: bool, reason: str, host: str, failed: bool, as_json: bool) -> None:
    """Show past jobs: when each ended, what it was, where it ran or why here, how long it took.

    Exit status 1 when there is none.
    """
    slugs = [known.slug for known in Reason]
    if reason and reason not in slugs:
        meant = nearest(reason, slugs)
        hint = f"; perhaps {meant}" if meant else "; `fleetcc stats` shows those that occur"
        raise UsageError(f"--reason: {printable(reason)} is none{hint}")
    settings, wanted = load_settings(os.environb), Wanted(reason, host, failed)
    flush_journal(settings.agent_dir)
    follower = Follower(settings.state_dir) if follow else None
    shown = deque(filter(wanted.has, read_journal(settings.state_dir)), maxlen=count or None)
    for record in shown:
        _print(record, as_json=as_json)
    if follower is not None:
        shown_already = {(record.agent, record.job) for record in shown}  # came between the two looks
        _follow(follower, wanted, shown_already, as_json=as_json)
    elif not shown:
        raise SystemExit(1)


def _follow(follower: Follower, wanted: Wanted, shown: set[tuple[str, int]], *, as_json: bool) -> None:
    try:
        for record in follower.follow(lambda: time.sleep(_LOOK_SECONDS)):
            if wanted.has(record) and (record.agent, record.job) not in shown:
                _print(record, as_json=as_json)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    finally:
        follower.close()


def _print(record: Record, *, as_json: bool) -> None:
    click.echo(encode(record).decode().rstrip("\n") if as_json else printable(log_line(record)))
