"""A complete request of distcc's protocol 3 on its way to its response.

Like any other compile, but for its input, a tree of files, and for a dependency file beside its output. Where
this server has a sandbox the compiler sees the tree as `/`, otherwise its words and names are rewritten.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetcc.errors import ExitCode
from fleetcc.sandbox.outcome import Ended
from fleetcc.sandbox.probe import Sandbox
from fleetcc.sandbox.run import Run
from fleetcc.server import running
from fleetcc.server.distcc_job import DistccJob
from fleetcc.server.job import Compile, NotDone, Outcome, Source, Spoken, in_thread
from fleetcc.server.orders import MAX_SOURCE_BYTES
from fleetcc.server.pump_orders import PumpOrder
from fleetcc.server.pump_place import PRIVATE, Place, lay_out
from fleetcc.server.pump_sandbox import outputs, spec_of, why_not
from fleetcc.server.pump_tree import Tree, plan_tree
from fleetcc.server.shortage import limits_of, oom_kills, shortage
from fleetcc.server.slots import Slot
from fleetcc.server.watch import Life
from fleetcc.wire.distcc import encode_response, pack_body
from fleetcc.wire.pump import PUMP_PROTOCOL, PumpBody

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service


class PumpJob(DistccJob):
    """One job of a client in pump mode."""

    def __init__(
        self,
        service: "Service",
        connection: "Connection",
        order: PumpOrder,
        ticket: "Ticket",
        life: Life,
        body: PumpBody,
    ) -> None:
        self._pumped = PumpCompile(service, life, order, ticket, body)
        super().__init__(service, connection, PUMP_PROTOCOL, order, ticket, self._pumped)

    def _encode(self, spoken: Spoken) -> list[bytes]:
        plain = (spoken.stderr, spoken.stdout, spoken.output, self._pumped.dependencies)
        bodies = [pack_body(PUMP_PROTOCOL, part) for part in plain]
        return encode_response(PUMP_PROTOCOL, spoken.status, *bodies)


class PumpCompile(Compile):
    """One compile of files."""

    def __init__(
        self, service: "Service", life: Life, order: PumpOrder, ticket: "Ticket", body: PumpBody
    ) -> None:
        size = body.raw_bytes
        super().__init__(service, life, order, ticket, Source(None, size, size))
        self.dependencies = b""  # the dependency file, once the compiler has succeeded
        self._pump_order = order
        self._body: PumpBody | None = body
        self._place: Place | None = None
        self._tree: Tree | None = None
        self._sandbox: Sandbox | None = None
        self._run: Run | None = None
        self._kills = 0

    async def run(self, program: Callable[[], bytes | NotDone], started: Callable[[], None]) -> Outcome:
        """Carry it out; `program` is asked last of all. Raises OSError and ProtocolError.

        When this returns or raises, the slot is free.
        """
        folder = self._service.workspace.take_folder()
        try:
            found = await self._service.fleet.files.probed()
            if isinstance(found, Sandbox) and found.shows_own:
                self._sandbox = found
            place = await self._lay_out(folder)
            slot = await self._service.gate.slot(self._ticket)
            path = program()
            if isinstance(path, NotDone):
                return path
            return await self._compile(self._pump_order.placed_argv(path, place), place.cwd, slot, started)
        finally:
            self._service.gate.leave(self._ticket)
            if self._run is not None:
                self._run.close()
            await in_thread(self._service.pool, _remove, folder)
            self._service.workspace.give_back(folder)

    async def _lay_out(self, folder: bytes) -> Place:
        body, self._body = self._body, None
        assert body is not None
        cwd, is_root = self._pump_order.cwd, self._sandbox is not None
        place, self._tree = await in_thread(self._service.pool, _put, cwd, body, folder, is_root)
        self._place = place
        self._order = replace(self._pump_order, output_name=place.output)
        return place

    def _start(
        self, argv: list[bytes], folder: bytes, streams: tuple[int, int], slot: Slot
    ) -> running.Running:
        place, tree = self._place, self._tree
        if self._sandbox is None:
            return super()._start(argv, folder, streams, slot)
        assert place is not None
        assert tree is not None
        environment, limits = self._service.environment(PRIVATE), limits_of(self._service.options)
        self._run = self._sandbox.run(spec_of(place, argv, tree.own, environment, limits), (slot.descriptor,))
        self._kills = oom_kills()
        return running.start_sandboxed(self._run, streams)

    async def _collect(
        self, compiler: running.Running, status: int, folder: bytes, streams: tuple[int, int]
    ) -> Outcome:
        spoken = await super()._collect(compiler, status, folder, streams)
        if not isinstance(spoken, Spoken):
            return spoken
        place = self._place
        assert place is not None
        if self._run is not None:
            return await self._collect_scratch(self._run, place, spoken)
        if not status and self._pump_order.pump.wants_dependencies:
            self.dependencies = place.client_names(_read(place.depfile))
        return replace(
            spoken,
            stderr=place.client_names(spoken.stderr),
            stdout=place.client_names(spoken.stdout),
        )

    async def _collect_scratch(self, run: Run, place: Place, spoken: Spoken) -> Outcome:
        outcome = run.outcome()
        if not isinstance(outcome, Ended):
            sentence, is_missing = why_not(outcome)
            if is_missing:
                return NotDone("missing-compiler", ExitCode.COMPILER_MISSING, f"fleetccd: {sentence}")
            return NotDone("sandbox", ExitCode.IO_ERROR, f"fleetccd: {sentence}")
        limits = limits_of(self._service.options)
        lacking = shortage(outcome, limits, spoken.stderr, was_oom=oom_kills() > self._kills)
        if lacking is not None:
            sentence = f"fleetccd: the job needed more {lacking.value} than --job-{lacking.value} gives it"
            return NotDone("limits", ExitCode.OUT_OF_MEMORY, sentence)
        if spoken.status:
            return spoken
        files = outputs(run, place)
        if self._pump_order.pump.wants_dependencies and place.depfile in files:
            self.dependencies = files[place.depfile].read()
        if place.output not in files:
            return spoken
        output = files[place.output]
        return replace(spoken, output=await self.in_thread(output.size_bytes, output.read))


def _put(cwd: bytes, body: PumpBody, folder: bytes, is_root: bool) -> tuple[Place, Tree]:  # noqa: FBT001 - for threads
    tree = plan_tree(cwd, body.files)
    return lay_out(tree, cwd, folder, MAX_SOURCE_BYTES, is_root=is_root), tree


def _remove(folder: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _read(path: bytes) -> bytes:
    with suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
        return file.read()
    return b""
