"""A complete request of distcc's protocol 3 on its way to its response.

Like any other compile, but for its input, a tree of files, and for a dependency file beside its output.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetcc.server.distcc_job import DistccJob
from fleetcc.server.job import Compile, NotDone, Outcome, Source, Spoken, in_thread
from fleetcc.server.orders import MAX_SOURCE_BYTES
from fleetcc.server.pump_orders import PumpOrder
from fleetcc.server.pump_place import Place, lay_out
from fleetcc.server.pump_tree import plan_tree
from fleetcc.server.running import Running
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
        body: PumpBody,
    ) -> None:
        self._pumped = PumpCompile(service, connection.client, order, ticket, body)
        super().__init__(service, connection, PUMP_PROTOCOL, order, ticket, self._pumped)

    def _encode(self, spoken: Spoken) -> list[bytes]:
        plain = (spoken.stderr, spoken.stdout, spoken.output, self._pumped.dependencies)
        bodies = [pack_body(PUMP_PROTOCOL, part) for part in plain]
        return encode_response(PUMP_PROTOCOL, spoken.status, *bodies)


class PumpCompile(Compile):
    """One compile of files."""

    def __init__(
        self, service: "Service", client: str, order: PumpOrder, ticket: "Ticket", body: PumpBody
    ) -> None:
        size = body.raw_bytes
        super().__init__(service, client, order, ticket, Source(None, size, size))
        self.dependencies = b""  # the dependency file, once the compiler has succeeded
        self._pump_order = order
        self._body: PumpBody | None = body
        self._place: Place | None = None

    async def run(self, program: Callable[[], bytes | NotDone], started: Callable[[], None]) -> Outcome:
        """Carry it out; `program` is asked last of all. Raises OSError and ProtocolError.

        When this returns or raises, the slot is free.
        """
        folder = self._service.workspace.take_folder()
        try:
            place = await self._lay_out(folder)
            slot = await self._service.gate.slot(self._ticket)
            path = program()
            if isinstance(path, NotDone):
                return path
            return await self._compile(self._pump_order.placed_argv(path, place), place.cwd, slot, started)
        finally:
            self._service.gate.leave(self._ticket)
            await in_thread(self._service.pool, _remove, folder)
            self._service.workspace.give_back(folder)

    async def _lay_out(self, folder: bytes) -> Place:
        body, self._body = self._body, None
        assert body is not None
        place = await in_thread(self._service.pool, _put, self._pump_order.cwd, body, folder)
        self._place = place
        self._order = replace(self._pump_order, output_name=place.output)
        return place

    async def _collect(
        self, compiler: Running, status: int, folder: bytes, streams: tuple[int, int]
    ) -> Spoken:
        spoken = await super()._collect(compiler, status, folder, streams)
        place = self._place
        assert place is not None
        if not status and self._pump_order.pump.wants_dependencies:
            self.dependencies = place.client_names(_read(place.depfile))
        return replace(
            spoken,
            stderr=place.client_names(spoken.stderr),
            stdout=place.client_names(spoken.stdout),
        )


def _put(cwd: bytes, body: PumpBody, folder: bytes) -> Place:
    return lay_out(plan_tree(cwd, body.files), cwd, folder, MAX_SOURCE_BYTES)


def _remove(folder: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _read(path: bytes) -> bytes:
    with suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
        return file.read()
    return b""
