"""A fleet on one machine: real servers and clients, and a compiler that sleeps (sleeping_compiler.c).

    python -m bench.fleet [SECTION...] [--quick] [--rounds N] [--systems NAME,...]

Sections: equal, unequal, fairness, large, kill, join, cancel; all of them without a name. Debian's distcc and
icecream do the same builds in the same run, where they are installed, and so does an ideal: one process that
knows every slot and serves in the order of asking. Clients are told the hosts' addresses and nothing else,
unless a row says so. Hosts are servers on 127.0.1.N; how fast one is only its own compiler knows.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bench.fleets.cancel import interrupted
from bench.fleets.fairness import fairness
from bench.fleets.large import large
from bench.fleets.machines import make_compiler
from bench.fleets.makespan import equal, unequal
from bench.fleets.membership import joined, killed
from bench.fleets.processes import exit_on_signals
from bench.fleets.report import Report
from bench.fleets.setting import Setting

SECTIONS: Final[Mapping[str, Callable[[Setting], None]]] = {
    "equal": equal,
    "unequal": unequal,
    "fairness": fairness,
    "large": large,
    "kill": killed,
    "join": joined,
    "cancel": interrupted,
}


def main() -> None:
    """Run the sections that were named, print one table; ends with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=None, help="3, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and hosts: for trying the benchmark")
    parser.add_argument("--systems", default="", help="of ideal, distcc, icecream, fleetcc; default: all")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"section {unknown[0]!r}: expected one of {', '.join(SECTIONS)}")
    exit_on_signals()
    sys.exit(run(arguments))


def run(arguments: argparse.Namespace) -> int:
    """The exit status."""
    report = Report()
    # Short, because the path of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="fleet", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers may become other users
        setting = Setting(
            folder=folder,
            compiler=make_compiler(folder),
            rounds=arguments.rounds or (1 if arguments.quick else 3),
            quick=arguments.quick,
            systems=frozenset(filter(None, arguments.systems.split(","))),
            report=report,
        )
        for section in arguments.sections or SECTIONS:
            SECTIONS[section](setting)
    report.print_table()
    return int(any("MISSED" in row.verdict for row in report.rows))


if __name__ == "__main__":
    main()
