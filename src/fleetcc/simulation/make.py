"""`make -j` as the simulator plays it: the jobs of one build in their order, so many at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fleetcc.simulation.clock import Clock
from fleetcc.simulation.scenario import Build, SimJob


@dataclass(eq=False, slots=True)
class MakeRun:
    """One build. `start` hears the number of each job that make starts; `over` says that it is done."""

    build: Build
    clock: Clock
    start: Callable[[int], None]
    ended_at: float | None = None
    open: dict[int, SimJob] = field(default_factory=dict)  # started and not done
    _next: int = 0

    def begin(self) -> None:
        """Start as many jobs as make runs at once."""
        for _ in range(self.build.parallel):
            self._start_next()

    def over(self, number: int) -> None:
        """The job is done; the next one starts."""
        del self.open[number]
        self._start_next()

    def _start_next(self) -> None:
        if self._next == len(self.build.jobs):
            if not self.open:
                self.ended_at = self.clock.now
            return
        number, self._next = self._next, self._next + 1
        self.open[number] = self.build.jobs[number]
        self.start(number)
