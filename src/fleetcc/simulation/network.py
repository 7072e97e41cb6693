"""Messages between clients and servers: they take their time, arrive in order, and are counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fleetcc.simulation.clock import Clock
from fleetcc.simulation.scenario import Costs


@dataclass(slots=True)
class Network:
    """The same latency between all."""

    clock: Clock
    costs: Costs
    sent: Counter[str] = field(default_factory=Counter)

    def message(self, kind: str, arrive: Callable[[], None]) -> None:
        """One small message."""
        self.sent[kind] += 1
        self.clock.after(self.costs.latency, arrive)
