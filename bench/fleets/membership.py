"""Hosts that die and hosts that join in the middle of a build."""

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Final

from bench.fleets.builds import Built, Service
from bench.fleets.machines import Host, Ran, Site, equal_hosts
from bench.fleets.processes import Process, kill, listens, running
from bench.fleets.report import Row
from bench.fleets.setting import Setting, clients
from bench.fleets.systems import DISTCC, FLEETCC, System
from bench.fleets.work import Job, log_normal, lower_bound, work_seconds
from bench.support import free_port

KILL_GOAL: Final = 1.10
JOIN_GOAL_SECONDS: Final = 2.0
_HOSTS: Final = equal_hosts(4, 4)
_NAME: Final = "fleet.example"


def killed(setting: Setting) -> None:
    """One of four equal hosts loses its power in a first build, and in one whose durations are known."""
    for system in setting.taking_part((DISTCC, FLEETCC)):
        is_ours = system is FLEETCC
        goal = KILL_GOAL if is_ours else None
        _report(setting, system, "x FIFO", goal, knowing=False)
        if is_ours:
            _report(setting, system, "x bound", goal, knowing=True)


def _report(setting: Setting, system: System, unit: str, goal: float | None, *, knowing: bool) -> None:
    values, local = [], 0
    for number in range(setting.rounds):
        value, built = _kill_one(setting, system, _jobs(setting, number), knowing=knowing)
        values.append(value)
        local += built.local
    label = f"{system.name}, {'second' if knowing else 'first'} build"
    detail = f"{local} jobs on the client"
    setting.report.add(Row("one of four hosts killed", label, tuple(values), unit, goal, detail=detail))


def joined(setting: Setting) -> None:
    """A fourth address appears behind the name that the client was given."""
    for system in setting.taking_part((FLEETCC,)):
        values = [_join_one(setting, system, _jobs(setting, number)) for number in range(setting.rounds)]
        label = f"{system.name}, first job"
        row = Row("a fourth host joins by DNS", label, tuple(values), "s", JOIN_GOAL_SECONDS)
        setting.report.add(row)


def _jobs(setting: Setting, number: int) -> tuple[Job, ...]:
    return log_normal(100 if setting.quick else 200, f"{number} 0", "u")


def _kill_one(
    setting: Setting, system: System, jobs: tuple[Job, ...], *, knowing: bool
) -> tuple[float | None, Built]:
    """Makespan by what the other hosts allow: anybody who knows durations, or first come, first served."""
    with (
        setting.site(_HOSTS) as site,
        system.serve(site) as served,
        clients(site, served.service, [jobs]) as (client,),
    ):
        parallel = site.slots * 3 // 2
        if knowing:
            client.start(parallel)
            client.wait()
            site.forget()
            parallel = site.slots * 4
        client.start(parallel)
        time.sleep(0.4 * lower_bound(jobs, _HOSTS))
        at = time.monotonic()
        kill(served.servers[_HOSTS[-1].name])
        built = client.wait()
        if built.failure:
            print(f"  {system.name}: FAILED: {built.failure}", file=sys.stderr)
            return None, built
        after = at - built.began
        allowed = _bound(site, jobs, at, after) if knowing else _first_come(jobs, after)
        return built.seconds / allowed, built


def _bound(site: Site, jobs: Sequence[Job], at: float, after: float) -> float:
    """All that was left at this moment, on the capacity that was left."""
    survivors = {host.name for host in _HOSTS[:-1]}
    left = work_seconds(jobs) - _done_seconds(site, at, survivors)
    return after + left / sum(host.slots for host in _HOSTS[:-1])


def _first_come(jobs: Sequence[Job], after: float) -> float:
    """The makespan of the ideal dispatcher, which begins lost jobs anew, first of all that wait."""
    slots = sum(host.slots for host in _HOSTS)
    lost = range(slots - _HOSTS[-1].slots, slots)
    waiting = deque(job.milliseconds / 1000 for job in jobs)
    free = [(0.0, slot, 0.0) for slot in range(slots)]  # when, which, and what it will then have done
    while waiting and free[0][0] < after:
        now, slot, _ = heappop(free)
        seconds = waiting.popleft()
        heappush(free, (now + seconds, slot, seconds))
    waiting.extendleft(seconds for end, slot, seconds in free if slot in lost and end > after)
    survivors = [max(end, after) for end, slot, _ in free if slot not in lost]
    heapify(survivors)
    for seconds in waiting:
        heappush(survivors, heappop(survivors) + seconds)
    return max(survivors)


def _done_seconds(site: Site, at: float, survivors: set[str]) -> float:
    """Work that was done at this moment and not lost, on hosts of speed 1."""
    best: dict[str, float] = {}
    for ran in site.ran():
        if ran.ended <= at or (ran.host in survivors and ran.began < at):
            best[ran.job] = max(best.get(ran.job, 0.0), min(ran.ended, at) - ran.began)
    return sum(best.values())


def _join_one(setting: Setting, system: System, jobs: tuple[Job, ...]) -> float | None:
    """Seconds from the change in the DNS to the fourth host's first job."""
    with (
        setting.site(_HOSTS) as site,
        system.serve(site) as served,
        _name_server(site.folder, site.hosts[:3]) as (server, port),
    ):
        variables = {"FLEETCC_HOSTS": f"{_NAME}:{served.port}", "FLEETCC_DNS": f"127.0.0.1:{port}"}
        with clients(site, Service(served.service.words, variables), [jobs]) as (client,):
            client.start(site.slots * 2)
            time.sleep(0.4 * lower_bound(jobs, site.hosts))
            at = time.monotonic()
            _publish(site.folder, site.hosts)
            server.send_signal(1)  # SIGHUP: dnsmasq reads the addresses again
            built = client.wait(120)
        first = _first(site.ran(site.hosts[3].name))
        if built.failure or first is None or first < at:
            why = built.failure or f"first job of the fourth host: {first}"
            print(f"  join: FAILED: {why}", file=sys.stderr)
            return None
        return first - at


def _first(ran: list[Ran]) -> float | None:
    return min((entry.began for entry in ran), default=None)


@contextmanager
def _name_server(folder: Path, hosts: tuple[Host, ...]) -> Iterator[tuple[Process, int]]:
    """dnsmasq, which answers for one name with the addresses of these hosts, for a second."""
    _publish(folder, hosts)
    port = free_port("127.0.0.1")
    command: list[str | Path] = [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
        "--no-resolv", "--local=/example/", "--no-hosts", f"--addn-hosts={folder / 'addresses'}",
        "--local-ttl=1", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}",
    ]  # fmt: skip
    with running(command, {}, folder / "dnsmasq.log", listens("127.0.0.1", port)) as server:
        yield server, port


def _publish(folder: Path, hosts: tuple[Host, ...]) -> None:
    (folder / "addresses").write_text("".join(f"{host.address} {_NAME}\n" for host in hosts))
