"""A build without make: runs commands, so many at once, and says what each took. For a process of its own.

Standard input has the work as JSON, standard output the answer. Between two ends of commands the CPU time of
other processes (an agent, a server) is read as well, so that each command has its share of theirs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Final

_TICK_SECONDS: Final = 1 / os.sysconf("SC_CLK_TCK")
_MOST_SAID: Final = 2000


@dataclass(frozen=True, slots=True)
class Command:
    """One call of a compiler, or of what stands before it."""

    argv: tuple[str, ...]
    folder: str
    variables: Mapping[str, str]  # beside those that all have


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command took."""

    number: int  # of the command, from 0
    status: int
    seconds: float
    cpu: float  # of the command and all that it waited for
    watched: tuple[float, ...]  # of the processes that are watched, since the command before


@dataclass(frozen=True, slots=True)
class Build:
    """All commands, in the order in which they ended."""

    seconds: float
    ran: tuple[Ran, ...]
    children: tuple[float, ...]  # CPU of the watched processes' children that have ended


def build(
    commands: Sequence[Command], parallel: int, environment: Mapping[str, str], watched: Sequence[int] = ()
) -> Build:
    """Run them; a command that fails ends everything with what it said."""
    work = {
        "commands": [asdict(each) for each in commands], "parallel": parallel, "watched": list(watched),
        "environment": dict(environment),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(work).encode(), stdout=subprocess.PIPE, check=True
    )
    answer = json.loads(done.stdout)
    ran = tuple(Ran(**{**each, "watched": tuple(each["watched"])}) for each in answer["ran"])
    failed = [each for each in ran if each.status]
    if failed:
        words = " ".join(commands[failed[0].number].argv)
        raise SystemExit(f"{len(failed)} of {len(commands)} compiles failed, the first with {words[:2000]}")
    return Build(answer["seconds"], ran, tuple(answer["children"]))


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process that run now."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError), open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def children_seconds(pid: int) -> float:
    """Of its children that it has waited for, by the tick."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * _TICK_SECONDS


def _main() -> None:
    work = json.load(sys.stdin)
    watched: list[int] = work["watched"]
    before = [cpu_seconds(pid) for pid in watched]
    children = [children_seconds(pid) for pid in watched]
    todo: list[dict[str, Any]] = work["commands"]
    running: dict[int, tuple[int, float, IO[bytes]]] = {}
    ran = []
    began = time.monotonic()
    position = 0
    while position < len(todo) or running:
        while position < len(todo) and len(running) < work["parallel"]:
            each = todo[position]
            said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the command has ended
            process = subprocess.Popen(
                each["argv"], cwd=each["folder"], env={**work["environment"], **each["variables"]},
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
            process.returncode = 0  # it is waited for here
            running[process.pid] = position, time.monotonic(), said
            position += 1
        pid, status, usage = os.wait4(-1, 0)
        number, started, said = running.pop(pid)
        now = [cpu_seconds(pid) for pid in watched]
        taken = tuple(new - old for new, old in zip(now, before, strict=True))
        before = now
        used = usage.ru_utime + usage.ru_stime
        ran.append(asdict(Ran(number, status, time.monotonic() - started, used, taken)))
        with said:
            if status:
                said.seek(0)
                sys.stderr.write(said.read(_MOST_SAID).decode(errors="replace"))
    ended = [children_seconds(pid) - old for pid, old in zip(watched, children, strict=True)]
    json.dump({"seconds": time.monotonic() - began, "ran": ran, "children": ended}, sys.stdout)


if __name__ == "__main__":
    _main()
