"""A fleet client's demand in the line, and the grants that came of it.

While more is wanted and nothing forbids it, one late request stands in the line. When the gate lets it come,
it is a grant, the next one joins, and all grants of one turn of the event loop are told in one message. A
grant is the ticket of the job that uses it.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from fleetcc.model import Priority
from fleetcc.server.gate import Gate, Ticket


class Demand:
    """What one client wants, and what it has been granted and has not used."""

    def __init__(self, gate: Gate, is_allowed: Callable[[int], bool], tell: Callable[[int], None]) -> None:
        self.client = ""
        self._gate = gate
        self._is_allowed = is_allowed  # one more grant, with so many unused
        self._tell = tell
        self._want = 0
        self._priority = Priority.NORMAL
        self._queued: Ticket | None = None
        self._granted: deque[Ticket] = deque()
        self._untold = 0  # of the granted, the last ones

    @property
    def grants(self) -> int:
        """Grants that no job has used."""
        return len(self._granted)

    @property
    def wanted(self) -> int:
        """Jobs that the client has beyond those."""
        return self._want

    def replace(self, most: int, priority: Priority) -> None:
        """The client says what it wants now."""
        if priority is not self._priority:
            self._priority = priority
            self._leave_line()
        self._want = most
        self.refill()

    def refill(self) -> None:
        """Stand in the line, or leave it: something that allows or forbids it may have changed."""
        if not self._want or not self._is_allowed(len(self._granted)):
            self._leave_line()
        elif self._queued is None:
            weight = self._priority.weight
            self._queued = self._gate.join(
                self.client, "", self._grant_one, lambda: None, weight, is_late=True
            )

    def use(self) -> Ticket:
        """A job comes for the oldest grant."""
        return self._granted.popleft()

    def give_back(self, count: int) -> None:
        """So many grants, the oldest ones, are of no use."""
        for _ in range(count):
            self._gate.leave(self._granted.popleft())
        self.refill()

    def withdraw(self) -> None:
        """Want nothing more, and forget the grants that the client does not know of yet."""
        self._want = 0
        self._leave_line()
        for _ in range(self._untold):
            self._gate.leave(self._granted.pop())
        self._untold = 0

    def close(self) -> None:
        """Give everything back."""
        self.withdraw()
        self.give_back(len(self._granted))

    def _leave_line(self) -> None:
        if self._queued is not None:
            self._gate.leave(self._queued)
            self._queued = None

    def _grant_one(self) -> None:
        assert self._queued is not None
        self._granted.append(self._queued)
        self._queued = None
        self._want -= 1
        self._untold += 1
        if self._untold == 1:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self.refill()

    def _tell_all(self) -> None:
        count, self._untold = self._untold, 0
        if count:
            self._tell(count)
