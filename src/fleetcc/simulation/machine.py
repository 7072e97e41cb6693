"""The cores of one simulated host: what runs on them, and when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fleetcc.simulation.clock import Clock, Timer
from fleetcc.simulation.scenario import SimHost


@dataclass(eq=False, slots=True)
class Machine:
    """One host. Whoever uses it keeps to its slots."""

    host: SimHost
    clock: Clock
    is_dead: bool = False
    _running: dict[Timer, None] = field(default_factory=dict)  # the end of each compiler

    @property
    def free(self) -> int:
        """Slots that run nothing."""
        return 0 if self.is_dead else self.host.slots - len(self._running)

    def run(self, seconds: float, ended: Callable[[float], None]) -> Timer:
        """Start a job of so many standard seconds; `ended` hears how long it took here."""
        start = self.clock.now
        took = self.host.end_of(seconds, start) - start

        def end() -> None:
            self.stop(running)
            ended(took)

        running = self.clock.after(took, end)
        self._running[running] = None
        return running

    def stop(self, running: Timer) -> None:
        """It has ended, or nobody waits for it."""
        if running in self._running:
            del self._running[running]
            running.cancel()

    def die(self) -> None:
        """Everything that runs is lost."""
        for running in list(self._running):
            self.stop(running)
        self.is_dead = True
