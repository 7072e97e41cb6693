"""The jobs of a build: how long each takes, their sources, their makefile, the objects they must leave."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from bench.fleets.machines import Host

SIGMA: Final = 0.8
CAP_MS: Final = 6000
MAKEFILE: Final = "build.mk"
_FNV_START: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211


@dataclass(frozen=True, slots=True)
class Job:
    """One source, and what it takes on a slot of speed 1."""

    name: str
    milliseconds: int


def log_normal(count: int, seed: str, prefix: str) -> tuple[Job, ...]:
    """Jobs of mean 1 s (a little less by the cap), the same for the same seed."""
    random = Random(seed)
    times = (random.lognormvariate(-SIGMA * SIGMA / 2, SIGMA) * 1000 for _ in range(count))
    return tuple(
        Job(f"{prefix}{number:04}", max(1, min(CAP_MS, round(ms)))) for number, ms in enumerate(times)
    )


def uniform(count: int, shortest_ms: int, longest_ms: int, seed: str, prefix: str) -> tuple[Job, ...]:
    """Jobs between two durations, the same for the same seed."""
    random = Random(seed)
    return tuple(
        Job(f"{prefix}{number:04}", random.randint(shortest_ms, longest_ms)) for number in range(count)
    )


def steady(count: int, milliseconds: int, prefix: str) -> tuple[Job, ...]:
    """Jobs that all take the same time."""
    return tuple(Job(f"{prefix}{number:04}", milliseconds) for number in range(count))


def work_seconds(jobs: Iterable[Job]) -> float:
    """What all of them take on one slot of speed 1."""
    return sum(job.milliseconds for job in jobs) / 1000


def lower_bound(jobs: Sequence[Job], hosts: Sequence[Host]) -> float:
    """No schedule is shorter: all work on all capacity, and the longest job on the fastest slot."""
    capacity = sum(host.slots * host.speed for host in hosts)
    longest = max(job.milliseconds for job in jobs) / 1000
    return max(work_seconds(jobs) / capacity, longest / max(host.speed for host in hosts))


def write_sources(folder: Path, jobs: Sequence[Job]) -> None:
    """Sources and the makefile, whose targets come in the order of the jobs."""
    for job in jobs:
        (folder / f"{job.name}.c").write_text(_source(job))
    rules = "".join(f"{job.name}.o:\n\t@$(COMMAND) -c {job.name}.c -o {job.name}.o\n" for job in jobs)
    targets = " ".join(f"{job.name}.o" for job in jobs)
    (folder / MAKEFILE).write_text(f".PHONY: all\nall: {targets}\n{rules}")


def object_head(job: Job) -> str:
    """The first line of the only right object."""
    digest = _FNV_START
    for byte in _source(job).encode():
        digest = ((digest ^ byte) * _FNV_PRIME) & 0xFFFF_FFFF_FFFF_FFFF
    return f"sleeping object {digest:016x}"


def _source(job: Job) -> str:
    return f'int sleep_ms = {job.milliseconds};\nchar job[] = "{job.name}";\n'
