"""Everything that a compile leaves and says, through the fleet, beside the same compile here: every byte.

Real units of C, C++ and assembler, by gcc and by clang, each with several sets of options, are compiled here
and through one server without compilers, and compared: objects, dependency files, `.dwo`, modes, both
streams, status. Where they differ the unit is compiled here once more, to tell whether the compiler differs
from itself. Debian's distcc does a sample of the same, for scale. Exits with 1 when anything differed.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.fleets.processes import exit_on_signals
from bench.support import BIN
from bench.units import served
from bench.units.comparing import OPTION_SETS, Case, Left, differences, keep, run
from bench.units.projects import WORK, Unit, all_units, spread

_FLEETCC: Final = str(BIN / "fleetcc")
KEPT: Final = WORK / "different"
# The rest of the sample has all units of the small projects.
_BIG: Final = "(grpc)"
_SAMPLE_OF_DISTCC: Final = 50


@dataclass(frozen=True, slots=True)
class Compared:
    """One compile, here and there."""

    case: Case
    different: tuple[str, ...]
    failed: bool  # here
    unsteady: bool = False  # the compiler differs from itself


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=560, help="how many, at most 1685 (default: 560)")
    parser.add_argument("--jobs", type=int, default=4, help="compiles at once (default: 4)")
    parser.add_argument("--only", default="", help="only projects, languages or sources with this in them")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of N parts of the sample")
    parser.add_argument("--every-set", action="store_true", help="each unit with each compiler and options")
    arguments = parser.parse_args()
    exit_on_signals()
    cases = choose(arguments)
    shutil.rmtree(KEPT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # servers become other users
        environment = served.client_environment(folder / "client")
        server = stack.enter_context(served.fleetccd(folder / "fleetccd", arguments.jobs))
        environment["FLEETCC_HOSTS"] = served.hosts(server.port, arguments.jobs)
        stack.enter_context(served.agent(environment))
        began = time.monotonic()
        compared = compare_all(cases, (_FLEETCC,), environment, arguments.jobs)
        print(f"{len(cases)} compiles of {len({case.unit for case in cases})} units, "
              f"{time.monotonic() - began:.0f} s")  # fmt: skip
        different = report(compared)
        elsewhere = report_places(served.status(environment), len(cases))
        compare_distcc(cases, folder, environment, arguments.jobs, stack)
    return int(different or elsewhere)


def choose(arguments: argparse.Namespace) -> list[Case]:
    """Every unit of the small projects and some of the big one, with two compilers' options in turn."""
    units = [
        each for each in all_units() if arguments.only in f"{each.project} {each.language} {each.source}"
    ]
    small = [unit for unit in units if _BIG not in unit.project]
    big = [unit for unit in units if _BIG in unit.project]
    chosen = [*small, *spread(big, max(0, arguments.units - len(small)))][: arguments.units]
    part, parts = map(int, arguments.part.split("/"))
    pairs = [pair for unit in enumerate(chosen) for pair in _sets(*unit, every=arguments.every_set)]
    mine = spread(pairs, len(pairs))[part - 1 :: parts]
    return [Case(number, *pair) for number, pair in enumerate(mine)]


def _sets(number: int, unit: Unit, *, every: bool) -> Iterable[tuple[Unit, str, str]]:
    names = list(OPTION_SETS)
    families = [family for family in ("gcc", "clang") if shutil.which(unit.compiler(family))]
    for offset, family in enumerate(families):
        turn = names if every else [names[(number + 2 * offset) % len(names)]]
        for options in turn:
            yield unit, family, options


def compare_all(
    cases: Sequence[Case], words: Sequence[str], environment: Mapping[str, str], jobs: int
) -> list[Compared]:
    """All of them, so many at once."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda case: compare(case, words, environment), cases))


def compare(case: Case, words: Sequence[str], environment: Mapping[str, str]) -> Compared:
    """One compile here and there; what differs is kept."""
    here, there = run(case, (), environment), run(case, words, environment)
    found = tuple(differences(here, there))
    if not found:
        return Compared(case, (), here.status != 0)
    again = run(case, (), environment)
    unsteady = any(differences(here, again))
    if words[0] == _FLEETCC:
        tell(case, here, there, found, unsteady=unsteady)
    return Compared(case, found, here.status != 0, unsteady)


def tell(case: Case, here: Left, there: Left, found: Sequence[str], *, unsteady: bool) -> None:
    """Say it at once, and keep what there is to see."""
    keep(KEPT / str(case.number), case, here=here, there=there)
    steady = "; THE COMPILER DIFFERS FROM ITSELF" if unsteady else ""
    print(f"DIFFERENT ({', '.join(found)}{steady}), kept in {KEPT / str(case.number)}:\n    {case.label}")
    for side, left in (("here", here), ("there", there)):
        if "diagnostics" in found:
            print(f"    {side}: {(left.stdout + left.stderr)[:300]!r}")
    sys.stdout.flush()


def report(compared: Sequence[Compared]) -> int:
    """The table: equal ones of all, by project and compiler and options; how many differed."""
    columns = [(family, options) for family in ("gcc", "clang") for options in OPTION_SETS]
    cells: Counter[tuple[str, str, str]] = Counter()
    good: Counter[tuple[str, str, str]] = Counter()
    for each in compared:
        key = (f"{each.case.unit.project} {each.case.unit.language}", each.case.family, each.case.options)
        cells[key] += 1
        good[key] += not each.different
    print(f"\nequal in every byte{'':15}" + "".join(f"{family:>11}" for family, _ in columns))
    print(f"{'':34}" + "".join(f"{options[:10]:>11}" for _, options in columns))
    for row in sorted({key[0] for key in cells}):
        line = [(good[row, *column], cells[row, *column]) for column in columns]
        print(f"{row:34}" + "".join(f"{f'{n} of {all_}' if all_ else '-':>11}" for n, all_ in line))
    different = [each for each in compared if each.different]
    unsteady = sum(each.unsteady for each in different)
    print(
        f"{len(compared) - len(different)} of {len(compared)} equal, {len(different)} different ({unsteady} "
        f"of these differ from themselves); {sum(each.failed for each in compared)} compiles fail here"
    )
    for kind, count in Counter(kind for each in different for kind in each.different).most_common():
        print(f"    {kind}: {count}")
    return len(different) - unsteady


def report_places(status: Mapping[str, Mapping[str, int]], count: int) -> bool:
    """Whether any of them was compiled here after all, which compares nothing."""
    reasons = status["by_reason"]
    print("ran where they ran because: " + ", ".join(f"{name} {n}" for name, n in sorted(reasons.items())))
    print(f"scans: {status['files']}")
    return reasons.get("remote", 0) != count


def compare_distcc(
    cases: Sequence[Case], folder: Path, environment: Mapping[str, str], jobs: int, stack: ExitStack
) -> None:
    """The same with Debian's distcc, for scale."""
    if shutil.which("distcc") is None or shutil.which("distccd") is None:
        print("distcc is not installed; there is nothing to compare with")
        return
    server = stack.enter_context(served.distccd(folder / "distccd", jobs))
    sample = cases[:: max(1, len(cases) // _SAMPLE_OF_DISTCC)][:_SAMPLE_OF_DISTCC]
    variables = {**environment, "DISTCC_HOSTS": served.hosts(server.port, jobs)}
    compared = compare_all(sample, ("distcc",), variables, jobs)
    kinds = Counter(kind for each in compared for kind in each.different)
    equal = sum(not each.different for each in compared)
    print(f"for scale, distcc of a sample: {equal} of {len(compared)} equal; different: {dict(kinds)}")


if __name__ == "__main__":
    sys.exit(main())
