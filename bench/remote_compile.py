"""Client CPU per remote compile, and jobs per second: fleetcc beside Debian's distcc, in the same run.

The compiler costs nothing (free_compiler.c), so what is measured is distributing. The same stock distccd
serves both clients; fleetccd is measured as the server in a third run. Figures are medians of --rounds;
client CPU is that of the processes of the build plus the agent's, less what the preprocessor alone takes.
"""

import argparse
import getpass
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.support import BIN, free_port, wait_for_port

HERE = Path(__file__).resolve().parent


class Measured(NamedTuple):
    """One round."""

    wall_seconds: float
    cpu_seconds: float  # of the build's processes and the agent


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiles", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if shutil.which("distcc") is None:
        sys.exit("distcc is not installed; there is nothing to compare with")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = prepare(folder, arguments.compiles)
        with stock_server(environment) as stock, our_server(folder, environment) as ours:
            measure_all(folder, environment, stock, ours, arguments)
    return 0


def measure_all(
    folder: Path, environment: Mapping[str, str], stock: int, ours: int, arguments: argparse.Namespace
) -> None:
    """Interleave the rounds, so that noise falls on all alike."""
    limit = arguments.jobs
    cases = {
        "preprocessor alone": (["gcc", "-E"], {}),
        "distcc -> distccd": (["distcc", "gcc", "-c"], {"DISTCC_HOSTS": f"127.0.0.1:{stock}/{limit}"}),
        "fleetcc -> distccd": (["fleetcc", "gcc", "-c"], {"FLEETCC_HOSTS": f"127.0.0.1:{stock}/{limit}"}),
        "distcc -> fleetccd": (["distcc", "gcc", "-c"], {"DISTCC_HOSTS": f"127.0.0.1:{ours}/{limit}"}),
        "fleetcc -> fleetccd": (["fleetcc", "gcc", "-c"], {"FLEETCC_HOSTS": f"127.0.0.1:{ours}/{limit}"}),
    }
    rounds: dict[str, list[Measured]] = {name: [] for name in cases}
    for number in range(arguments.rounds + 1):
        for name, (command, extra) in cases.items():
            measured = build(folder, {**environment, **extra}, command, arguments)
            if number:  # the first round starts the agent and warms every cache
                rounds[name].append(measured)
    subprocess.run(
        [BIN / "fleetcc", "agent", "stop"], env=dict(environment), check=False, capture_output=True
    )
    report(rounds, arguments.compiles)


def report(rounds: Mapping[str, list[Measured]], compiles: int) -> None:
    """Milliseconds per compile beyond the preprocessor, and compiles per second."""
    alone = statistics.median(m.cpu_seconds for m in rounds["preprocessor alone"])
    print(f"{'':22}{'client CPU':>14}{'beyond cpp':>14}{'per second':>14}")
    figures = {}
    for name, measured in rounds.items():
        cpu = statistics.median(m.cpu_seconds for m in measured)
        wall = statistics.median(m.wall_seconds for m in measured)
        figures[name] = ((cpu - alone) / compiles * 1000, compiles / wall)
        print(f"{name:22}{cpu / compiles * 1000:11.2f} ms{figures[name][0]:11.2f} ms{figures[name][1]:12.0f}")
    for server in ("distccd", "fleetccd"):
        ours, theirs = figures[f"fleetcc -> {server}"], figures[f"distcc -> {server}"]
        cpu, rate = ours[0] / theirs[0], ours[1] / theirs[1]
        print(f"to {server}: client CPU {cpu:.2f} of distcc's, rate {rate:.2f} of distcc's")


def build(
    folder: Path, environment: Mapping[str, str], command: list[str], arguments: argparse.Namespace
) -> Measured:
    """One `make -j` of all units."""
    for path in folder.glob("*.o"):
        path.unlink()
    agent_before = agent_cpu(environment)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    make = ["make", "-s", f"-j{arguments.jobs}", "-f", "build.mk", f"COMMAND={' '.join(command)}"]
    subprocess.run(make, cwd=folder, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if command[-1] == "-c" and len(list(folder.glob("*.o"))) != arguments.compiles:
        sys.exit(f"{' '.join(command)} did not make every object")
    processes = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(wall, processes + agent_cpu(environment) - agent_before)


def agent_cpu(environment: Mapping[str, str]) -> float:
    """CPU seconds of the agent so far; 0 when there is none."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        folder = (process.info["environ"] or {}).get("FLEETCC_DIR")
        if "--ready-fd" in (process.info["cmdline"] or []) and folder == environment["FLEETCC_DIR"]:
            times = process.cpu_times()
            return float(times.user + times.system)
    return 0.0


def prepare(folder: Path, compiles: int) -> dict[str, str]:
    """Compiler, units, makefile, environment."""
    tools = folder / "tools"
    tools.mkdir()
    subprocess.run(["/usr/bin/gcc", "-O2", HERE / "free_compiler.c", "-o", tools / "gcc"], check=True)
    units = [f"u{number}" for number in range(compiles)]
    for unit in units:
        (folder / f"{unit}.c").write_text("int x;\n")
    rules = "".join(f"{unit}:\n\t@$(COMMAND) {unit}.c -o {unit}.o\n" for unit in units)
    (folder / "build.mk").write_text(f".PHONY: all {' '.join(units)}\nall: {' '.join(units)}\n{rules}")
    (folder / "distcc").mkdir()
    return {
        "PATH": f"{tools}:{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "DISTCC_DIR": str(folder / "distcc"),
        "FLEETCC_DIR": str(folder / "agent"),
        "DISTCC_NO_REWRITE_CROSS": "1",
    }


@contextmanager
def stock_server(environment: Mapping[str, str]) -> Iterator[int]:
    """Debian's distccd."""
    port = free_port("127.0.0.1")
    command = [
        "distccd",
        "--no-detach",
        "--daemon",
        "--listen",
        "127.0.0.1",
        "--port",
        str(port),
        "--jobs",
        "64",
    ]
    command += ["--allow", "127.0.0.1", "--enable-tcp-insecure", "--log-file", "/dev/null"]
    with running(command, environment, port):
        yield port


@contextmanager
def our_server(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """fleetccd, with as many slots as there are processors."""
    port = free_port("127.0.0.1")
    command = [str(BIN / "fleetccd"), "--no-detach", "--listen", "127.0.0.1", "--port", str(port)]
    command += [
        "--state-dir",
        str(folder / "state"),
        "--enable-tcp-insecure",
        "--log-file",
        str(folder / "d.log"),
    ]
    command += ["--load-limit", "1000", "--user", getpass.getuser()]
    with running(command, environment, port):
        yield port


@contextmanager
def running(command: list[str], environment: Mapping[str, str], port: int) -> Iterator[None]:
    """A server for the length of the block."""
    process = subprocess.Popen(command, env={**environment, "TMPDIR": "/tmp"})
    try:
        wait_for_port("127.0.0.1", port, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
