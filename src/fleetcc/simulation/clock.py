"""Virtual time: what is planned happens in order, and nothing takes any time but what is planned."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(eq=False, slots=True)
class Timer:
    """One planned happening."""

    act: Callable[[], None] | None

    def cancel(self) -> None:
        """It does not happen."""
        self.act = None


@dataclass(slots=True)
class Clock:
    """The time, and what happens when. Of two things planned for one moment the first planned comes first."""

    now: float = 0.0
    _planned: list[tuple[float, int, Timer]] = field(default_factory=list)
    _count: int = 0

    def after(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Plan something; 0 seconds: after everything that is planned for this moment."""
        timer = Timer(act)
        self._count += 1
        heappush(self._planned, (self.now + seconds, self._count, timer))
        return timer

    def step(self) -> bool:
        """Let the next thing happen; False: nothing is planned."""
        while self._planned:
            time, _, timer = heappop(self._planned)
            act = timer.act
            if act is not None:
                self.now = time
                timer.act = None
                act()
                return True
        return False
