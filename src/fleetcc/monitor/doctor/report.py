"""A doctor's findings as text, as JSON, and as an exit status. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from fleetcc.monitor.doctor.findings import Checked, Finding, Level
from fleetcc.settings import printable

_SIGNS: Final = {Level.OK: "ok", Level.WARNING: "warning", Level.ERROR: "ERROR"}
_INDENT: Final = " " * 11

# A sign and its level: how a terminal shows it.
Paint = Callable[[str, Level], str]


def plain(text: str, _level: Level) -> str:
    """Without colours."""
    return text


def as_text(checked: Iterable[Checked], paint: Paint = plain) -> str:
    """A heading for each check, a line for each finding, its remedy below; last how many there are."""
    lines: list[str] = []
    found: list[Finding] = []
    heading = ""
    for one in checked:
        if one.findings and one.name != heading:
            heading = one.name
            lines.append(heading)
        for finding in one.findings:
            found.append(finding)
            sign = paint(f"{_SIGNS[finding.level]:<7}", finding.level)
            lines.append(f"  {sign}  {printable(finding.title)}: {printable(finding.text)}")
            if finding.remedy:
                lines.append(f"{_INDENT}-> {printable(finding.remedy)}")
    return "\n".join([*lines, "", summary(found)])


def summary(found: Sequence[Finding]) -> str:
    """How many of each level."""
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    errors, warnings = counts[Level.ERROR], counts[Level.WARNING]
    if not errors and not warnings:
        return f"everything is in order ({counts[Level.OK]} findings)"
    return f"{_count(errors, 'error')}, {_count(warnings, 'warning')}, {counts[Level.OK]} in order"


def as_json(checked: Iterable[Checked]) -> str:
    """An array of objects: check, level, title, text, remedy."""
    rows = [
        {
            "check": one.name,
            "level": finding.level.value,
            "title": printable(finding.title),
            "text": printable(finding.text),
            "remedy": printable(finding.remedy),
        }
        for one in checked
        for finding in one.findings
    ]
    return msgspec.json.encode(rows).decode()


def exit_status(checked: Iterable[Checked]) -> int:
    """1 when there is an error, else 0: warnings are for people."""
    return int(any(finding.level is Level.ERROR for one in checked for finding in one.findings))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
