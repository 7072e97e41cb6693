"""Wall time that fleetcc adds to a compile that runs here, beside distcc's, in the same run.

The command must run here for both (it links), the compiler costs nothing, agent and host list are there.
Medians of many runs, interleaved, one at a time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.remote_compile import prepare
from bench.support import BIN


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = prepare(folder, 1) | {"FLEETCC_HOSTS": "127.0.0.1:9/4", "DISTCC_HOSTS": "127.0.0.1:9/4"}
        commands = {
            "the compiler": ["gcc", "u0.c", "-o", "u0"],
            "distcc": ["distcc", "gcc", "u0.c", "-o", "u0"],
            "fleetcc": [str(BIN / "fleetcc"), "gcc", "u0.c", "-o", "u0"],
        }
        walls: dict[str, list[float]] = {name: [] for name in commands}
        try:
            for number in range(runs + 20):
                for name, command in commands.items():
                    seconds = timed(command, folder, environment)
                    if number >= 20:
                        walls[name].append(seconds)
        finally:
            subprocess.run(
                [BIN / "fleetcc", "agent", "stop"], env=environment, check=False, capture_output=True
            )
    report(walls)
    return 0


def timed(command: list[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Wall seconds of one call; ends the benchmark when it fails."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=dict(environment), check=True)
    return time.perf_counter() - started


def report(walls: Mapping[str, list[float]]) -> None:
    """Medians, and what each adds to the compiler alone."""
    alone = statistics.median(walls["the compiler"])
    added = {}
    for name, measured in walls.items():
        median = statistics.median(measured)
        added[name] = (median - alone) * 1000
        print(f"{name:14}{median * 1000:8.2f} ms   adds {added[name]:6.2f} ms")
    print(f"fleetcc adds {added['fleetcc'] / added['distcc']:.2f} of what distcc adds")


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
