"""The cores of one simulated host: what runs on them, and when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fleetcc.simulation.clock import Clock, Timer
from fleetcc.simulation.scenario import SimHost


@dataclass(eq=False, slots=True)
class Running:
    """One compiler."""

    start: float
    timer: Timer


@dataclass(eq=False, slots=True)
class Machine:
    """One host. Whoever uses it keeps to its slots."""

    host: SimHost
    clock: Clock
    is_dead: bool = False
    busy_seconds: float = 0.0  # slots in use, summed up
    _running: dict[Running, None] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Slots that run nothing."""
        return 0 if self.is_dead else self.host.slots - len(self._running)

    def run(self, seconds: float, ended: Callable[[float], None]) -> Running:
        """Start a job of so many standard seconds; `ended` hears how long it took here."""
        start = self.clock.now
        took = self.host.end_of(seconds, start) - start

        def end() -> None:
            self.stop(running)
            ended(took)

        running = Running(start, self.clock.after(took, end))
        self._running[running] = None
        return running

    def stop(self, running: Running) -> None:
        """It has ended, or nobody waits for it."""
        if running in self._running:
            del self._running[running]
            running.timer.cancel()
            self.busy_seconds += self.clock.now - running.start

    def die(self) -> None:
        """Everything that runs is lost."""
        for running in list(self._running):
            self.stop(running)
        self.is_dead = True
