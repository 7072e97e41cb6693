"""What the scanner finds of a job's sources, and what the compiler itself must be asked for.

Not for several threads: whoever calls holds the disk's turn. What takes long runs in a thread meanwhile.
"""

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.command.replica import Shipment
from fleetcc.files.digests import Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.layers import Layer, Layers
from fleetcc.includes.closure import Closure
from fleetcc.includes.directives import marked_files
from fleetcc.includes.disk import Listing, Stamp
from fleetcc.includes.scanner import Scanner
from fleetcc.includes.unit import Search, Unit, absolute
from fleetcc.model import Reason
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.search import Searches, ask, question
from fleetcc.toolchain.search_dependencies import dependencies

InThread: TypeAlias = Callable[..., Awaitable[Any]]

MOST_UNITS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scan of one source has found."""

    closure: Closure
    layers: tuple[Layer, ...]  # of the closure, and of what only the preprocessor could tell
    search: Search


@dataclass(slots=True)
class Counts:
    """What happened, for people."""

    scans: int = 0
    asked: Counter[str] = field(default_factory=Counter)  # `cc -M`, by reason
    missed: int = 0  # compiles that failed for lack of a file that is here

    def as_json(self) -> dict[str, object]:
        """For `fleetcc status --json`."""
        return {"scans": self.scans, "asked_preprocessor": dict(self.asked), "missed": self.missed}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `cc -M` added to a closure, and as long as what it holds."""

    closure: Closure
    files: Mapping[bytes, Stamp]
    listings: Mapping[bytes, Listing | None]
    layer: Layer


class Scans:
    """The scans of one agent."""

    def __init__(self, disk: RealDisk, digests: Digests, layers: Layers, in_thread: InThread) -> None:
        self._disk = disk
        self._digests = digests
        self._layers = layers
        self._in_thread = in_thread
        self._scanner = Scanner(disk)
        self._searches = Searches(disk)
        self._scanned: set[Unit] = set()
        self._asked: dict[Unit, _Asked] = {}
        self._left_out: dict[Search, tuple[bytes, ...]] = {}  # directories that a compiler does not look in
        self._markers: dict[bytes, tuple[Stamp | None, tuple[bytes, ...]]] = {}  # of preprocessed texts
        self.counts = Counts()

    async def search(self, invocation: Invocation, words: tuple[bytes, ...], language: bytes) -> Search:
        cwd, environment = invocation.cwd, invocation.environment
        asked = question(invocation.program, invocation.argv[0], environment, language, words, cwd)
        found = self._searches.lookup(asked)
        if found is not None:
            return found
        try:
            answer = await self._in_thread(ask, asked, environment, cwd)
        except UnidentifiedError as error:
            raise CannotShipError(Reason.CANNOT_SHIP, str(error)) from error
        search = self._searches.learn(asked, answer, cwd)
        if len(self._left_out) >= MOST_UNITS:
            self._left_out.clear()
        known = self._left_out.get(search, ())  # of other options that come to the same
        self._left_out[search] = tuple(dict.fromkeys((*known, *answer.left_out)))
        return search

    async def scan(self, invocation: Invocation, shipment: Shipment, index: int, search: Search) -> Scan:
        unit = unit_of(shipment, index, search, invocation.cwd)
        self.counts.scans += 1
        if unit in self._scanned:
            closure = self._scanner.scan(unit)
        else:
            closure = await self._in_thread(self._scanner.scan, unit)
            if len(self._scanned) >= MOST_UNITS:
                self._scanned.clear()
            self._scanned.add(unit)
        missing = self._layers.missing(closure)
        if missing:
            await self._in_thread(self._digests.compute, missing)
        layers = [self._layers.of(closure)]
        if closure.unresolved:
            layers.append(await self._ask_preprocessor(invocation, shipment, index, unit, closure))
        return Scan(closure, tuple(layers), search)

    async def _ask_preprocessor(
        self, invocation: Invocation, shipment: Shipment, index: int, unit: Unit, closure: Closure
    ) -> Layer:
        """What the scan could not find out, `cc -M` lists, as long as nothing that it read has changed."""
        hopeless = next((one for one in closure.unresolved if not one.reason.preprocessor_knows), None)
        if hopeless is not None:
            raise CannotShipError(Reason.LOCAL_FILES, f"{hopeless.reason.text}: {hopeless.detail}")
        known = self._asked.get(unit)
        is_known = known is not None and known.closure is closure
        if known is not None and is_known and self._disk.still(known.files, known.listings):
            return known.layer
        for reason in {one.reason for one in closure.unresolved}:
            self.counts.asked[reason.slug] += 1
        answer = await self._in_thread(
            dependencies,
            invocation.program,
            shipment.dependency_argv(index),
            invocation.environment,
            invocation.cwd,
        )
        if answer.paths is None:  # the compiler will say it, exactly
            return self._layers.of_paths(())
        paths = [absolute(invocation.cwd, path) for path in answer.paths]
        directories = _where_else(paths, unit)
        layer: Layer = await self._in_thread(self._layers.of_paths, (*paths, *directories))
        if len(self._asked) >= MOST_UNITS:
            self._asked.clear()
        files = {path: stamp for path in paths if (stamp := self._disk.file(path)) is not None}
        listings = {directory: self._disk.listing(directory) for directory in directories}
        self._asked[unit] = _Asked(closure, files, listings, layer)
        return layer

    def left_out(self, scans: Iterable[Scan]) -> Iterable[bytes]:
        """Directories that their compilers do not look in, though their commands say so; each once."""
        return dict.fromkeys([path for scan in scans for path in self._left_out.get(scan.search, ())])

    def marked(self, path: bytes, cwd: bytes) -> tuple[bytes, ...]:
        """The files that a preprocessed text was made of: gcc shows their lines in its messages."""
        stamp = self._disk.file(path)
        known = self._markers.get(path)
        if known is None or known[0] != stamp:
            text = self._disk.read(path) if stamp is not None else b""
            if len(self._markers) >= MOST_UNITS:
                self._markers.clear()
            known = self._markers[path] = stamp, marked_files(text)
        return tuple(absolute(cwd, name) for name in known[1])


def unit_of(shipment: Shipment, index: int, search: Search, cwd: bytes) -> Unit:
    """One of a command's sources, for the scanner."""
    return Unit(
        cwd=cwd,
        source=shipment.sources[index],
        search=search,
        language=shipment.languages[index],
        forced=shipment.forced,
        definitions=shipment.definitions,
        trigraphs=shipment.trigraphs,
        family=shipment.family,
    )


def _where_else(paths: Iterable[bytes], unit: Unit) -> tuple[bytes, ...]:
    """Directories in which a new file could take the place of one of these."""
    roots = [absolute(unit.cwd, root) for root in (b".", *unit.search.quote, *unit.search.angled)]
    found: dict[bytes, None] = {}
    for path in paths:
        root = max((root for root in roots if path.startswith(root + b"/")), key=len, default=None)
        if root is not None:
            within = os.path.dirname(path[len(root) + 1 :])
            found.update(dict.fromkeys(os.path.join(other, within) for other in roots))
    return tuple(found)
