"""What every fuzz target shares: its command line, and a bounded number of reproducible inputs.

A target has one invariant, in its first line, one function that raises when an input breaks it, and
seeds: good inputs to damage. `--seed` repeats a campaign exactly.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

Check = Callable[[bytes, random.Random], None]

# Numbers at the edges of what a length may be, as a packet of distcc and as a native integer.
_EDGES: Final = (
    b"00000000",
    b"00000001",
    b"ffffffff",
    b"80000000",
    b"-0000001",
    b"0x000010",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
)


def run(check: Check, seeds: Sequence[bytes], *, iterations: int, seed: int) -> None:
    """Check this many inputs. What `check` raises gets a note with the input, and ends the campaign."""
    choices = random.Random(seed)
    for iteration in range(iterations):
        data = choices.randbytes(choices.randrange(200)) if choices.random() < 0.1 else choices.choice(seeds)
        for _ in range(choices.randrange(6)):
            data = _damage(data, choices)
        try:
            check(data, choices)
        except Exception as error:
            error.add_note(f"seed {seed}, iteration {iteration}, input {data!r}")
            raise


def pieces(data: bytes, choices: random.Random) -> list[bytes]:
    """The input, cut at random places."""
    cuts = sorted(choices.randrange(len(data) + 1) for _ in range(choices.randrange(8)))
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def main(check: Check, seeds: Sequence[bytes]) -> None:
    """The command line of a target."""
    name = sys.argv[0]
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--iterations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    run(check, seeds, iterations=options.iterations, seed=options.seed)
    seconds = time.monotonic() - started
    print(
        f"{name}: {options.iterations} inputs of seed {options.seed} kept the invariant, in {seconds:.1f} s"
    )


def _damage(data: bytes, choices: random.Random) -> bytes:
    at = choices.randrange(len(data) + 1)
    span = choices.choice((1, 1, 1, 2, 4, 8, 30))
    match choices.randrange(6):
        case 0:
            return data[:at] + choices.randbytes(span) + data[at + span :]
        case 1:
            return data[:at] + choices.randbytes(span) + data[at:]
        case 2:
            return data[:at] + data[at + span :]
        case 3:
            return data[:at]
        case 4:
            return data[:at] + data[at : at + span] * choices.randrange(2, 5) + data[at + span :]
        case _:
            edge = choices.choice(_EDGES)
            return data[:at] + edge + data[at + len(edge) :]
