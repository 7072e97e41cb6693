"""How long a compiler waits after the last byte of its job has come to the server, and what the server's own
work on a job costs beside the compiler's: by compilers and sources that cost next to nothing.
"""

import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.support import BIN
from bench.units import runner, served
from bench.units.counting import counted
from bench.units.runner import Command
from bench.units.stamping import STAMP, make_stamping

_WARM_UP: Final = 10
_SMALL_UNITS: Final = 200


def time_to_start(
    folder: Path, environment: Mapping[str, str], server: served.Server, runs: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from the last byte to the compiler's first instruction, one job after the other: of jobs
    whose files are all there, and of jobs for which a source has to be uploaded.
    """
    make_stamping(folder / "tools", "gcc")
    work = folder / "stamped"
    work.mkdir()
    variables = {
        **environment,
        "PATH": f"{folder / 'tools'}:{environment['PATH']}",
        "FLEETCC_DIR": str(folder / "stamper"),
    }
    warm: list[float] = []
    uploading: list[float] = []
    with counted(server.port) as counter:
        variables["FLEETCC_HOSTS"] = served.hosts(counter.port)
        with served.agent(variables):
            (work / "warm.c").write_text("int warm;\n")
            for number in range(runs + _WARM_UP):
                (work / "new.c").write_text(f"int f(void) {{ return {number}; }}\n" + "/* text */\n" * 400)
                for source, found in (("warm.c", warm), ("new.c", uploading)):
                    started = _start(work, source, variables)
                    last = max(at for at in counter.last if at < started)
                    counter.last.clear()
                    if number >= _WARM_UP:
                        found.append((started - last) * 1e3)
            _expect_remote(variables, 2 * (runs + _WARM_UP))
    return warm, uploading


def _start(work: Path, source: str, variables: Mapping[str, str]) -> float:
    """Compile; when its compiler began, on the monotonic clock."""
    command = [str(BIN / "fleetcc"), "gcc", STAMP, "-c", source, "-o", "stamp.o"]
    subprocess.run(command, cwd=work, env=dict(variables), check=True)
    return int((work / "stamp.o").read_text()) / 1e9


def cost_beside_compiler(
    folder: Path, environment: Mapping[str, str], server: served.Server, parallel: int
) -> tuple[float, float, float]:
    """Milliseconds of CPU per warm job: of the server's process, of the children beyond what the compiler
    takes here, and of the compiler here.
    """
    work = folder / "small"
    work.mkdir()
    for number in range(_SMALL_UNITS):
        (work / f"u{number}.c").write_text(f"int f{number}(int x) {{ return x + {number}; }}\n")
    variables = {**environment, "FLEETCC_HOSTS": served.hosts(server.port)}
    here, there = _small(work, ()), _small(work, (str(BIN / "fleetcc"),))
    with served.agent(variables):
        runner.build(there, parallel, variables)
        own, children, plain = [], [], []
        for _ in range(3):  # interleaved, so that noise falls on both alike
            remote = runner.build(there, parallel, variables, [server.process.pid])
            local = runner.build(here, parallel, environment)
            own.append(sum(each.watched[0] for each in remote.ran))
            children.append(remote.children[0])
            plain.append(sum(each.cpu for each in local.ran))
        _expect_remote(variables, 4 * _SMALL_UNITS)
    each = 1e3 / _SMALL_UNITS
    added = statistics.median(children) - statistics.median(plain)
    return statistics.median(own) * each, added * each, statistics.median(plain) * each


def _small(work: Path, before: Sequence[str]) -> list[Command]:
    return [
        Command((*before, "gcc", "-O0", "-c", f"u{number}.c", "-o", f"u{number}.o"), str(work), {})
        for number in range(_SMALL_UNITS)
    ]


def _expect_remote(variables: Mapping[str, str], count: int) -> None:
    reasons = served.status(variables)["by_reason"]
    if reasons.get("remote", 0) != count:
        raise SystemExit(f"{count} compiles were to run on the server: {reasons}")
