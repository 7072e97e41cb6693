"""Ctrl-C: how long until every slot that a build held on every host is free."""

import os
import select
import sys
import time
from contextlib import suppress
from typing import Final

from bench.fleets.machines import Host, Site, equal_hosts
from bench.fleets.report import Row
from bench.fleets.setting import Setting, clients
from bench.fleets.systems import DISTCC_LIMITS, FLEETCC, System
from bench.fleets.work import uniform

GOAL_MS: Final = 100.0
_HOSTS: Final = equal_hosts(4, 4)
_JOB_MS: Final = 30_000
_START_SECONDS: Final = 30.0
_MOST_SECONDS: Final = 10.0


def interrupted(setting: Setting) -> None:
    """A build with a compiler on every slot, and more waiting, is interrupted."""
    for system in setting.taking_part((DISTCC_LIMITS, FLEETCC)):
        values = [_interrupt_one(setting, system) for _ in range(setting.rounds)]
        goal = GOAL_MS if system is FLEETCC else None
        setting.report.add(Row("Ctrl-C of a build on 4 x 4 slots", system.name, tuple(values), "ms", goal))


def _interrupt_one(setting: Setting, system: System) -> float | None:
    """Milliseconds until the last compiler is dead; None when one outlives _MOST_SECONDS."""
    jobs = uniform(24, _JOB_MS, _JOB_MS, "cancel", "u")
    with (
        setting.site(_HOSTS) as site,
        system.serve(site) as served,
        clients(site, served.service, [jobs]) as (client,),
    ):
        client.start(24)
        compilers = _wait_for_compilers(site)
        if len(compilers) < site.slots:
            print(f"  {system.name}: FAILED: {len(compilers)} compilers run", file=sys.stderr)
            return None
        interrupted_at = time.monotonic()
        client.interrupt()
        if not _all_end(compilers):
            return None
        return (time.monotonic() - interrupted_at) * 1000


def _wait_for_compilers(site: Site) -> list[int]:
    """The compilers of all hosts, once every slot has one."""
    deadline = time.monotonic() + _START_SECONDS
    found: list[int] = []
    while len(found) < site.slots and time.monotonic() < deadline:
        found = [pid for host in _HOSTS for pid in _compilers_of(site, host)]
        time.sleep(0.05)
    return found


def _compilers_of(site: Site, host: Host) -> list[int]:
    program = os.path.realpath(site.compilers(host.name) / "gcc")
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.readlink(f"/proc/{name}/exe") == program:
                found.append(int(name))
    return found


def _all_end(compilers: list[int]) -> bool:
    """Wait for the end of all of them, without looking again and again."""
    deadline = time.monotonic() + _MOST_SECONDS
    for pid in compilers:
        with suppress(ProcessLookupError):
            end = os.pidfd_open(pid)
            try:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([end], [], [], left)[0]:
                    return False
            finally:
                os.close(end)
    return True
