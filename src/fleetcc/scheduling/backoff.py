"""Hosts that failed are left alone for 1, 2, 4 ... seconds: for all jobs, or for one compiler's. Pure."""

from dataclasses import dataclass, field
from typing import Final

FIRST_BACKOFF_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Backoff:
    failures: int
    until: float


@dataclass(slots=True)
class Backoffs:
    """Who is left alone, and until when."""

    _known: dict[tuple[str, bytes | None], _Backoff] = field(default_factory=dict)

    def failed(self, host: str, compiler: bytes | None, now: float, longest: float) -> float:
        """Leave the host alone, for one compiler or (None) for all; returns for how many seconds.

        Failures while it is left alone anyway (jobs that were already there) do not add up.
        """
        if longest <= 0:
            return 0.0
        key = (host, compiler)
        previous = self._known.get(key)
        if previous is not None and now < previous.until:
            return previous.until - now
        failures = 1 if previous is None else previous.failures + 1
        pause = min(longest, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 30))
        self._known[key] = _Backoff(failures, now + pause)
        return pause

    def succeeded(self, host: str, compiler: bytes | None = None) -> None:
        """The host did a job (with this compiler), or took a connection: it is forgiven."""
        if self._known:
            self._known.pop((host, None), None)
            self._known.pop((host, compiler), None)

    def until(self, host: str, compiler: bytes | None, now: float) -> float | None:
        """Until when the host is left alone, None when it may be asked."""
        if not self._known:
            return None
        ends = [
            backoff.until
            for backoff in (self._known.get((host, None)), self._known.get((host, compiler)))
            if backoff is not None and now < backoff.until
        ]
        return max(ends, default=None)

    def next_end(self, now: float) -> float | None:
        """When the next pause ends."""
        return min((known.until for known in self._known.values() if known.until > now), default=None)
