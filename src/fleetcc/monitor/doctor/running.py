"""Runs the checks of a doctor's table beside each other; none of them can hold up the answer."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from fleetcc.errors import FleetccError, UsageError
from fleetcc.monitor.doctor.findings import C, Check, Checked, Finding, error

T = TypeVar("T")

_LATE: Final = "see what keeps it: a network file system, a name server, or a program that does not end"


def run_checks(table: Sequence[Check[C]], context: C) -> list[Checked]:
    """Run every row in a thread of its own, and wait for each as long as it may take; in the table's order.

    Threads that are late are left alone: the process ends without them.
    """
    begun = time.monotonic()
    runs = [_Run(check, context) for check in table]
    return [run.wait(begun) for run in runs]


class _Run(Generic[C]):
    """One row at work. What it has found before it was late counts."""

    def __init__(self, check: Check[C], context: C) -> None:
        self._check = check
        self._context = context
        self._found: list[Finding] = []
        self._seconds = 0.0
        self._over = threading.Event()
        self._begun = time.monotonic()
        threading.Thread(target=self._run, name=f"check {check.name}", daemon=True).start()

    def wait(self, begun: float) -> Checked:
        limit = self._check.seconds
        if self._over.wait(max(0.0, begun + limit - time.monotonic())):
            return Checked(self._check.name, tuple(self._found), self._seconds)
        late = error(self._check.name, f"this check did not end within {limit:g} s", _LATE)
        return Checked(self._check.name, (*tuple(self._found), late), limit)

    def _run(self) -> None:
        try:
            self._found.extend(self._findings())
        finally:
            self._seconds = time.monotonic() - self._begun
            self._over.set()

    def _findings(self) -> Iterable[Finding]:
        try:
            # One by one, so that those before the one that hangs are told.
            for finding in self._check.look(self._context):
                self._found.append(finding)
        except UsageError as problem:
            yield error(self._check.name, str(problem), "correct that")
        except Exception as problem:  # noqa: BLE001 - a check that breaks is a finding, and the others go on
            what = f"{problem}" if isinstance(problem, (FleetccError, OSError)) else repr(problem)
            yield error(self._check.name, f"this check failed: {what}", "report this if it stays so")


@dataclass(slots=True)
class Once(Generic[T]):
    """Something that several checks need: whoever is first makes it, the others wait."""

    make: Callable[[], T]
    _made: list[T] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self) -> T:
        """The thing; raises what making it raises, each time."""
        with self._lock:
            if not self._made:
                self._made.append(self.make())
            return self._made[0]
