"""Makespan divided by its lower bound, on equal and unequal hosts, with one client and with two."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bench.fleets.builds import Built, Client, build_together, stretch
from bench.fleets.icecream import ICECREAM
from bench.fleets.machines import UNEQUAL, Host, Site, equal_hosts
from bench.fleets.report import Row
from bench.fleets.setting import Setting, clients
from bench.fleets.systems import DISTCC, DISTCC_LIMITS, FLEETCC, IDEAL, System
from bench.fleets.work import Job, log_normal, lower_bound, steady

SYSTEMS: Final = (IDEAL, DISTCC, DISTCC_LIMITS, ICECREAM, FLEETCC)
# A first build knows no durations, so nobody can do better than first come, first served, but by luck.
FIRST_GOAL: Final = 1.05  # times the ideal dispatcher
SECOND_GOAL: Final = 1.10
LATE_GOAL: Final = 1.5
LATE_MS: Final = 8000

Works: TypeAlias = Callable[[int], list[tuple[Job, ...]]]


def equal(setting: Setting) -> None:
    """Four hosts with four slots each."""
    hosts = equal_hosts(4, 4)
    for count in (1, 2):
        _Comparison(setting, f"equal, {_clients(count)}", hosts, _usual(setting, count)).run()


def unequal(setting: Setting) -> None:
    """8 slots at speed 1, 4 at a half, 2 at 1, 1 at a quarter; and three long jobs at the end."""
    for count in (1, 2):
        _Comparison(setting, f"unequal, {_clients(count)}", UNEQUAL, _usual(setting, count)).run()

    def late(number: int) -> list[tuple[Job, ...]]:
        (jobs,) = _usual(setting, 1)(number)
        return [(*jobs, *steady(3, LATE_MS, "late"))]

    _Comparison(setting, "unequal, three 8 s jobs last", UNEQUAL, late, LATE_GOAL, LATE_GOAL).run()


@dataclass(slots=True)
class _Comparison:
    """All systems at the same jobs, round after round, so that noise falls on all alike."""

    setting: Setting
    workload: str
    hosts: tuple[Host, ...]
    works: Works
    first_goal: float | None = None  # None: by the ideal dispatcher
    second_goal: float = SECOND_GOAL
    values: dict[str, list[float | None]] = field(default_factory=dict)
    places: dict[str, Counter[str]] = field(default_factory=dict)

    def run(self) -> None:
        """Measure and report."""
        systems = self.setting.taking_part(SYSTEMS)
        for number in range(self.setting.rounds):
            for system in systems:
                self._round(system, self.works(number))
        for label, values in self.values.items():
            goal = self._goal(label)
            where = ", ".join(f"{name} {count}" for name, count in sorted(self.places[label].items()))
            self.setting.report.add(Row(self.workload, label, tuple(values), goal=goal, detail=where))

    def _round(self, system: System, works: Sequence[tuple[Job, ...]]) -> None:
        with (
            self.setting.site(self.hosts) as site,
            system.serve(site) as served,
            clients(site, served.service, works) as users,
        ):
            first = site.slots * 3 // 2
            if system is not FLEETCC:
                self._build(f"{system.name}, -j{first}", site, users, first)
                return
            self._build(f"fleetcc, first build, -j{first}", site, users, first)
            again = site.slots * 4
            self._build(f"fleetcc, second build, -j{again}", site, users, again)

    def _build(self, label: str, site: Site, users: Sequence[Client], parallel: int) -> None:
        built: Built = build_together(users, parallel)
        jobs = [job for user in users for job in user.jobs]
        self.values.setdefault(label, []).append(stretch(built, lower_bound(jobs, site.hosts), jobs))
        self.places.setdefault(label, Counter()).update(built.places)

    def _goal(self, label: str) -> float | None:
        if "second build" in label:
            return self.second_goal
        if "first build" not in label:
            return None
        if self.first_goal is not None:
            return self.first_goal
        ideal = [row.median for row in self.setting.report.rows
                 if row.workload == self.workload and row.system.startswith(IDEAL.name)]  # fmt: skip
        return FIRST_GOAL * ideal[0] if ideal and ideal[0] is not None else None


def _usual(setting: Setting, count: int) -> Works:
    """200 log-normal jobs for each client; other ones in each round, the same ones for all systems."""
    each = 60 if setting.quick else 200

    def works(number: int) -> list[tuple[Job, ...]]:
        return [log_normal(each, f"{number} {client}", f"c{client}u") for client in range(count)]

    return works


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
