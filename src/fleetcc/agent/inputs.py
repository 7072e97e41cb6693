"""From a command to all that its compile can read: toolchain, sources, headers, as layers of a manifest.

Warm, this is stats and look-ups on the event loop. What takes longer (a compiler that is asked, a unit that
is scanned for the first time, files that are hashed) runs in a thread, one at a time, because the scanner and
the disk's view are not for several threads; jobs that come meanwhile wait.
"""

import asyncio
import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from fleetcc.agent.misses import named_files
from fleetcc.backends.link import FileOrder, Spoken, StaleError
from fleetcc.command.colours import for_terminal
from fleetcc.command.environment import travelling
from fleetcc.command.replica import SCANNED, Shipment
from fleetcc.files.digests import ChangedError, Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.folders import Marks
from fleetcc.files.layers import Layer, Layers
from fleetcc.includes.closure import Closure
from fleetcc.includes.directives import marked_files
from fleetcc.includes.disk import Listing, Stamp
from fleetcc.includes.scanner import Scanner
from fleetcc.includes.unit import Search, Unit, absolute
from fleetcc.model import Reason
from fleetcc.settings import printable
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.files import CannotShip, Toolchain
from fleetcc.toolchain.files_cache import ToolchainCache
from fleetcc.toolchain.native import replaced
from fleetcc.toolchain.search import Searches, ask, question
from fleetcc.toolchain.search_dependencies import dependencies
from fleetcc.wire.files import MAX_BLOB_BYTES, File

log = logging.getLogger(__name__)

R = TypeVar("R")

_MOST_UNITS: Final = 50_000
_MOST_TOOLCHAINS: Final = 256


class CannotShipError(Exception):
    """The job cannot travel as files."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.text, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a compiler."""

    program: bytes
    argv: tuple[bytes, ...]
    cwd: bytes
    environment: Mapping[bytes, bytes]
    umask: int
    is_terminal: bool = False  # where its messages go


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scan of one source has found."""

    closure: Closure
    layers: tuple[Layer, ...]  # of the closure, and of what only the preprocessor could tell
    search: Search


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that can be sent as files."""

    order: FileOrder
    size: int  # bytes of its sources and headers
    key: tuple[bytes, ...]  # what is remembered of its misses
    searched: tuple[bytes, ...]  # directories, for names that a compiler did not find
    scans: tuple[Scan, ...]  # of the sources that have includes


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


