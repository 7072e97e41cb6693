"""What the include scanner misses and what it costs, beside `cc -M` and `cc -E` of the same units.

    apt-get install libboost-dev libeigen3-dev qtbase5-dev
    python bench/scan.py --units 500

A unit is a source of one line that includes one header, for each header of Boost, Eigen, Qt and libstdc++.
Units whose own `cc -M` fails are passed over and counted: their headers are not meant to be included alone.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleetcc.files.digests import Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.layers import Layers
from fleetcc.includes.closure import Closure
from fleetcc.includes.scanner import Scanner
from fleetcc.includes.unit import Search, Unit, absolute
from fleetcc.model import Family
from fleetcc.toolchain.search import Searches, question
from fleetcc.toolchain.search_dependencies import dependencies

QT = "/usr/include/x86_64-linux-gnu/qt5"


@dataclass(frozen=True, slots=True)
class Library:
    """Headers, and the options with which they are included."""

    name: str
    root: str
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()

    def headers(self) -> Iterator[str]:
        """Names as a user would include them."""
        for folder in self.folders:
            for path in sorted(Path(self.root, folder).rglob("*")):
                is_header = path.suffix in {".h", ".hpp"} or (path.suffix == "" and path.name[0].isupper())
                if path.is_file() and (is_header or self.name == "libstdc++"):
                    yield os.path.relpath(path, self.root)


LIBRARIES = (
    Library("Boost", "/usr/include", ("boost",)),
    Library("Eigen", "/usr/include/eigen3", ("Eigen", "unsupported"), ("-isystem", "/usr/include/eigen3")),
    Library(
        "Qt",
        QT,
        ("QtCore", "QtGui", "QtWidgets", "QtNetwork", "QtXml", "QtSql", "QtTest", "QtDBus", "QtConcurrent"),
        (
            "-fPIC",
            f"-I{QT}",
            *(f"-I{QT}/Qt{name}" for name in ("Core", "Gui", "Widgets", "Network", "Xml", "Sql", "Test")),
        ),
    ),
    Library("libstdc++", "/usr/include/c++/12", ("",)),
)


@dataclass(slots=True)
class Tally:
    """What was counted for one library."""

    units: int = 0
    refused: int = 0  # by `cc -M`
    missed: int = 0  # units with a file that `cc -M` lists and the scan does not
    asked: int = 0  # units that needed `cc -M`
    lost: int = 0  # units that neither can resolve
    found: int = 0
    needed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    cold: list[float] = field(default_factory=list)
    preprocessor: list[float] = field(default_factory=list)
    next: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    layer: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


class Bench:
    """One compiler, and one scanner that gets to know the libraries as an agent would."""

    def __init__(self, compiler: str, folder: str) -> None:
        found = shutil.which(compiler)
        if found is None:
            raise SystemExit(f"{compiler}: not found")
        self.program, self.name = os.fsencode(os.path.realpath(found)), os.fsencode(compiler)
        self.family = Family.CLANG if "clang" in compiler else Family.GCC
        self.cwd = os.fsencode(folder)
        self.disk = RealDisk()
        self.scanner = Scanner(self.disk)
        self.searches = Searches(self.disk)
        self.layers = Layers(self.disk, Digests())

    def unit(self, library: Library, header: str, number: int) -> Unit:
        """Write a unit's source."""
        source = b"unit%d.cpp" % number
        Path(os.fsdecode(absolute(self.cwd, source))).write_text(f"#include <{header}>\n")
        words = tuple(map(os.fsencode, library.options))
        return self.described(source, words)

    def described(self, source: bytes, words: tuple[bytes, ...]) -> Unit:
        """The unit of a source that is there."""
        asked = question(self.program, self.name, os.environb, b"c++", words, self.cwd)
        search: Search = self.searches.find(asked, os.environb, self.cwd)
        return Unit(self.cwd, source, search, b"c++", (), (), family=self.family)

    def run(self, library: Library, header: str, number: int, tally: Tally, *, timed: bool) -> None:
        """Scan one unit and hold it against the compiler."""
        unit = self.unit(library, header, number)
        words = tuple(map(os.fsencode, library.options))
        listed = dependencies(
            self.program, (self.name, *words, b"-w", b"-M", unit.source), os.environb, self.cwd
        )
        if listed.paths is None:
            tally.refused += 1
            return
        tally.units += 1
        needed = {os.path.realpath(absolute(self.cwd, path)) for path in listed.paths}
        self.disk.begin()
        start = time.perf_counter()
        closure = self.scanner.scan(unit)
        tally.next.append(time.perf_counter() - start)
        self.compare(closure, needed, header, tally)
        if timed:
            self.time(unit, words, closure, tally)

    def compare(self, closure: Closure, needed: set[bytes], header: str, tally: Tally) -> None:
        """Count what is missing and what is too much."""
        found = {os.path.realpath(path) for path in closure.files}
        tally.found += len(found)
        tally.needed += len(needed)
        missing = needed - found
        if closure.unresolved:
            tally.reasons.update({one.reason.slug for one in closure.unresolved})
            tally.lost += not all(one.reason.preprocessor_knows for one in closure.unresolved)
            tally.asked += 1
        elif missing:
            tally.missed += 1
            print(f"  missed by <{header}>: {sorted(map(os.fsdecode, missing))[:5]}")

    def time(self, unit: Unit, words: tuple[bytes, ...], closure: Closure, tally: Tally) -> None:
        """Time the scan of a process that knows nothing, `cc -E`, and a warm scan with its layer."""
        disk = RealDisk()
        disk.begin()
        start = time.perf_counter()
        Scanner(disk).scan(unit)
        tally.cold.append(time.perf_counter() - start)
        disk.close()
        argv = (self.name, *words, b"-E", unit.source)
        start = time.perf_counter()
        subprocess.run(argv, executable=self.program, cwd=self.cwd, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)  # fmt: skip
        tally.preprocessor.append(time.perf_counter() - start)
        tally.files.append(len(closure.files))
        tally.warm.append(self.warm(unit))
        closure = self.scanner.scan(unit)
        self.layers.of(closure)
        self.disk.begin()
        self.scanner.scan(unit)
        start = time.perf_counter()
        self.layers.of(closure)
        tally.layer.append(time.perf_counter() - start)

    def warm(self, unit: Unit) -> float:
        """The median of several scans of a unit whose files are older than a clock's tick."""
        taken = []
        time.sleep(0.04)  # the source was written just now; an agent sees it so only once
        for _ in range(8):
            start = time.perf_counter()
            self.disk.begin()
            self.searches.lookup(question(self.program, self.name, os.environb, b"c++", (), self.cwd))
            self.scanner.scan(unit)
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[3:])


