"""How many compilers this machine should run now, given what others do on it.

Load. The load average counts our compilers too, so what others cause is the load average minus the
average of our own running count over the same minute. Capacity is what remains of the load limit,
never less than one slot (a build must not stop because somebody renders a film) and never more than
the configured slots.

Memory. A compiler that starts a swap storm or meets the OOM killer costs more than one that waits, so
nothing starts while less than the reserve is available or memory pressure stalls too many tasks.
When none of ours runs, waiting would not free anything of ours: then a quarter of the reserve is enough.
"""

from dataclasses import dataclass
from math import exp, floor
from typing import Final

from fleetcc.errors import UsageError

# The kernel's one-minute load average decays with this time constant.
LOAD_SPAN_SECONDS: Final = 60.0
# PSI "some avg10": per cent of the last ten seconds in which at least one task waited for memory.
# Reclaim of page cache during an ordinary build stays under 10; 40 is thrashing.
MEMORY_PRESSURE_LIMIT: Final = 40.0
DEFAULT_RESERVE_FRACTION: Final = 0.05
DEFAULT_RESERVE_FLOOR_BYTES: Final = 256 << 20
_SIZE_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class Memory:
    """What a compiler could still use, in bytes, and the share of time lost to memory shortage."""

    total_bytes: int
    available_bytes: int
    pressure_percent: float


def decayed(average: float, count: int, elapsed_seconds: float) -> float:
    """The one-minute average of a count that has been `count` for this long."""
    return count + (average - count) * exp(-max(0.0, elapsed_seconds) / LOAD_SPAN_SECONDS)


def default_load_limit(slots: int, cpus: int) -> float:
    """The load at which every slot may still be used: everything busy, and a quarter more waiting.

    A machine with fewer slots than processors has room for others' load up to its processors.
    """
    return max(slots, cpus) + max(1.0, cpus / 4)


def slots_under_load(slots: int, load_limit: float, load: float, ours: float) -> int:
    """How many of the slots may be used; a load limit of 0 means that load never matters."""
    if load_limit <= 0:
        return slots
    others = max(0.0, load - ours)
    return max(1, min(slots, floor(load_limit - others)))


def memory_allows(memory: Memory, reserve_bytes: int, running: int) -> bool:
    """Whether one more compiler may start."""
    if reserve_bytes <= 0:
        return True
    if running == 0:
        return memory.available_bytes >= reserve_bytes // 4
    return memory.available_bytes >= reserve_bytes and memory.pressure_percent <= MEMORY_PRESSURE_LIMIT


def default_reserve(total_bytes: int) -> int:
    """5 % of memory, at least 256 MiB, but never more than a quarter of a small machine."""
    wanted = max(DEFAULT_RESERVE_FLOOR_BYTES, int(total_bytes * DEFAULT_RESERVE_FRACTION))
    return min(wanted, total_bytes // 4)


def parse_size(what: str, text: str, total_bytes: int) -> int:
    """`500M`, `2G`, `10%` of the total, or bytes; raises UsageError that names `what`."""
    word = text.strip().upper().removesuffix("IB").removesuffix("B")
    try:
        if word.endswith("%"):
            fraction = float(word[:-1]) / 100
            if 0 <= fraction < 1:
                return int(total_bytes * fraction)
        else:
            unit = word[-1:] if word[-1:] in _SIZE_UNITS and word[-1:] else ""
            size = float(word.removesuffix(unit)) * _SIZE_UNITS[unit]
            if 0 <= size < float("inf"):
                return int(size)
    except ValueError:
        pass
    raise UsageError(f"{what} {text!r}: expected a size such as 500M, 2G or 10%")
