"""Many hosts, one client: can it keep all slots busy, and what does a job cost it?"""

from typing import Final

from bench.fleets.builds import Built, stretch
from bench.fleets.machines import equal_hosts
from bench.fleets.report import Row
from bench.fleets.setting import Setting, clients
from bench.fleets.systems import DISTCC_LIMITS, FLEETCC, IDEAL, System
from bench.fleets.work import Job, lower_bound, steady

MAKESPAN_GOAL: Final = 1.08
CPU_GOAL_MS: Final = 2.5
# So that the agent runs and knows its hosts; a build of any size would otherwise pay for that once.
_WARM_UP_JOBS: Final = 8


def large(setting: Setting) -> None:
    """32 hosts with 8 slots, 2000 jobs of 2 s, -j400."""
    count, jobs, parallel = (
        (8, steady(320, 1000, "u"), 100) if setting.quick else (32, steady(2000, 2000, "u"), 400)
    )
    stretches: dict[str, list[float | None]] = {}
    costs: dict[str, list[float | None]] = {}
    systems = setting.taking_part((IDEAL, DISTCC_LIMITS, FLEETCC))
    bound = lower_bound(jobs, equal_hosts(count, 8))
    for _ in range(setting.rounds):
        for system in systems:
            built = _build(setting, system, jobs, count, parallel)
            stretches.setdefault(system.name, []).append(stretch(built, bound, jobs))
            cost = None if built.failure else built.cpu_seconds / len(jobs) * 1000
            costs.setdefault(system.name, []).append(cost)
    workload = f"{count} x 8 slots, {len(jobs)} jobs, -j{parallel}"
    for system in systems:
        is_ours = system is FLEETCC
        goals = (MAKESPAN_GOAL, CPU_GOAL_MS) if is_ours else (None, None)
        setting.report.add(Row(workload, system.name, tuple(stretches[system.name]), goal=goals[0]))
        cpu = Row(workload, f"{system.name}: client CPU", tuple(costs[system.name]), "ms per job", goals[1])
        setting.report.add(cpu)


def _build(setting: Setting, system: System, jobs: tuple[Job, ...], count: int, parallel: int) -> Built:
    with (
        setting.site(equal_hosts(count, 8)) as site,
        system.serve(site) as served,
        clients(site, served.service, [jobs]) as (client,),
    ):
        client.start(parallel, jobs[:_WARM_UP_JOBS])
        client.wait()
        client.start(parallel)
        return client.wait()