class Inputs:
    """The files of this machine, for all jobs of one agent."""

    def __init__(self, executor: Executor, state_dir: str) -> None:
        self._executor = executor
        self._digest_file = os.path.join(state_dir, "digests")
        self._disk = RealDisk()
        self._digests = Digests()
        self._digests.load(self._digest_file)
        self._layers = Layers(self._disk, self._digests)
        self._trails = self._layers.trails
        self._scanner = Scanner(self._disk)
        self._toolchains = ToolchainCache(state_dir)
        self._searches = Searches(self._disk)
        self._tool_layers: dict[Toolchain, Layer] = {}
        self._scanned: set[Unit] = set()
        self._asked: dict[Unit, _Asked] = {}
        self._extra: dict[tuple[bytes, ...], set[bytes]] = {}  # missed once
        self._left_out: dict[Search, tuple[bytes, ...]] = {}  # directories that a compiler does not look in
        self._markers: dict[bytes, tuple[Stamp | None, tuple[bytes, ...]]] = {}  # of preprocessed texts
        self._sizes: dict[Layer, int] = {}
        self._listings: dict[tuple[Layer, ...], tuple[Marks, Mapping[bytes, Listing | None]]] = {}
        self._turn = asyncio.Lock()
        self.counts = Counts()

    def content(self, digest: bytes) -> bytes | None:
        """A blob; None when no file has that content any more. May be called in threads."""
        return self._digests.content(digest)

    async def prepare(self, invocation: Invocation, shipment: Shipment) -> Prepared:
        """Everything that the compile can read.

        Raises CannotShipError, StaleError when the files change faster than they are read.
        """
        try:
            async with self._turn:
                self._disk.begin()
                return await self._prepare(invocation, shipment)
        except ChangedError as error:
            raise StaleError(str(error)) from error
        except OSError as error:
            raise CannotShipError(Reason.LOCAL_FILES, str(error)) from error

    async def _prepare(self, invocation: Invocation, shipment: Shipment) -> Prepared:
        toolchains = {
            language: await self._toolchain(invocation, shipment, language)
            for language in dict.fromkeys(shipment.languages)
        }
        toolchain = next(iter(toolchains.values()))
        layers = [await self._tool_layer(each) for each in toolchains.values()]
        sources: list[Layer] = []
        scans: list[Scan] = []
        for index, language in enumerate(shipment.languages):
            if language in SCANNED:
                search = await self._search(invocation, shipment.search_words, language)
                scans.append(await self._scan(invocation, shipment, index, search))
                sources += scans[-1].layers
            else:
                path = absolute(invocation.cwd, shipment.sources[index])
                sources.append(self._layers.of_paths((path, *self._marked(path, invocation.cwd))))
        layers += sources
        key = (invocation.cwd, shipment.label, *shipment.outputs)
        left_out = dict.fromkeys(path for scan in scans for path in self._left_out.get(scan.search, ()))
        existing, links = self._outputs(invocation.cwd, shipment)
        layers.append(self._surroundings(invocation, shipment, (*links, *self._extra.get(key, ())), left_out))
        listings = self._listings_of(tuple(layers))
        order = self._order(invocation, shipment, toolchain, tuple(layers), listings, existing)
        searched = dict.fromkeys(path for scan in scans for path in (*scan.search.quote, *scan.search.angled))
        return Prepared(order, sum(map(self._size, sources)), key, tuple(searched), tuple(scans))

    def _order(
        self,
        invocation: Invocation,
        shipment: Shipment,
        toolchain: Toolchain,
        layers: tuple[Layer, ...],
        listings: Mapping[bytes, Listing | None],
        existing: tuple[bytes, ...],
    ) -> FileOrder:
        cwd = invocation.cwd
        argv = replaced(shipment.argv, toolchain.expansions) if shipment.native else shipment.argv
        if invocation.is_terminal:
            argv = for_terminal(argv, invocation.environment)
        return FileOrder(
            layers=layers,
            listings=listings,
            program=toolchain.program,
            argv=argv,
            environment=travelling(invocation.environment),
            cwd=cwd,
            umask=invocation.umask,
            returns=tuple(dict.fromkeys([self._real(cwd, path) for path in shipment.write_directories])),
            existing=existing,
            label=printable(os.fsdecode(shipment.label)),
        )

    def _outputs(self, cwd: bytes, shipment: Shipment) -> tuple[tuple[bytes, ...], list[bytes]]:
        """The real paths of those outputs that are there already; and those that are symbolic links.

        Raises CannotShipError for one that cannot be written: some compilers write into a file that is there,
        others make a new one.
        """
        existing, links = [], []
        depfile = () if shipment.depfile is None else (shipment.depfile.path,)
        for name in (*shipment.outputs, *depfile):
            path = os.path.join(cwd, name)
            try:
                mode = os.lstat(path).st_mode
            except (OSError, ValueError):
                continue
            is_link = stat.S_ISLNK(mode)
            if is_link and name in shipment.outputs:
                links.append(path)
            if os.path.isfile(path) if is_link else stat.S_ISREG(mode):
                if not os.access(path, os.W_OK):
                    raise CannotShipError(Reason.OUTPUT_UNWRITABLE, printable(os.fsdecode(path)))
                existing.append(os.path.realpath(path) if is_link else self._real_file(path))
        return tuple(existing), links

    def _listings_of(self, layers: tuple[Layer, ...]) -> Mapping[bytes, Listing | None]:
        """Of all their directories; the same object while nothing in any of them has changed."""
        disk = self._disk
        known = self._listings.get(layers)
        if known is not None and disk.unchanged(known[0]):
            return known[1]
        listings = {name: disk.listing(name) for layer in layers for name in layer.directories}
        if len(self._listings) >= _MOST_UNITS:
            self._listings.clear()
        self._listings[layers] = disk.tokens(listings), listings
        return listings

    async def own_directories(
        self, invocation: Invocation, words: tuple[bytes, ...], language: bytes
    ) -> dict[bytes, bytes]:
        """Where the compiler looks for headers with these options, by its own spelling the real path.

        Raises CannotShipError.
        """
        async with self._turn:
            self._disk.begin()
            search = await self._search(invocation, words, language)
            return {path: self._real(invocation.cwd, path) for path in search.angled}

    def learn(self, prepared: Prepared, spoken: Spoken) -> bool:
        """A compile has failed: was it for lack of files that are here? They are sent from now on."""
        order = prepared.order
        here = {path for layer in order.layers for path in layer.entries}
        found = set()
        for path in named_files(spoken.stderr, order.cwd, prepared.searched):
            real = os.path.realpath(path)
            if real not in here and os.path.isfile(real):
                found.add(path)
        if not found:
            return False
        self.counts.missed += 1
        log.warning("%s: missed %s", order.label, printable(repr(sorted(found))))
        self._extra.setdefault(prepared.key, set()).update(found)
        return True

    def save(self) -> None:
        """Keep the digests for the next agent."""
        try:
            self._digests.save(self._digest_file)
        except OSError as error:
            log.warning("%s: %s", self._digest_file, error)

    def close(self) -> None:
        """Give the watches back."""
        self._disk.close()
        self.save()

    # -- parts

    async def _toolchain(self, invocation: Invocation, shipment: Shipment, language: bytes) -> Toolchain:
        program, typed = invocation.program, invocation.argv[0]
        asked = (program, typed, invocation.environment, language, shipment.toolchain_words, invocation.cwd)
        found = self._toolchains.lookup(*asked)
        if found is None:
            found = await self._in_thread(partial(self._toolchains.find, *asked))
        if isinstance(found, CannotShip):
            raise CannotShipError(Reason.CANNOT_SHIP, found.reason)
        return found

    async def _tool_layer(self, toolchain: Toolchain) -> Layer:
        layer = self._tool_layers.get(toolchain)
        if layer is None:
            layer = await self._in_thread(self._layers.of_paths, toolchain.paths)
            if len(self._tool_layers) > _MOST_TOOLCHAINS:
                self._tool_layers.clear()
            self._tool_layers[toolchain] = layer
        return layer

    async def _search(self, invocation: Invocation, words: tuple[bytes, ...], language: bytes) -> Search:
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
        if len(self._left_out) >= _MOST_UNITS:
            self._left_out.clear()
        known = self._left_out.get(search, ())  # of other options that come to the same
        self._left_out[search] = tuple(dict.fromkeys((*known, *answer.left_out)))
        return search

    async def _scan(self, invocation: Invocation, shipment: Shipment, index: int, search: Search) -> Scan:
        unit = unit_of(shipment, index, search, invocation.cwd)
        self.counts.scans += 1
        if unit in self._scanned:
            closure = self._scanner.scan(unit)
        else:
            closure = await self._in_thread(self._scanner.scan, unit)
            if len(self._scanned) >= _MOST_UNITS:
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
        layer = await self._in_thread(self._layers.of_paths, (*paths, *directories))
        if len(self._asked) >= _MOST_UNITS:
            self._asked.clear()
        files = {path: stamp for path in paths if (stamp := self._disk.file(path)) is not None}
        listings = {directory: self._disk.listing(directory) for directory in directories}
        self._asked[unit] = _Asked(closure, files, listings, layer)
        return layer

    def _surroundings(
        self, invocation: Invocation, shipment: Shipment, others: Iterable[bytes], left_out: Iterable[bytes]
    ) -> Layer:
        """Files that options name, and `others`; directories that the compiler goes to, and that it has left
        out: it shall not find there what is not here."""
        cwd = invocation.cwd
        paths = (*[os.path.join(cwd, path) for path in shipment.files], *others)
        places = [cwd, *[os.path.join(cwd, path) for path in shipment.write_directories]]
        places.append(invocation.environment.get(b"PWD", cwd))  # compilers see where they are by it
        places += [absolute(cwd, path) for path in left_out]
        return self._layers.of_paths(paths, tuple([path for path in places if path[:1] == b"/"]))

    def _real(self, cwd: bytes, path: bytes) -> bytes:
        whole = absolute(cwd, path)
        return self._trails.of_directory(whole).real or whole

    def _real_file(self, path: bytes) -> bytes:
        """The same, of a file that is no link."""
        directory, _, name = path.rpartition(b"/")
        return (self._trails.of_directory(directory).real or directory).rstrip(b"/") + b"/" + name

    def _marked(self, path: bytes, cwd: bytes) -> tuple[bytes, ...]:
        """The files that a preprocessed text was made of: gcc shows their lines in its messages."""
        stamp = self._disk.file(path)
        known = self._markers.get(path)
        if known is None or known[0] != stamp:
            text = self._disk.read(path) if stamp is not None else b""
            if len(self._markers) >= _MOST_UNITS:
                self._markers.clear()
            known = self._markers[path] = stamp, marked_files(text)
        return tuple(absolute(cwd, name) for name in known[1])

    def _size(self, layer: Layer) -> int:
        size = self._sizes.get(layer)
        if size is None:
            if len(self._sizes) >= _MOST_UNITS:
                self._sizes.clear()
            sizes = [entry.size for entry in layer.entries.values() if isinstance(entry, File)]
            if max(sizes, default=0) > MAX_BLOB_BYTES:
                raise CannotShipError(Reason.LOCAL_FILES, f"a file of more than {MAX_BLOB_BYTES} bytes")
            size = self._sizes[layer] = sum(sizes)
        return size

    async def _in_thread(self, function: Callable[..., R], *arguments: object) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


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
