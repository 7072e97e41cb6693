"""A complete request of distcc's protocol on its way to its response."""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from fleetcc.errors import ExitCode, ProtocolError
from fleetcc.server.compilers import Missing, Program
from fleetcc.server.job import Compile, NotDone, Outcome, Source, Spoken
from fleetcc.server.orders import MAX_SOURCE_BYTES, Order
from fleetcc.wire.distcc import encode_response, pack_body, unpack_body

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)


class DistccJob:
    """One job of a client of distcc's protocol."""

    def __init__(
        self,
        service: "Service",
        connection: "Connection",
        protocol: int,
        order: Order,
        ticket: "Ticket",
        work: Compile,
    ) -> None:
        self._service = service
        self._connection = connection
        self._protocol = protocol
        self._order = order
        self._ticket = ticket
        self._compile = work

    async def run(self) -> None:
        """Carry it out; raises only CancelledError, and what is a fault of ours."""
        try:
            outcome = await self._outcome()
            spoken = _for_distcc(outcome)
            size = len(spoken.output)
            buffers = await self._compile.in_thread(size, self._encode, spoken)
            self._connection.answer(buffers, outcome.outcome)
            self._compile.log_end(outcome.outcome, spoken.status, sum(map(len, buffers)))
        except asyncio.CancelledError:
            self._compile.log_end("disconnected", 0, 0)
            raise
        except ProtocolError as error:
            self._compile.end("rejected")
            self._connection.reject(str(error))
        except OSError as error:
            # A full disk, no descriptors: not the compiler's answer, so there is none.
            _log.error(
                "client=%s result=failed file=%s: %s", self._connection.client, self._order.file, error
            )
            self._compile.end("failed")
            self._connection.abort()

    def broken(self) -> None:
        """It ended by a fault of ours."""
        self._compile.end("internal-error")
        self._connection.abort()

    def over(self) -> None:
        """It has ended, however, perhaps before it began."""
        self._service.gate.leave(self._ticket)
        self._compile.end("disconnected")

    def _encode(self, spoken: Spoken) -> list[bytes]:
        bodies = [pack_body(self._protocol, plain) for plain in (spoken.stderr, spoken.stdout, spoken.output)]
        return encode_response(self._protocol, spoken.status, *bodies)

    async def _outcome(self) -> Outcome:
        program = self._order.program
        if isinstance(program, Missing):
            return NotDone("missing-compiler", ExitCode.COMPILER_MISSING, program.sentence)
        return await self._compile.run(partial(_path, program), lambda: None)


def text_source(protocol: int, raw: bytes) -> Source:
    """What came as the body of a request, for a compile of one text."""
    return Source(partial(unpack_body, protocol, raw, MAX_SOURCE_BYTES), len(raw), len(raw))


def _path(program: Program) -> bytes:
    return program.path


def _for_distcc(outcome: Outcome) -> Spoken:
    """The protocol has nothing but a compiler's outcome for what is none."""
    if isinstance(outcome, Spoken):
        return outcome
    return Spoken(outcome.code << 8, f"{outcome.sentence}\n".encode())
