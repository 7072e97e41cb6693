"""`fleetcc events`: what happens, as it happens."""

import contextlib
import os
import sys
import time
from typing import assert_never

import click
import msgspec

from fleetcc.agent.client import watch_agent
from fleetcc.monitor.events import ENDED, Event, Hello, Host, Job, Local, Lost, decode
from fleetcc.settings import load_settings, printable


@click.command(name="events")
@click.option("--json", "as_json", is_flag=True, help="Print the stream as it comes: one JSON object a line.")
def command(*, as_json: bool) -> None:
    """Show what the agent does, as it does it, until it leaves: jobs, hosts, this machine.

    docs/events.md describes the JSON. Fails when no agent runs.
    """
    lines = watch_agent(load_settings(os.environb).agent_dir)
    people = Lines()
    with contextlib.closing(lines), contextlib.suppress(KeyboardInterrupt):
        for line in lines:
            sys.stdout.buffer.write(line if as_json else people.of(line).encode())
            sys.stdout.buffer.flush()


class Lines:
    """Events as lines for people; knows the names of the jobs that have not ended."""

    def __init__(self) -> None:
        self._labels: dict[int, str] = {}

    def of(self, line: bytes) -> str:
        """With its end; empty for an event that this version does not know."""
        try:
            event = decode(line)
        except msgspec.DecodeError:
            return ""
        return f"{printable(self._text(event))}\n"

    def _text(self, event: Event) -> str:
        match event:
            case Job():
                return f"{_clock(event.time)}  {self._job(event)}"
            case Host():
                return f"{_clock(event.time)}  host {event.host}: {_host(event)}"
            case Local():
                return f"{_clock(event.time)}  here: {_local(event)}"
            case Hello():
                self._labels = {job.job: job.label for job in event.jobs}
                counts = f"{len(event.hosts)} hosts, {len(event.jobs)} jobs now, {event.total} so far"
                return f"{_clock(event.time)}  {event.program}, pid {event.pid}: {counts}"
            case Lost():
                return f"({event.count} events were lost: this reader is too slow)"
            case _:
                assert_never(event)

    def _job(self, event: Job) -> str:
        label = event.label or self._labels.get(event.job, "")
        self._labels[event.job] = label
        lane = f"#{event.slot}" if event.slot >= 0 else ""
        where = f" on {event.host}{lane}" if event.host else ""
        if event.state not in ENDED:
            return f"job {event.job} {event.state}{where}: {label}"
        self._labels.pop(event.job, None)
        why = f" ({event.reason}{'; ' if event.detail else ''}{event.detail})" if event.reason else ""
        return f"job {event.job} {event.state}{where} after {event.seconds:.3f} s{why}: {label}"


def _host(event: Host) -> str:
    server = f", {event.server}" if event.server else ""
    slots = f", {event.slots} slots, speed {event.speed:g}{server}" if event.state == "up" else ""
    pause = f", left alone for {event.pause:.1f} s" if event.pause else ""
    return f"{event.state}{slots}{pause}" + (f": {event.why}" if event.why else "")


def _local(event: Local) -> str:
    return f"{event.running} of {event.slots} slots in use, {event.waiting} jobs wait, load {event.load:g}"


def _clock(moment: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(moment))}.{int(moment * 1000) % 1000:03}"
