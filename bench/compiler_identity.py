"""What it costs to know which compiler a program is: examined, examined again, and looked up.

python bench/compiler_identity.py
"""

import os
import shutil
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable

from fleetcc.toolchain.contents import Contents
from fleetcc.toolchain.identity import Identity, examine
from fleetcc.toolchain.identity_cache import IdentityCache

DRIVERS = ("gcc", "g++", "clang", "clang++")


def main() -> None:
    """Print a line for each compiler."""
    print("milliseconds of wall time, medians; files are in the page cache")
    print(f"{'':10}{'first':>10}{'files known':>13}{'lookup':>10}{'files':>7}")
    with tempfile.TemporaryDirectory() as folder:
        cache = IdentityCache(os.path.join(folder, "identities"))
        for driver in DRIVERS:
            found = shutil.which(driver)
            if found is not None:
                report(driver, os.path.realpath(os.path.dirname(found)) + "/" + driver, cache)
        restart = milliseconds(lambda: IdentityCache(cache.path), 5)
        print(f"reading the file after a restart {restart:.3f} ms")


def report(driver: str, path: str, cache: IdentityCache) -> None:
    """Measure one compiler."""
    program, environment = os.fsencode(path), dict(os.environb)
    contents = Contents()
    first = milliseconds(lambda: examine(program, environment, Contents()), 3)
    identity = examine(program, environment, contents)
    if not isinstance(identity, Identity):
        print(f"{driver:10}{identity.reason}")
        return
    again = milliseconds(lambda: examine(program, environment, contents), 5)
    cache.find(program, environment)
    lookup = min(timeit.repeat(lambda: cache.lookup(program, environment), number=1000, repeat=7))
    print(f"{driver:10}{first:10.1f}{again:13.1f}{lookup:10.4f}{len(identity.files):7}")


def milliseconds(work: Callable[[], object], runs: int) -> float:
    """The median of several runs, after one that warms the page cache."""
    taken = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    main()
