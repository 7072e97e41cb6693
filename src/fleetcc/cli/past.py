"""The jobs of the past for the verbs that look at them: out of the journal, by build or by time."""

import os
import time

from fleetcc.agent.client import flush_journal
from fleetcc.errors import UsageError
from fleetcc.monitor.events import Record
from fleetcc.monitor.journal import NAME, read_journal
from fleetcc.monitor.lanes import end_of
from fleetcc.settings import Settings, printable

_SHOWN_BUILDS = 5


def past_jobs(settings: Settings) -> list[Record]:
    """Every job of the journal, oldest first, the agent's last ones too; raises UsageError: there is none."""
    flush_journal(settings.agent_dir)
    records = list(read_journal(settings.state_dir))
    if not records:
        raise UsageError(
            f"no job has ended yet, as far as {os.path.join(settings.state_dir, NAME)} tells; "
            "the agent writes each job there at its end"
        )
    return records


def jobs_of_build(records: list[Record], build: str | None) -> list[Record]:
    """Of the build whose job ended last, or of the one that is named so or begins so; raises UsageError."""
    builds = list(dict.fromkeys(record.build for record in records))
    wanted = records[-1].build if build is None else build
    found = [name for name in builds if name == wanted] or [
        name for name in builds if name.startswith(wanted)
    ]
    if len(found) == 1:
        return [record for record in records if record.build == found[0]]
    last = ", ".join(printable(name) for name in builds[-_SHOWN_BUILDS:])
    what = f"{len(found)} builds begin with {wanted!r}" if found else f"the journal has no build {wanted!r}"
    raise UsageError(f"--build: {what}; the last ones are {last}")


def jobs_of_today(records: list[Record]) -> list[Record]:
    """Those that ended since midnight of this machine's time zone."""
    now = time.localtime()
    midnight = time.mktime((now.tm_year, now.tm_mon, now.tm_mday, 0, 0, 0, 0, 0, -1))
    return [record for record in records if end_of(record) >= midnight]