def main() -> None:
    """Print a line for each library."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=400, help="how many in all (default: 400)")
    parser.add_argument("--timed", type=int, default=60, help="how many of them are timed (default: 60)")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--library", choices=[library.name for library in LIBRARIES])
    options = parser.parse_args()
    chosen = [library for library in LIBRARIES if options.library in {None, library.name}]
    everything = [(library, header) for library in chosen for header in library.headers()]
    random.Random(0).shuffle(everything)
    tallies = {library.name: Tally() for library in chosen}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.compiler, os.path.realpath(folder))
        every = max(1, options.units // max(1, options.timed))
        done = 0
        for number, (library, header) in enumerate(everything):
            if done >= options.units:
                break
            tally = tallies[library.name]
            bench.run(library, header, number, tally, timed=done % every == 0)
            done = sum(tally.units for tally in tallies.values())
        bench.disk.close()
    report(options.compiler, tallies)


def report(compiler: str, tallies: dict[str, Tally]) -> None:
    """Print the table, and why the compiler was asked."""
    print(
        f"{compiler}; milliseconds are medians of wall time; `found` is files of the scan per file of cc -M"
    )
    print(
        f"{'':10}{'units':>7}{'refused':>9}{'missed':>8}{'asked':>7}{'lost':>6}{'found':>7}"
        f"{'files':>7}{'cold':>8}{'cc -E':>8}{'next':>8}{'warm':>8}{'layer':>8}"
    )
    for name, tally in tallies.items():
        print(
            f"{name:10}{tally.units:7}{tally.refused:9}{tally.missed:8}{tally.asked:7}{tally.lost:6}"
            f"{tally.found / max(1, tally.needed):7.2f}{_median(tally.files):7.0f}"
            f"{_ms(tally.cold):8.1f}{_ms(tally.preprocessor):8.1f}{_ms(tally.next):8.2f}"
            f"{_ms(tally.warm):8.3f}{_ms(tally.layer):8.3f}"
        )
    total = sum(tally.units for tally in tallies.values())
    asked = sum(tally.asked for tally in tallies.values())
    print(f"{total} units, {asked / max(1, total):.1%} needed cc -M:", dict(_reasons(tallies)))
    print(f"missed: {sum(tally.missed for tally in tallies.values())}")


def _reasons(tallies: dict[str, Tally]) -> Counter[str]:
    return sum((tally.reasons for tally in tallies.values()), Counter())


def _median(numbers: list[int]) -> float:
    return statistics.median(numbers) if numbers else 0.0


def _ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000 if seconds else 0.0


if __name__ == "__main__":
    main()
