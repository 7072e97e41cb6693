"""The table: one row for each figure, with its goal where there is one."""

import statistics
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one system."""

    workload: str
    system: str
    values: tuple[float | None, ...]  # one for each round; None: that round failed
    unit: str = "x bound"
    goal: float | None = None
    at_least: bool = False  # the goal is a minimum
    detail: str = ""

    @property
    def median(self) -> float | None:
        """Of the rounds that did not fail; None when one did."""
        found = [value for value in self.values if value is not None]
        return statistics.median(found) if found and len(found) == len(self.values) else None

    @property
    def verdict(self) -> str:
        """Whether the goal is reached."""
        if self.goal is None:
            return ""
        median = self.median
        reached = median is not None and (median >= self.goal if self.at_least else median <= self.goal)
        return f"{'>=' if self.at_least else '<='} {self.goal:.2f} {'ok' if reached else 'MISSED'}"


@dataclass(slots=True)
class Report:
    """Rows as they come; the table at the end."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keep it, and show it at once on standard error: a whole run takes long."""
        self.rows.append(row)
        print(line(row), file=sys.stderr, flush=True)

    def note(self, sentence: str) -> None:
        """Something to read below the table."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def print_table(self) -> None:
        """Everything, together."""
        print(heading())
        for row in self.rows:
            print(line(row))
        for note in self.notes:
            print(note)


def heading() -> str:
    """Above the columns of `line`."""
    return f"{'workload':34}{'system':38}{'median':>8} {'unit':12}{'goal':16}spread; detail"


def line(row: Row) -> str:
    """One row of the table."""
    median = row.median
    figure = "failed" if median is None else f"{median:.2f}"
    found = [value for value in row.values if value is not None]
    spread = f"{min(found):.2f}-{max(found):.2f}" if len(found) > 1 else ""
    detail = "; ".join(text for text in (spread, row.detail) if text)
    return f"{row.workload:34}{row.system:38}{figure:>8} {row.unit:12}{row.verdict:16}{detail}".rstrip()
