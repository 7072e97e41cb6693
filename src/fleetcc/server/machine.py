"""What this machine is and how busy it is, as the kernel tells: processors, load, memory, cgroup limits.

Every figure is read from /proc and /sys; what a kernel or container does not tell is taken as no limit.
"""

import math
import os
from typing import Final

from fleetcc.scheduling.capacity import Memory

_CGROUP_ROOT: Final = "/sys/fs/cgroup"


def usable_cpus() -> int:
    """Processors that this process may use: its affinity, cut by the cgroup's quota."""
    cpus = len(os.sched_getaffinity(0))
    for directory in _cgroup_directories():
        quota, _, period = _read(f"{directory}/cpu.max").partition(" ")
        if quota.isdigit() and period.strip().isdigit():
            cpus = min(cpus, max(1, math.ceil(int(quota) / int(period))))
    return cpus


def load_average() -> float:
    """The kernel's one-minute load average; 0 where it does not tell."""
    return float(_read("/proc/loadavg").split(" ", 1)[0] or 0)


def memory() -> Memory:
    """Memory that a new compiler could use, of the machine or of the tightest cgroup around us."""
    fields = _fields(_read("/proc/meminfo"), ":")
    total = fields.get("MemTotal", 0) << 10
    available = fields.get("MemAvailable", fields.get("MemFree", 0)) << 10
    for directory in _cgroup_directories():
        limit = _read(f"{directory}/memory.max").strip()
        used = _read(f"{directory}/memory.current").strip()
        if limit.isdigit() and used.isdigit():
            # Page cache that nobody uses now is given back before anything is killed.
            cache = _fields(_read(f"{directory}/memory.stat"), " ").get("inactive_file", 0)
            total = min(total, int(limit))
            available = min(available, max(0, int(limit) - int(used) + cache))
    return Memory(total, available, _memory_pressure())


def _memory_pressure() -> float:
    # some avg10=0.00 avg60=0.00 avg300=0.00 total=0
    for word in _read("/proc/pressure/memory").split("\n", 1)[0].split():
        name, _, value = word.partition("=")
        if name == "avg10":
            return float(value)
    return 0.0


def _cgroup_directories() -> list[str]:
    """The cgroup v2 directory of this process and its parents; empty without one.

    The root among them: in a container with a cgroup namespace it has the container's limits.
    """
    for line in _read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            path = line[3:].rstrip("/")
            found = []
            while path:
                found.append(_CGROUP_ROOT + path)
                path = path.rpartition("/")[0]
            return [*found, _CGROUP_ROOT]
    return []


def _fields(text: str, separator: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(separator)
        value = rest.split(maxsplit=1)
        if value and value[0].isdigit():
            found[name] = int(value[0])
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
