"""How many frames that nobody asked for a peer may send: a bucket that fills with time."""

from typing import Final

from fleetcc.errors import ProtocolError


class Budget:
    """One peer's bucket."""

    __slots__ = ("_at", "_burst", "_left", "_per_second", "_what")

    def __init__(self, burst: float, per_second: float, what: str = "frames that are no jobs") -> None:
        self._burst: Final = burst
        self._per_second: Final = per_second
        self._what = what
        self._left = burst
        self._at: float | None = None

    def spend(self, now: float, amount: float = 1.0) -> None:
        """One frame, or what it counts for; raises ProtocolError when the peer floods."""
        if self._at is not None:
            self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        self._left -= amount
        if self._left < 0:
            raise ProtocolError(f"a flood: more than {self._per_second:g} {self._what} a second")
