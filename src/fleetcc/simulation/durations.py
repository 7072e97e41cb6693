"""How long the jobs of a simulated build take: drawn, or recorded from a real one. Pure."""

import json
from collections.abc import Iterable
from dataclasses import replace
from math import exp, log
from random import Random

from fleetcc.simulation.scenario import SimJob


def log_normal(rng: Random, count: int, *, mean: float, sigma: float, cap: float) -> list[float]:
    """Seconds whose mean is `mean` (before the cap) and whose logarithms spread by `sigma`."""
    middle = log(mean) - sigma * sigma / 2
    return [min(cap, exp(rng.gauss(middle, sigma))) for _ in range(count)]


def varied(rng: Random, jobs: Iterable[SimJob], sigma: float) -> tuple[SimJob, ...]:
    """The same jobs in another build: nothing takes exactly as long again."""
    return tuple(replace(job, seconds=job.seconds * exp(rng.gauss(0, sigma))) for job in jobs)


def named(client: str, seconds: Iterable[float]) -> tuple[SimJob, ...]:
    """Jobs of these durations, in this order."""
    return tuple(SimJob(f"{client}/{number:05}.cc", each) for number, each in enumerate(seconds))


def recorded(text: str) -> list[float]:
    """The durations in a `.ninja_log`, a JSON array of numbers, or lines that end with a number.

    Raises ValueError with the line that cannot be read.
    """
    if text.startswith("# ninja log"):
        found = _from_ninja_log(text)
    elif text.lstrip().startswith("["):
        found = _from_json(text)
    else:
        found = _from_lines(text)
    if not found:
        raise ValueError("it has no durations")
    shortest = min(found)
    if not shortest > 0:
        raise ValueError(f"{shortest} is not a duration: it must be above 0")
    return found


def _from_json(text: str) -> list[float]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    wrong = [each for each in found if not isinstance(each, int | float)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} in the JSON array is no number of seconds")
    return [float(each) for each in found]


def _from_ninja_log(text: str) -> list[float]:
    """Start and end in milliseconds, mtime, output, hash; one command may have several outputs."""
    last: dict[str, tuple[int, int]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split("\t")
        if len(fields) != 5:
            raise ValueError(f"{line!r} has {len(fields)} columns where a .ninja_log has 5")
        last[fields[4]] = int(fields[0]), int(fields[1])
    spans = sorted(last.values())
    return [(end - start) / 1000 for start, end in spans if end > start]


def _from_lines(text: str) -> list[float]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            found.append(float(words[-1]))
        except ValueError:
            if found or number > 1:  # the first line may be the head of a table
                raise ValueError(f"line {number}, {line!r}, does not end with a number of seconds") from None
    return found
