"""What a compile made of files costs the client, the wire and the server, beside Debian's distcc.

Real C++ units of about 400 headers each (-O0 -c), in builds of so many at once, through servers with two
slots on loopback: distcc plain, distcc in pump mode, fleetcc. Then what the server adds to a compile that
costs nothing, how long a compiler waits for its job's last byte to be dealt with, and what a scan takes.
Exits with 1 when a goal is missed.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import scan
from bench.fleets.processes import exit_on_signals
from bench.units import served, systems, warm_start
from bench.units.projects import Unit
from bench.units.systems import Figures, Site

_LATENCY_RUNS: Final = 100
_SCANNED_UNITS: Final = 40
# The goal of 2.5 ms is of a machine on which distcc plain needs 75; milliseconds differ from day to day.
_SHARE_OF_PLAIN: Final = 100 * 2.5 / 75


@dataclass(slots=True)
class Goals:
    """What was to be reached, and what was."""

    missed: list[str] = field(default_factory=list)

    def check(self, what: str, value: float, most: float, unit: str) -> None:
        """Say it."""
        verdict = "ok" if value <= most else "MISSED"
        print(f"  {what:66}{value:9.2f} {unit:3} (goal {most:g}) {verdict}", flush=True)
        if value > most:
            self.missed.append(what)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=120)
    parser.add_argument("--parallel", type=int, default=8, help="compiles at once (default: 8)")
    parser.add_argument("--rounds", type=int, default=2, help="rebuilds that are measured (default: 2)")
    arguments = parser.parse_args()
    exit_on_signals()
    goals = Goals()
    units = systems.choose_units(arguments.units)
    print(
        f"{len(units)} units, {arguments.parallel} at once; "
        f"load average {os.getloadavg()[0]:.1f} at the start",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers become other users
        site = Site(folder, units, arguments.parallel)
        builds(site, arguments.rounds, goals)
        small_jobs(site, goals)
    scans(units, goals)
    print(f"load average {os.getloadavg()[0]:.1f} at the end")
    return int(bool(goals.missed))


# -- builds of real units


def builds(site: Site, rounds: int, goals: Goals) -> None:
    """The same units by everybody: client CPU, bytes, server CPU."""
    print(f"\n{'':40}{'client CPU, ms per compile':^27}{'sent, per compile':^24}{'':>9}")
    print(f"{'':40}{'median':>9}{'p90':>9}{'mean':>9}{'KB':>12}{'of plain':>12}{'wall':>9}")
    here = shown(systems.local(site), None)
    plain = None
    if shutil.which("distcc") is None or shutil.which("distccd") is None:
        print("distcc is not installed; there is nothing to compare with")
    else:
        for figures in systems.distcc_plain(site):
            plain = plain or figures
            shown(figures, plain)
        shown(systems.distcc_pump(site), plain)
    ours = [shown(each, plain) for each in systems.fleetcc(site, "fleetcc", rounds)]
    for each in systems.fleetcc_alone(site, rounds):
        shown(each, None)
    blind = []
    obstacle = served.can_hide_files()
    if obstacle is None:
        blind = [shown(each, plain) for each in systems.fleetcc(site, "fleetcc, bare server", 0, blind=True)]
    else:
        print(f"no server that has none of the client's files: {obstacle}")
    judge(here, plain, ours, blind, goals)


def shown(figures: Figures, plain: Figures | None) -> Figures:
    """Print a line."""
    cpu = figures.cpu
    share = f"{figures.sent / plain.sent:11.2%}" if plain is not None and plain.sent else ""
    print(
        f"{figures.name:40}{statistics.median(cpu):9.2f}{statistics.quantiles(cpu, n=10)[-1]:9.2f}"
        f"{statistics.mean(cpu):9.2f}{figures.sent_each / 1e3:12.1f}{share:>12}"
        f"{figures.build.seconds:7.0f} s",
        flush=True,
    )
    return figures


def judge(
    here: Figures, plain: Figures | None, ours: Sequence[Figures], blind: Sequence[Figures], goals: Goals
) -> None:
    """The goals of these builds; of several rebuilds the median counts."""
    first, again = ours[0], ours[1:]
    print()
    cpu = statistics.median(each.median_cpu for each in again)
    goals.check("client CPU per compile, warm: median", cpu, 2.5, "ms")
    launcher, agent = map(statistics.median, zip(*(each.parts for each in again), strict=True))
    print(f"  {'of the mean: the launcher':66}{launcher:9.2f} ms\n  {'the agent':66}{agent:9.2f} ms")
    mean = statistics.median(statistics.mean(each.cpu) for each in again)
    goals.check("client CPU per compile, warm: mean", mean, 2.5, "ms")
    if plain is not None:
        print(f"  {'distcc plain needs so much more':66}{plain.median_cpu / cpu:9.1f} x")
        goals.check(
            "the same, of what distcc plain needs", 100 * cpu / plain.median_cpu, _SHARE_OF_PLAIN, "%"
        )
        share = 100 / plain.sent
        goals.check("sent in a first build, of what distcc plain sends", first.sent * share, 25, "%")
        for each in blind:
            goals.check("the same, to a server that has nothing of it", each.sent * share, 25, "%")
        sent = statistics.median(each.sent for each in again)
        goals.check("sent in a rebuild, of what distcc plain sends", sent * share, 2, "%")
    own, children = zip(*(each.server_cpu for each in again), strict=True)
    compiler = statistics.mean(here.cpu)
    print(
        f"  server, per warm compile: its process {statistics.median(own):.2f} ms, its children "
        f"{statistics.median(children):.0f} ms; the compiler here {compiler:.0f} ms"
    )


# -- jobs that cost nothing


def small_jobs(site: Site, goals: Goals) -> None:
    """What the server adds, and how soon it starts compilers."""
    with served.fleetccd(site.folder / "fleetccd-small", systems.SERVER_SLOTS) as server:
        own, added, plain = warm_start.cost_beside_compiler(
            site.folder, site.environment, server, systems.SERVER_SLOTS
        )
        print(
            f"\nsmall warm compiles, CPU: fleetccd {own:.2f} ms, sandbox {added:.2f} ms, "
            f"gcc itself {plain:.2f} ms"
        )
        goals.check("CPU of ours on the server per warm job", own + added, 10, "ms")
        warm, uploading = warm_start.time_to_start(site.folder, site.environment, server, _LATENCY_RUNS)
    for what, taken in (("nothing to upload", warm), ("a source to upload", uploading)):
        p90 = statistics.quantiles(taken, n=10)[-1]
        goals.check(
            f"last byte to the compiler's start, {what} (p90 {p90:.1f}): median",
            statistics.median(taken),
            5,
            "ms",
        )


# -- scans


def scans(units: Sequence[Unit], goals: Goals) -> None:
    """By the agent's own parts; bench.scan has more of it."""
    folder = units[0].folder
    some = [unit for unit in units if unit.folder == folder][:_SCANNED_UNITS]
    bench, tally = scan.Bench("g++", str(folder)), scan.Tally()
    try:
        for unit in some:
            words = tuple(map(os.fsencode, unit.words))
            described = bench.described(os.fsencode(unit.source), words)
            bench.disk.begin()
            bench.time(described, words, bench.scanner.scan(described), tally)
    finally:
        bench.disk.close()
    print()
    goals.check("scan of a warm unit: median", statistics.median(tally.warm) * 1e3, 1, "ms")
    cold, preprocessor = statistics.median(tally.cold) * 1e3, statistics.median(tally.preprocessor) * 1e3
    goals.check(
        f"scan by an agent that knows nothing (cc -E {preprocessor:.1f} ms)", cold, preprocessor, "ms"
    )


if __name__ == "__main__":
    sys.exit(main())
