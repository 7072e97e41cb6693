"""Records of made-up builds, as an agent's journal would hold them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from fleetcc.monitor.events import Phase, Record, encode
from fleetcc.monitor.journal import NAME

START: Final = 1_700_000_000.0


def remote(
    job: int,
    host: str = "b1:3632",
    slot: int = 0,
    *,
    at: float = 0.0,
    prepares: float = 0.01,
    waits: float = 0.0,
    uploads: float = 0.01,
    runs: float = 1.0,
    returns: float = 0.01,
    **fields: Any,
) -> Record:
    """A job that a host did; times in seconds, `at` after START."""
    steps = [("scanning", prepares, ""), ("waiting", waits, ""), ("uploading", uploads, host)]
    steps += [("compiling", runs, host), ("returning", returns, host)]
    values: dict[str, Any] = {
        "mode": "files", "reason": "remote", "host": host, "slot": slot, "hosts": (host,), "status": 0,
        "run_seconds": runs, "cpu_seconds": runs * 0.9, "peak_bytes": 90 << 20, "files": 12,
        "sent": 1000, "received": 20_000,
    }  # fmt: skip
    return record(job, at, steps, **values | fields)


def local(
    job: int, *, at: float = 0.0, waits: float = 0.0, runs: float = 1.0, slot: int = 0, **fields: Any
) -> Record:
    """A job that ran here."""
    steps = [("planning", 0.001, ""), ("waiting", waits, "localhost"), ("compiling", runs, "localhost")]
    values: dict[str, Any] = {"reason": "linking", "host": "localhost", "slot": slot, "label": f"app{job}"}
    return record(job, at, steps, **values | fields)


def record(job: int, at: float, steps: Iterable[tuple[Any, float, str]], **fields: Any) -> Record:
    """A job with these phases: state, seconds, host; one of no length is left out."""
    phases, after = [], 0.0
    for state, seconds, host in steps:
        if seconds:
            phases.append(Phase(state, after, host))
            after += seconds
    values: dict[str, Any] = {
        "agent": "a1", "job": job, "build": "build-1", "label": f"src/u{job}.cc",
        "directory": "/home/me/project", "state": "done", "seconds": after,
    }  # fmt: skip
    return Record(started=START + at, phases=tuple(phases), **values | fields)


def write_journal(state_dir: Path, records: Iterable[Record]) -> Path:
    """The journal with these."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / NAME
    path.write_bytes(b"".join(map(encode, records)))
    return path


def busy_build(hosts: int, slots: int, seconds: float, *, parallel: int, each: float = 1.0) -> list[Record]:
    """Every slot runs one job after the other; so many more wait that `parallel` are there."""
    wait = each * (parallel / (hosts * slots) - 1)
    jobs, number = [], 0
    for host in range(hosts):
        for slot in range(slots):
            for turn in range(round(seconds / each)):
                number += 1
                begins = turn * each  # on the host
                at = max(0.0, begins - wait - 0.01)
                fields = {"prepares": 0.001, "uploads": 0.0, "runs": each - 0.01, "returns": 0.0}
                jobs.append(remote(number, f"b{host}:3632", slot, at=at, waits=begins - at, **fields))
    return sorted(jobs, key=lambda job: job.started)
