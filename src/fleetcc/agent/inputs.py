"""From a command to all that its compile can read: toolchain, sources, headers, as layers of a manifest.

Warm, this is stats and look-ups on the event loop. What takes longer (a compiler that is asked, a unit that
is scanned for the first time, files that are hashed) runs in a thread, one at a time, because the scanner and
the disk's view are not for several threads; jobs that come meanwhile wait.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.agent.misses import named_files
from fleetcc.agent.scans import MOST_UNITS, Scan, Scans
from fleetcc.backends.link import FileOrder, Spoken, StaleError
from fleetcc.command.colours import for_terminal
from fleetcc.command.environment import travelling
from fleetcc.command.replica import SCANNED, Shipment
from fleetcc.files.digests import ChangedError, Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.folders import Marks
from fleetcc.files.layers import Layer, Layers
from fleetcc.includes.disk import Listing
from fleetcc.includes.unit import absolute
from fleetcc.model import Reason
from fleetcc.settings import printable
from fleetcc.toolchain.files import CannotShip, Toolchain
from fleetcc.toolchain.files_cache import ToolchainCache
from fleetcc.toolchain.native import replaced
from fleetcc.wire.files import MAX_BLOB_BYTES, File

log = logging.getLogger(__name__)

R = TypeVar("R")

_MOST_LAYERS: Final = 10_000  # of some 25 KB each, old ones among them
_MOST_TOOLCHAINS: Final = 256


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that can be sent as files."""

    order: FileOrder
    size: int  # bytes of its sources and headers
    key: tuple[bytes, ...]  # what is remembered of its misses
    searched: tuple[bytes, ...]  # directories, for names that a compiler did not find
    scans: tuple[Scan, ...]  # of the sources that have includes


@dataclass(frozen=True, slots=True)
class _Listings:
    """The directories of a job's layers, as long as their marks stand."""

    layers: tuple[Layer, ...]
    marks: Marks
    listings: Mapping[bytes, Listing | None]


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
        self._scans = Scans(self._disk, self._digests, self._layers, self._in_thread)
        self._toolchains = ToolchainCache(state_dir)
        self._tool_layers: dict[Toolchain, Layer] = {}
        self._extra: dict[tuple[bytes, ...], set[bytes]] = {}  # missed once
        self._sizes: dict[Layer, int] = {}
        self._listings: dict[tuple[bytes, ...], _Listings] = {}  # by job
        self._turn = asyncio.Lock()
        self.counts = self._scans.counts

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
                search = await self._scans.search(invocation, shipment.search_words, language)
                scans.append(await self._scans.scan(invocation, shipment, index, search))
                sources += scans[-1].layers
            else:
                path = absolute(invocation.cwd, shipment.sources[index])
                sources.append(self._layers.of_paths((path, *self._scans.marked(path, invocation.cwd))))
        layers += sources
        key = (invocation.cwd, shipment.label, *shipment.outputs)
        existing, links = self._outputs(invocation.cwd, shipment)
        layers.append(self._surroundings(invocation, shipment, (*links, *self._extra.get(key, ())), scans))
        listings = self._listings_of(key, tuple(layers))
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
        argv = (toolchain.argv0, *argv[1:])  # ccache's name stays here; a driver finds its parts by its own
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
            label=printable(shipment.label),
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
                    raise CannotShipError(Reason.OUTPUT_UNWRITABLE, printable(path))
                existing.append(os.path.realpath(path) if is_link else self._real_file(path))
        return tuple(existing), links

    def _listings_of(
        self, key: tuple[bytes, ...], layers: tuple[Layer, ...]
    ) -> Mapping[bytes, Listing | None]:
        """Of all their directories; the same object while nothing in any of them has changed."""
        disk = self._disk
        known = self._listings.get(key)
        if known is not None and known.layers == layers and disk.unchanged(known.marks):
            return known.listings
        listings = {name: disk.listing(name) for layer in layers for name in layer.directories}
        if len(self._listings) >= MOST_UNITS:
            self._listings.clear()
        self._listings[key] = _Listings(layers, disk.tokens(listings), listings)
        return listings

    async def own_directories(
        self, invocation: Invocation, words: tuple[bytes, ...], language: bytes
    ) -> dict[bytes, bytes]:
        """Where the compiler looks for headers with these options, by its own spelling the real path.

        Raises CannotShipError.
        """
        async with self._turn:
            self._disk.begin()
            search = await self._scans.search(invocation, words, language)
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

    def _surroundings(
        self, invocation: Invocation, shipment: Shipment, others: Iterable[bytes], scans: Iterable[Scan]
    ) -> Layer:
        """Files that options name, and `others`; directories that the compiler goes to, and those that it has
        left out: it shall not find there what is not here."""
        cwd = invocation.cwd
        paths = (*[os.path.join(cwd, path) for path in shipment.files], *others)
        places = [cwd, *[os.path.join(cwd, path) for path in shipment.write_directories]]
        places.append(invocation.environment.get(b"PWD", cwd))  # compilers see where they are by it
        places += [absolute(cwd, path) for path in self._scans.left_out(scans)]
        return self._layers.of_paths(paths, tuple([path for path in places if path[:1] == b"/"]))

    def _real(self, cwd: bytes, path: bytes) -> bytes:
        whole = absolute(cwd, path)
        return self._trails.of_directory(whole).real or whole

    def _real_file(self, path: bytes) -> bytes:
        """The same, of a file that is no link."""
        directory, _, name = path.rpartition(b"/")
        return (self._trails.of_directory(directory).real or directory).rstrip(b"/") + b"/" + name

    def _size(self, layer: Layer) -> int:
        size = self._sizes.get(layer)
        if size is None:
            if len(self._sizes) >= _MOST_LAYERS:
                self._sizes.clear()
            sizes = [entry.size for entry in layer.entries.values() if isinstance(entry, File)]
            if max(sizes, default=0) > MAX_BLOB_BYTES:
                raise CannotShipError(Reason.LOCAL_FILES, f"a file of more than {MAX_BLOB_BYTES} bytes")
            size = self._sizes[layer] = sum(sizes)
        return size

    async def _in_thread(self, function: Callable[..., R], *arguments: object) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
