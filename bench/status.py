"""How long `fleetcc status` takes, beside a Python that does nothing; the agent has done some jobs."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.support import BIN

GOAL_MILLISECONDS: Final = 150
JOBS: Final = 20


def main() -> None:
    """Print the figures; exit status 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    fleetcc = str(BIN / "fleetcc")
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"FLEETCC_DIR": str(Path(name, "agent")), "FLEETCC_HOSTS": ""}
        Path(name, "a.c").write_text("int a;\n")
        for _ in range(JOBS):
            subprocess.run([fleetcc, "gcc", "-c", "a.c"], cwd=name, env=environment, check=True)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "fleetcc status": [fleetcc, "status"],
            "fleetcc status --json": [fleetcc, "status", "--json"],
        }
        medians = {}
        try:
            for title, command in commands.items():
                times = [_milliseconds(command, environment) for _ in range(runs)]
                medians[title] = statistics.median(times)
                print(f"{title:<22} median {medians[title]:4.0f} ms, best {min(times):4.0f} ms")
        finally:
            subprocess.run([fleetcc, "agent", "stop"], env=environment, check=True, capture_output=True)
    met = medians["fleetcc status"] <= GOAL_MILLISECONDS
    print(f"goal: fleetcc status at most {GOAL_MILLISECONDS} ms: {'met' if met else 'MISSED'}")
    raise SystemExit(not met)


def _milliseconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
