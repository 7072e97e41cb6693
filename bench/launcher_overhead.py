"""What the launcher itself costs: /bin/true alone, through the launcher and an agent that answers X at once,
and through distcc, which runs it here too. Medians of interleaved runs, one at a time.
"""

import argparse
import multiprocessing
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, NamedTuple

from bench.support import BIN
from fleetcc.wire.launcher import REQUEST_HEADER, decode_request_header, encode_answer

WARM_UP_RUNS: Final = 50
GOAL_MILLISECONDS: Final = 1.2


class Cost(NamedTuple):
    """One run, in milliseconds."""

    wall: float
    cpu: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"FLEETCC_DIR": name, "DISTCC_HOSTS": "localhost", "DISTCC_DIR": name}
        commands = {"/bin/true": ["/bin/true"], "fleetcc": [str(BIN / "fleetcc"), "/bin/true"]}
        if distcc := shutil.which("distcc"):
            commands["distcc"] = [distcc, "/bin/true"]
        agent = start_agent(Path(name) / "socket")
        try:
            medians = measure(commands, environment, runs)
        finally:
            agent.kill()
    report(medians)


def start_agent(path: Path) -> BaseProcess:
    """An agent that lets every launcher run its compiler."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(100)
    agent = multiprocessing.get_context("fork").Process(target=answer, args=(listener,), daemon=True)
    agent.start()
    listener.close()
    return agent


def answer(listener: socket.socket) -> None:
    """Serve for ever, one launcher at a time."""
    while True:
        connection, _ = listener.accept()
        with connection:
            header = decode_request_header(connection.recv(REQUEST_HEADER.size, socket.MSG_WAITALL))
            connection.recv(header.length, socket.MSG_WAITALL)
            connection.send(encode_answer(b"X"))


def measure(commands: Mapping[str, list[str]], environment: Mapping[str, str], runs: int) -> dict[str, Cost]:
    """Interleaved, so that noise falls on all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(runs + WARM_UP_RUNS):
        for name, command in commands.items():
            cost = run(command, environment)
            if number >= WARM_UP_RUNS:
                costs[name].append(cost)
    return {name: median(each) for name, each in costs.items()}


def median(costs: list[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def run(command: list[str], environment: Mapping[str, str]) -> Cost:
    """One run; ends the benchmark when it fails."""
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, environment)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{command} ended with wait status {status}")
    return Cost(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000)


def report(medians: Mapping[str, Cost]) -> None:
    """One line per command."""
    alone = medians["/bin/true"]
    print(f"{'':12}{'wall ms':>9}{'added':>9}{'cpu ms':>9}{'added':>9}{'wall ratio':>12}")
    for name, cost in medians.items():
        walls = f"{cost.wall:9.2f}{cost.wall - alone.wall:9.2f}"
        print(f"{name:12}{walls}{cost.cpu:9.2f}{cost.cpu - alone.cpu:9.2f}{cost.wall / alone.wall:12.2f}")
    print(f"goal: the launcher adds at most {GOAL_MILLISECONDS} ms of wall time")


if __name__ == "__main__":
    main()
