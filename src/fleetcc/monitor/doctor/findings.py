"""What a check finds: a sentence for a person, and what to do about it. Pure.

An error is what somebody asked for and will not get; a warning is what works, and could work better or may
surprise. Only errors count for the exit status.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

C = TypeVar("C")


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing."""

    level: Level
    title: str  # the thing: a compiler, a host, a setting
    text: str
    remedy: str = ""  # what to do; empty where nothing is to be done


def ok(title: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, title, text)


def warning(title: str, text: str, remedy: str) -> Finding:
    """It works, and could work better."""
    return Finding(Level.WARNING, title, text, remedy)


def error(title: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.ERROR, title, text, remedy)


@dataclass(frozen=True, slots=True)
class Check(Generic[C]):
    """A row of a doctor's table: looks at one subject, in the context that the doctor has made."""

    name: str
    look: Callable[[C], Iterable[Finding]]
    seconds: float = 4.0  # it may take so long; what it has not found by then is said to be late


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one row."""

    name: str
    findings: tuple[Finding, ...]
    seconds: float
