"""What can be found out of a command without compiling it: its files, its toolchain, each host's answer, what
it would take. The decisions are the agent's own code, asked in this process.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fleetcc.agent.history_file import load_history
from fleetcc.agent.inputs import Inputs, Prepared
from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.agent.plan import Send
from fleetcc.agent.pump import PumpMemory, pump_way
from fleetcc.backends.link import PumpUnfitError, StaleError
from fleetcc.cli.hosts import THIS_MACHINE, Row, asked_everybody
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.model import Compiler, Form, Reason
from fleetcc.scheduling.fleet import Facts, HostType, Needs, can_do
from fleetcc.scheduling.history import History
from fleetcc.settings import Settings
from fleetcc.toolchain.identity_cache import IdentityCache
from fleetcc.wire.files import Entry, File
from fleetcc.wire.greeting import COMPILER_DIGITS
from fleetcc.wire.pump import PUMP_PROTOCOL

AS_FILES: Final = "as files"
AS_PUMP: Final = "in pump mode"

Blobs: TypeAlias = Mapping[bytes, int]  # sizes by digest


@dataclass(frozen=True, slots=True)
class Shipping:
    """What the command reads, if it may travel as files."""

    prepared: Prepared | None = None
    reason: Reason | None = None  # why it cannot be sent as files, where it cannot
    detail: str = ""
    asked: tuple[str, ...] = ()  # why `cc -M` was asked: the scanner could not tell by itself
    files: int = 0  # sources and headers
    bytes: int = 0  # of them
    compiler_files: int = 0  # the compiler's own, and what lies around
    compiler_bytes: int = 0
    blobs: Blobs = field(default_factory=dict)  # all of these
    pump_obstacle: str = ""  # why not in pump mode; empty: it would go, or was not asked

    @property
    def obstacle(self) -> str:
        """Why it cannot be sent as files, for people."""
        if self.reason is None:
            return ""
        return self.reason.text + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Asked:
    """One host of the list."""

    id: str
    row: Row
    way: str  # how it would get the job: AS_FILES, AS_PUMP, a form; empty: not at all
    why_not: str = ""
    seconds: float = 0.0  # that it is expected to take; 0: not known


@dataclass(frozen=True, slots=True)
class Found:
    """All that was found out."""

    shipping: Shipping
    hosts: tuple[Asked, ...]
    forms: tuple[Form, ...]  # in which it may go as text
    has_pump: bool  # it would go in pump mode, to whoever takes that
    key: bytes
    history: History = field(repr=False)

    @property
    def way(self) -> str:
        """How it would travel: the agent wants files first, then pump mode, then text."""
        ways = [host.way for host in self.hosts if host.way]
        best = [way for way in (AS_FILES, AS_PUMP) if way in ways]
        return next(iter((*best, *(way for way in ways if way != THIS_MACHINE), *ways)), "")

    @property
    def reason(self) -> Reason:
        """Why it would run here, where no host can take it: as the dispatcher would say."""
        reached = [host for host in self.hosts if host.row["answers"]]
        if not reached:
            return Reason.ALL_HOSTS_FAILING
        if not self.forms:
            return self.shipping.reason or Reason.NO_SANDBOX
        if Form.EXPANDED not in self.forms and not any("slots" in host.row for host in reached):
            return Reason.DEBUG_COLUMNS
        return Reason.NO_SAME_COMPILER


def find_out(planned: Send, invocation: Invocation, compiler: Compiler, settings: Settings) -> Found:
    """Scan, ask the hosts, look into the history; seconds, at most. Raises FleetccError."""
    with _state_folder(settings.state_dir) as folder, ThreadPoolExecutor(1) as executor:
        return asyncio.run(_find_out(planned, invocation, compiler, settings, (folder, executor)))


@contextmanager
def _state_folder(state_dir: str) -> Iterator[str]:
    """What is learned of files is kept where an agent keeps it, if there ever was one."""
    with ExitStack() as ends:
        yield state_dir if os.path.isdir(state_dir) else ends.enter_context(tempfile.TemporaryDirectory())


async def _find_out(
    planned: Send,
    invocation: Invocation,
    compiler: Compiler,
    settings: Settings,
    place: tuple[str, ThreadPoolExecutor],
) -> Found:
    folder, executor = place
    hosts = await asked_everybody(planned.found, settings)
    name = (compiler.remote_name if settings.rewrite_names else None) or os.path.basename(invocation.argv[0])
    inputs = Inputs(executor, folder)
    try:
        pumps = any(map(_takes_pump, hosts.rows))
        shipping = await _shipping(planned, invocation, inputs, name if pumps else None)
    finally:
        inputs.close()
    identity = None
    if planned.forms:
        known = IdentityCache(os.path.join(folder, "identities")).find(
            invocation.program, invocation.environment
        )
        identity = known.digest[:COMPILER_DIGITS] if known is not None else None
    has_files = planned.shipment is not None and shipping.prepared is not None
    has_pump = has_files and pumps and not shipping.pump_obstacle
    needs = Needs(identity, name, planned.forms, has_files, has_pump)
    history = load_history(os.path.join(settings.state_dir, "history"))
    key = planned.key(invocation.cwd)
    predicted = history.predict(key, shipping.bytes).seconds if history.records else 0.0
    return Found(
        shipping,
        tuple(_asked(row, needs, predicted / history.speed(str(row["id"])), shipping) for row in hosts.rows),
        planned.forms,
        has_pump,
        key,
        history,
    )


async def _shipping(
    planned: Send, invocation: Invocation, inputs: Inputs, pump_name: bytes | None
) -> Shipping:
    if planned.shipment is None:
        return Shipping()
    try:
        prepared = await inputs.prepare(invocation, planned.shipment)
    except CannotShipError as error:
        return Shipping(reason=error.reason, detail=error.detail)
    except StaleError as error:
        return Shipping(reason=Reason.FILES_CHANGING, detail=str(error))
    ours = [layer.entries for scan in prepared.scans for layer in scan.layers]
    sources = _sizes(ours)
    every = _sizes([layer.entries for layer in prepared.order.layers])
    blobs = dict(every.values())  # a content travels once, under however many names
    unscanned = len(planned.shipment.sources) - len(prepared.scans)
    return Shipping(
        prepared=prepared,
        asked=tuple(sorted(inputs.counts.asked)),
        files=len(sources) + unscanned,
        bytes=prepared.size,
        compiler_files=len(every) - len(sources) - unscanned,
        compiler_bytes=max(0, sum(blobs.values()) - prepared.size),
        blobs=blobs,
        pump_obstacle=await _pump_obstacle(planned, invocation, inputs, prepared, pump_name),
    )


def _sizes(layers: Sequence[Mapping[bytes, Entry]]) -> dict[bytes, tuple[bytes, int]]:
    """Digest and size by path."""
    return {
        path: (entry.digest, entry.size)
        for entries in layers
        for path, entry in entries.items()
        if isinstance(entry, File)
    }


async def _pump_obstacle(
    planned: Send, invocation: Invocation, inputs: Inputs, prepared: Prepared, name: bytes | None
) -> str:
    if name is None:
        return ""
    way = pump_way(PumpMemory(inputs), invocation, planned, name)
    if way is None:
        return "its command asks for what a stock host's compiler would do otherwise"
    if not way.may_go(prepared):
        return "the scanner could not find out all of its files"
    try:
        await way.make_order(prepared)
    except (PumpUnfitError, StaleError) as error:
        return str(error)
    return ""


def _takes_pump(row: Row) -> bool:
    """By its entry in the list."""
    if row.get("server") == THIS_MACHINE:
        return False
    hosts = parse_host_list(str(row["host"]), "the list").hosts
    return bool(hosts) and hosts[0].protocol == PUMP_PROTOCOL


def _asked(row: Row, needs: Needs, seconds: float, shipping: Shipping) -> Asked:
    name = str(row["id"])
    if not row["answers"]:
        return Asked(name, row, "", str(row["trouble"]))
    facts = _facts(row)
    if can_do(facts, needs):
        return Asked(name, row, _way(facts, needs), seconds=seconds)
    return Asked(name, row, "", "; ".join(_obstacles(facts, needs, row, shipping)))


def _facts(row: Row) -> Facts:
    """As the agent would take the host's answer."""
    if row["server"] == THIS_MACHINE:
        return Facts(HostType.LOCAL, _number(row["limit"]))
    if "slots" not in row:
        stock = frozenset((Form.EXPANDED,))
        return Facts(HostType.STOCK, _number(row["limit"]), forms=stock, takes_pump=_takes_pump(row))
    compilers, forms = row["compilers"], row["forms"]
    assert isinstance(compilers, list)
    assert isinstance(forms, list)
    return Facts(
        HostType.FLEET,
        _number(row["slots"]),
        frozenset(compilers),
        frozenset(map(Form, forms)),
        takes_files=bool(row["files"]),
    )


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _way(facts: Facts, needs: Needs) -> str:
    if facts.type is HostType.LOCAL:
        return THIS_MACHINE
    if needs.files and facts.takes_files:
        return AS_FILES
    if needs.pump and facts.takes_pump:
        return AS_PUMP
    return next(form.value for form in needs.forms if form in facts.forms)


def _obstacles(facts: Facts, needs: Needs, row: Row, shipping: Shipping) -> Iterator[str]:
    if shipping.obstacle:
        yield "the job cannot go as files"
    elif not needs.files:
        yield "the job may not go as files"
    elif not facts.takes_files:
        why = row.get("no_files") or (
            "it runs no fleetccd" if facts.type is HostType.STOCK else "an old server"
        )
        yield f"it takes no files: {why}"
    if not needs.forms:
        yield "the job may not go as text"
    elif not facts.forms & set(needs.forms):
        yield "it takes text only in a form that this job may not have"
    elif facts.type is HostType.FLEET and needs.identity not in facts.compilers:
        yield "as text it needs this very compiler there"
    if facts.takes_pump and shipping.pump_obstacle:
        yield f"not in pump mode: {shipping.pump_obstacle}"
