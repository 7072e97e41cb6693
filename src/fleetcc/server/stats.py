"""What one server process has done since it started, in plain numbers: they cost a job some additions.

Nothing here knows who reads them: the log at the end, `metrics`, and `stats_text`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

# Whose protocol a job came by, and what it is made of.
Kind: TypeAlias = Literal["files", "text", "distcc", "pump"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# Why somebody was not served.
Cause: TypeAlias = Literal[
    "not-allowed",  # its address is not in --allow
    "overloaded",  # more connections wait than may
    "too-many",  # fleet connections of one address
    "version",  # of the fleet protocol
    "malformed",  # bytes that the protocol does not have
    "silent",  # sent nothing, or took nothing, in time
    "command",  # that this server does not run
    "compiler",  # that cannot be run here
    "identity",  # no compiler with the identity that the job names
    "sandbox",  # that could not be made
    "limits",  # of memory, of disk, of what a job may leave
    "lifetime",  # the job ran too long
    "queue-timeout",  # it waited too long for a slot
    "store-full",  # its files have no room here
]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

# What of a job's outcomes is a refusal of ours.
_CAUSE_OF: Final[dict[str, Cause]] = {
    "form-refused": "command",
    "missing-compiler": "compiler",
    "not-started": "compiler",
    "unknown-compiler": "identity",
    "sandbox": "sandbox",
    "limits": "limits",
    "too-much": "limits",
    "timeout": "lifetime",
}
# A compiler has spoken.
SPOKEN: Final = ("ok", "compile-error")

# Most units take between a tenth of a second and a minute; what waits is either at once or long.
COMPILE_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
WAITING_BOUNDS: Final = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0)


class Histogram:
    """How often which durations came."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds  # seconds, ascending
        self.counts = [0] * (
            len(bounds) + 1
        )  # up to each bound and above the one before; the last: above all
        self.total = 0.0  # seconds

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(frozen=True, slots=True)
class Extreme:
    """The job that had most of something."""

    value: float = 0.0
    label: str = "none"
    compiler: str = "none"


def _histograms(bounds: Sequence[float]) -> dict[Kind, Histogram]:
    return {kind: Histogram(bounds) for kind in KINDS}


@dataclass(slots=True)
class Stats:
    """Counts since the start."""

    accepted: int = 0  # connections
    received: int = 0  # bytes of clients, all of them
    sent: int = 0  # bytes to clients, all of them
    grants: int = 0
    refusals: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    jobs: dict[tuple[Kind, str], int] = field(
        default_factory=lambda: {(kind, outcome): 0 for kind in KINDS for outcome in SPOKEN}
    )
    compiling: dict[Kind, Histogram] = field(default_factory=lambda: _histograms(COMPILE_BOUNDS))
    waiting: dict[Kind, Histogram] = field(default_factory=lambda: _histograms(WAITING_BOUNDS))
    cpu_seconds: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    longest: Extreme = Extreme()  # in seconds
    biggest: Extreme = Extreme()  # in bytes

    @property
    def total(self) -> int:
        """Jobs that have ended."""
        return sum(self.jobs.values())

    @property
    def rejected(self) -> int:
        """Everything that was refused after it had been let in."""
        return sum(self.refusals.values()) - self.refusals["not-allowed"] - self.refusals["overloaded"]

    def by_outcome(self) -> dict[str, int]:
        """Jobs of all kinds."""
        counts: dict[str, int] = {}
        for (_, outcome), count in self.jobs.items():
            if count:
                counts[outcome] = counts.get(outcome, 0) + count
        return counts

    def refuse(self, cause: Cause) -> None:
        """Somebody was not served."""
        self.refusals[cause] += 1

    def count(self, kind: Kind, outcome: str) -> None:
        """One job has ended this way."""
        self.jobs[kind, outcome] = self.jobs.get((kind, outcome), 0) + 1
        cause = _CAUSE_OF.get(outcome)
        if cause is not None:
            self.refuse(cause)
