"""What small builds get beside a big one, and how equal four equal clients are."""

import sys
import time
from collections.abc import Sequence
from typing import Final

from bench.fleets.builds import build_together
from bench.fleets.machines import Site, equal_hosts
from bench.fleets.report import Row
from bench.fleets.setting import Setting, clients
from bench.fleets.systems import DISTCC_LIMITS, FLEETCC, IDEAL, System
from bench.fleets.work import Job, uniform
from fleetcc.simulation.compare import jain_index

SMALL_GOAL: Final = 1.3
JAIN_GOAL: Final = 0.95
_HOSTS: Final = equal_hosts(4, 8)
_SHORTEST_MS: Final = 500
_LONGEST_MS: Final = 1000
_SMALL_PARALLEL: Final = 16
_FULL_SWING_SECONDS: Final = 20.0


def fairness(setting: Setting) -> None:
    """One big build and three small ones; then four equal ones."""
    alone = [_alone(setting, number) for number in range(setting.rounds)]
    for system in setting.taking_part((DISTCC_LIMITS, FLEETCC)):
        values = [_beside_a_big_one(setting, system, number, seconds) for number, seconds in enumerate(alone)]
        label = f"{system.name}, slowest of 3"
        goal = SMALL_GOAL if system is FLEETCC else None
        workload = f"3 small beside -j{_big_parallel(setting)}"
        setting.report.add(Row(workload, label, tuple(values), "x alone", goal))
    for system in setting.taking_part((DISTCC_LIMITS, FLEETCC)):
        indices = [_four_equal(setting, system, number) for number in range(setting.rounds)]
        goal = JAIN_GOAL if system is FLEETCC else None
        row = Row("4 equal clients", system.name, tuple(indices), "Jain index", goal, at_least=True)
        setting.report.add(row)


def _big_parallel(setting: Setting) -> int:
    return 96 if setting.quick else 512


def _beside_a_big_one(setting: Setting, system: System, number: int, alone: float | None) -> float | None:
    """The slowest of three small builds, by what one takes alone on a quarter of the slots."""
    big = uniform(400 if setting.quick else 1500, _SHORTEST_MS, _LONGEST_MS, f"{number} big", "big")
    works = [_small(setting, number, f"s{one}u") for one in range(3)]
    with (
        setting.site(_HOSTS) as site,
        system.serve(site) as served,
        clients(site, served.service, [big, *works]) as (giant, *others),
    ):
        giant.start(_big_parallel(setting))
        _wait_for_full_swing(site)
        for client in others:
            client.start(_SMALL_PARALLEL)
        built = [client.wait() for client in others]
        lasted = giant.is_building()
        giant.stop_build()
    failures = [each.failure for each in built if each.failure]
    if failures or not lasted or alone is None:
        print(f"  {system.name}: FAILED: {failures or 'the big build ended first'}", file=sys.stderr)
        return None
    return max(each.seconds for each in built) / alone


def _alone(setting: Setting, number: int) -> float | None:
    """Seconds of a small build that has one host of the four for itself, and an ideal dispatcher."""
    jobs = _small(setting, number, "s0u")
    with (
        setting.site(_HOSTS[:1]) as site,
        IDEAL.serve(site) as served,
        clients(site, served.service, [jobs]) as (client,),
    ):
        client.start(_SMALL_PARALLEL)
        built = client.wait()
        return None if built.failure else built.seconds


def _small(setting: Setting, number: int, prefix: str) -> tuple[Job, ...]:
    """The same durations for all three."""
    count = 24 if setting.quick else 60
    return uniform(count, _SHORTEST_MS, _LONGEST_MS, f"{number} small", prefix)


def _wait_for_full_swing(site: Site) -> None:
    """Until every slot has had its second job, as far as counting tells."""
    deadline = time.monotonic() + _FULL_SWING_SECONDS
    while len(site.ran()) < 2 * site.slots and time.monotonic() < deadline:
        time.sleep(0.1)


def _four_equal(setting: Setting, system: System, number: int) -> float | None:
    """Jain's index over what four clients got while all four wanted something."""
    count = 40 if setting.quick else 150
    names = [f"c{one}u" for one in range(4)]
    works = [uniform(count, _SHORTEST_MS, _LONGEST_MS, f"{number} {name}", name) for name in names]
    with (
        setting.site(_HOSTS) as site,
        system.serve(site) as served,
        clients(site, served.service, works) as users,
    ):
        built = build_together(users, _SMALL_PARALLEL)
        if built.failure:
            print(f"  {system.name}: FAILED: {built.failure}", file=sys.stderr)
            return None
        return _index(site, names)


def _index(site: Site, names: Sequence[str]) -> float:
    ran = {name: [entry for entry in site.ran() if entry.job.startswith(name)] for name in names}
    if not all(ran.values()):
        return 0.0
    start = max(min(entry.began for entry in entries) for entries in ran.values())
    end = min(max(entry.ended for entry in entries) for entries in ran.values())
    shares = [sum(start <= entry.ended <= end for entry in entries) for entries in ran.values()]
    return jain_index(shares) if any(shares) else 0.0
