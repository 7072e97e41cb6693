"""What the sandbox costs: a static program that does nothing, and `gcc -c` of a small file, each started
plainly and in a root of its own. Medians of interleaved runs, one at a time, all included that a server does
does for a run but the wire.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from fleetcc.sandbox.outcome import Ended
from fleetcc.sandbox.probe import CannotSandbox, Sandbox, find_helper, probe
from fleetcc.sandbox.scratch import Collected
from fleetcc.sandbox.spec import Spec
from tests.support.compiler_tree import copy_into, files_of

WARM_UP_RUNS: Final = 10
GOAL_WALL_MILLISECONDS: Final = 2.5
GOAL_CPU_MILLISECONDS: Final = 2.0
SOURCE: Final = "int f(int x) { return x + 1; }\n"
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


class Cost(NamedTuple):
    """One run, in milliseconds; `cpu` is that of the children and of ourselves."""

    wall: float
    cpu: float


class Program(NamedTuple):
    """What is run, at the same path outside and inside."""

    name: str
    argv: list[str]
    folder: Path


def main() -> None:
    """Print the table; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        sandbox = probe(os.path.join(name, "state"), find_helper(os.environ))
        if isinstance(sandbox, CannotSandbox):
            raise SystemExit(f"{sandbox.reason}; {sandbox.remedy}")
        programs = [make_nothing(Path(name)), make_compile(Path(name))]
        met = [measure(sandbox, each, Path(name) / "tree", runs) for each in programs]
        sandbox.close()
    sys.exit(not all(met))


def make_nothing(folder: Path) -> Program:
    """A static program that returns 0."""
    program = folder / "nothing"
    (folder / "nothing.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-O2", "-static", program.with_suffix(".c"), "-o", program], check=True)
    (folder / "tree").mkdir()
    copy_into(folder / "tree", [str(program)])
    return Program("nothing", [str(program)], folder)


def make_compile(folder: Path) -> Program:
    """A compile of one function."""
    work = folder / "work"
    work.mkdir()
    (work / "x.c").write_text(SOURCE)
    copy_into(folder / "tree", [*files_of("gcc", work / "x.c"), str(work / "x.c")])
    return Program("gcc -c", [shutil.which("gcc") or "gcc", "-c", "x.c", "-o", "x.o"], work)


def measure(sandbox: Sandbox, program: Program, tree: Path, runs: int) -> bool:
    """Interleaved, so that noise falls on all alike; prints two lines, and whether the goal is met."""
    plain: list[Cost] = []
    sandboxed: list[Cost] = []
    spec = Spec(
        os.fsencode(tree),
        os.fsencode(program.argv[0]),
        tuple(map(os.fsencode, program.argv)),
        tuple(os.fsencode(f"{name}={value}") for name, value in ENVIRONMENT.items()),
        os.fsencode(program.folder),
    )
    for number in range(runs + WARM_UP_RUNS):
        costs = timed(lambda: run_plainly(program)), timed(lambda: run_sandboxed(sandbox, spec))
        if number >= WARM_UP_RUNS:
            plain.append(costs[0])
            sandboxed.append(costs[1])
    first, second = median(plain), median(sandboxed)
    added = Cost(second.wall - first.wall, second.cpu - first.cpu)
    print(f"{program.name:10} plain      wall {first.wall:6.2f} ms   cpu {first.cpu:6.2f} ms")
    print(
        f"{'':10} sandboxed  wall {second.wall:6.2f} ms   cpu {second.cpu:6.2f} ms   "
        f"added {added.wall:.2f} / {added.cpu:.2f} ms (goal {GOAL_WALL_MILLISECONDS} / "
        f"{GOAL_CPU_MILLISECONDS})   ratio {second.wall / first.wall:.2f}"
    )
    return added.wall <= GOAL_WALL_MILLISECONDS and added.cpu <= GOAL_CPU_MILLISECONDS


def median(costs: list[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def timed(work: Callable[[], None]) -> Cost:
    """Do it once."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    return Cost((time.perf_counter() - wall) * 1e3, (cpu_seconds() - cpu) * 1e3)


def cpu_seconds() -> float:
    """Ours and our children's, so far."""
    used = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.ru_utime + each.ru_stime for each in used)


def run_plainly(program: Program) -> None:
    """As a server without sandbox does it, its output read."""
    subprocess.run(
        program.argv, cwd=program.folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, check=True,
        start_new_session=True,
    )  # fmt: skip
    output = program.folder / "x.o"
    if output.exists():
        output.read_bytes()
        output.unlink()


def run_sandboxed(sandbox: Sandbox, spec: Spec) -> None:
    """From the spec to the bytes that the program left."""
    run = sandbox.run(spec)
    process = subprocess.Popen(
        run.argv, stdin=subprocess.DEVNULL, pass_fds=run.pass_fds, start_new_session=True
    )
    run.started()
    process.wait()
    found = run.outcome()
    assert isinstance(found, Ended), found
    assert found.status == 0
    assert run.scratch is not None
    left = run.scratch.collect(spec.tree, (spec.cwd,))
    assert isinstance(left, Collected)
    for file in left.files:
        file.read()
    run.close()


if __name__ == "__main__":
    main()
