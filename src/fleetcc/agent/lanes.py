"""The slots of each host as lanes: a job gets the lowest number that no other of ours has there.

Hosts do not number their slots, and a job keeps its lane until it has ended here, a moment after its host
has taken the next one: there may be a lane or two more than the host has slots.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Lanes:
    """Which lanes are in use, as bits, by host."""

    _used: dict[str, int] = field(default_factory=dict)

    def take(self, host: str) -> int:
        """The lowest free lane of this host, from 0."""
        used = self._used.get(host, 0)
        lowest = ~used & (used + 1)
        self._used[host] = used | lowest
        return lowest.bit_length() - 1

    def give_back(self, host: str, lane: int) -> None:
        """It is free again."""
        self._used[host] &= ~(1 << lane)
