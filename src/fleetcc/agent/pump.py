"""One job in distcc's pump mode: its order for a stock host, and what comes of the answer.

A stock host's compiler has other names for all files, a clock and a folder of its own. So a job goes this way
only where none of that can be seen in what it makes; what cannot be told of the command beforehand
(`command.pumpclient`) its files or the answer tell, and then the job travels as text. The compiler's own
headers are the host's: who writes `,cpp` says that they are the same.
"""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

from fleetcc.agent.inputs import Inputs, Prepared
from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.agent.plan import Send
from fleetcc.agent.pump_names import Question, names
from fleetcc.agent.pump_rule import local_rule, names_in
from fleetcc.agent.pump_texts import PumpTexts
from fleetcc.backends.link import PumpOrder, PumpUnfitError, StaleError
from fleetcc.backends.pump import PumpFiles, PumpSpoken
from fleetcc.command.analysis import Compilation
from fleetcc.command.pumpclient import PumpTerms, pump_words
from fleetcc.command.replica import Shipment
from fleetcc.includes.closure import Closure
from fleetcc.wire.files import Entry, File
from fleetcc.wire.pump import PumpFile

_MOST_UNFIT = 20_000

UnfitKey: TypeAlias = tuple[bytes, tuple[bytes, ...]]


class PumpMemory:
    """What the jobs of one agent share."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.texts = PumpTexts(inputs.content)
        self._unfit: dict[UnfitKey, Closure] = {}

    def note_unfit(self, key: UnfitKey, closure: Closure) -> None:
        """With these files that command cannot go in pump mode."""
        if len(self._unfit) >= _MOST_UNFIT:
            self._unfit.clear()
        self._unfit[key] = closure

    def is_unfit(self, key: UnfitKey, closure: Closure) -> bool:
        """Was that noted?"""
        return self._unfit.get(key) is closure


class PumpWay:
    """One job that may go in pump mode."""

    def __init__(
        self,
        memory: PumpMemory,
        invocation: Invocation,
        compilation: Compilation,
        shipment: Shipment,
        terms: PumpTerms,
        compiler: bytes,
    ) -> None:
        self._memory = memory
        self._invocation = invocation
        self._compilation = compilation
        self._shipment = shipment
        self._terms = terms
        self._compiler = compiler
        self._made: tuple[Prepared, PumpOrder] | None = None
        self._names: frozenset[bytes] = frozenset()  # absolute ones that the order tells
        self._own: tuple[bytes, ...] = ()  # how the names of the host's own headers begin

    def order(self, prepared: Prepared) -> PumpOrder | None:
        """The order, when it has been made of these files."""
        return self._made[1] if self._made is not None and self._made[0] is prepared else None

    def may_go(self, prepared: Prepared) -> bool:
        """Whether nothing is known that speaks against it."""
        return all(
            not scan.closure.unresolved and not self._memory.is_unfit(self._key, scan.closure)
            for scan in prepared.scans
        )

    async def make_order(self, prepared: Prepared) -> PumpOrder:
        """The order; raises PumpUnfitError, and StaleError when a file has changed since."""
        words = pump_words(
            self._compilation.argv, self._compiler, self._compilation.output, self._compilation.family
        )
        if words is None:
            raise PumpUnfitError("a word that the host would misread")
        language = self._shipment.languages[0]
        try:
            own = await self._memory.inputs.own_directories(self._invocation, self._terms.own_words, language)
        except CannotShipError as error:
            raise PumpUnfitError(error.detail) from error
        files = await asyncio.to_thread(self._files, prepared, own)
        order = PumpOrder(words, self._invocation.cwd, files)
        self._made = (prepared, order)
        return order

    def give_up(self, prepared: Prepared) -> None:
        """It has turned out not to go, as long as its files are what they are."""
        for scan in prepared.scans:
            self._memory.note_unfit(self._key, scan.closure)

    def accepted(self, spoken: PumpSpoken) -> PumpSpoken:
        """What the launcher shall write; raises PumpUnfitError when something in it would be other here.

        The host always sends the dependencies: they prove by which names its compiler called the files.
        """
        if spoken.status:
            return spoken
        rule = local_rule(spoken.dependencies, self._compilation.family)
        if rule is None:
            raise PumpUnfitError("a name in its dependencies that compilers write in several ways")
        for name in names_in(rule):
            if name[:1] == b"/" and name not in self._names and not name.startswith(self._own):
                raise PumpUnfitError(f"its compiler calls a file {name.decode(errors='backslashreplace')}")
        return dataclasses.replace(spoken, dependencies=rule)

    @property
    def _key(self) -> UnfitKey:
        return self._invocation.cwd, self._invocation.argv

    def _files(self, prepared: Prepared, own: Mapping[bytes, bytes]) -> tuple[PumpFile, ...]:
        """In a thread."""
        (scan,) = prepared.scans
        (layer,) = scan.layers
        shipment = self._shipment
        asked = Question(
            self._invocation.cwd,
            shipment.sources[0],
            shipment.forced,
            self._terms.system,
            tuple(own.values()),
        )
        called = names(asked, scan, layer.entries)
        self._look_at(called, layer.entries)
        files = PumpFiles()
        for path in own.values():
            files.add_system_directory(path)
        absolute_names = {path: name for path, name in called.items() if name is not None}
        self._names = frozenset(absolute_names.values())
        self._own = tuple(path.rstrip(b"/") + b"/" for each in own.items() for path in each)
        gone = files.add_entries(layer.entries, self._memory.texts.packed, absolute_names)
        if gone is not None:
            raise StaleError(f"{gone.decode(errors='backslashreplace')} has changed")
        return files.entries()

    def _look_at(self, called: Mapping[bytes, bytes | None], entries: Mapping[bytes, Entry]) -> None:
        """Raise PumpUnfitError for what only the texts can tell."""
        computes = False
        has_absolute = any(b'"/' in word or b"</" in word for word in self._shipment.definitions)
        once: dict[bytes, bytes] = {}
        for path in called:
            entry = entries.get(path)
            found = self._memory.texts.findings(entry.digest) if isinstance(entry, File) else None
            if found is None or not isinstance(entry, File):
                raise StaleError(f"{path.decode(errors='backslashreplace')} has changed")
            if found.obstacle:
                raise PumpUnfitError(f"{path.decode(errors='backslashreplace')}: {found.obstacle}")
            if found.is_once and once.setdefault(entry.digest, path) != path:
                raise PumpUnfitError("two files of one content, which compilers tell apart by their times")
            if found.is_odd and any(called.values()):
                raise PumpUnfitError(f"{path.decode(errors='backslashreplace')} includes by an odd name")
            computes = computes or found.computes
            has_absolute = has_absolute or found.has_absolute
        if computes and has_absolute:
            raise PumpUnfitError("an include whose name may be absolute")


def pump_way(memory: PumpMemory, invocation: Invocation, planned: Send, compiler: bytes) -> PumpWay | None:
    """The way of a job in pump mode; None where its command already says that it cannot go."""
    terms, compilation, shipment = planned.pump, planned.compilation, planned.shipment
    if terms is None or compilation is None or shipment is None:
        return None
    return PumpWay(memory, invocation, compilation, shipment, terms, compiler)
