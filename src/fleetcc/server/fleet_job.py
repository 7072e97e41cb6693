"""A job of a fleet client, all of whose source is here, on its way to its result."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from fleetcc.errors import ProtocolError
from fleetcc.server.job import Compile, NotDone, Source, Spoken
from fleetcc.server.orders import Order
from fleetcc.server.watch import Life
from fleetcc.wire import zstd
from fleetcc.wire.fleet import ErrorCode, Job, Part, Result

if TYPE_CHECKING:
    from fleetcc.server.fleet_session import FleetSession
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)

# What a job that no compiler ran for is answered with, by its word in the log.
_CODES: Final = {
    "unknown-compiler": (
        ErrorCode.UNKNOWN_COMPILER,
        "compile it elsewhere; the next Welcome says what is here",
    ),
    "form-refused": (ErrorCode.UNFIT, "compile it locally"),
    "timeout": (ErrorCode.LIFETIME, "raise --job-lifetime on the server, or compile it locally"),
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that this server has taken."""

    number: int
    job: Job
    order: Order
    ticket: "Ticket"
    life: Life


class FleetJob:
    """One job of one fleet session."""

    def __init__(self, service: "Service", session: "FleetSession", accepted: Accepted, raw: bytes) -> None:
        self._service = service
        self._session = session
        self._number = accepted.number
        self._job = accepted.job
        self._order = accepted.order
        self._ticket = accepted.ticket
        job = accepted.job
        source = Source(partial(zstd.unpack, job.encoding, raw, job.plain_bytes), len(raw), job.plain_bytes)
        self._compile = Compile(service, accepted.life, accepted.order, accepted.ticket, source)

    async def run(self) -> None:
        """Carry it out; raises only CancelledError, and what is a fault of ours."""
        try:
            outcome = await self._compile.run(self._program, self._started)
            if isinstance(outcome, Spoken):
                await self._tell(outcome)
            else:
                code, remedy = _CODES.get(outcome.outcome, (ErrorCode.FAILED, "compile it elsewhere"))
                self._fail(outcome.outcome, code, outcome.sentence, remedy)
        except asyncio.CancelledError:
            why = "disconnected" if self._session.is_over else "cancelled"
            self._fail(why, ErrorCode.CANCELLED, "cancelled", "")
            raise
        except ProtocolError as error:
            self._service.stats.refuse("malformed")
            self._fail("rejected", ErrorCode.BAD_FRAME, str(error), "send the source as it was announced")
        except OSError as error:
            # A full disk, no descriptors: not the compiler's answer.
            _log.error("client=%s result=failed file=%s: %s", self._session.client, self._order.file, error)
            self._fail("failed", ErrorCode.FAILED, str(error), "compile it elsewhere")

    def broken(self) -> None:
        """It ended by a fault of ours."""
        self._fail("internal-error", ErrorCode.FAILED, "an internal error", "the server's log has the story")

    def over(self) -> None:
        """It has ended, however, perhaps before it began."""
        self._service.gate.leave(self._ticket)
        self._compile.end("cancelled")
        self._session.job_over(self._number)

    def _program(self) -> bytes | NotDone:
        """Asked when the slot is held: the compiler may have been replaced since the job came."""
        found = self._service.fleet.program(self._job.compiler)
        return found if found is not None else NotDone("unknown-compiler", 0, "the compiler has just changed")

    def _started(self) -> None:
        self._session.started(self._number)

    async def _tell(self, spoken: Spoken) -> None:
        plain = (("stdout", spoken.stdout), ("stderr", spoken.stderr), ("object", spoken.output))
        named = [(name, data) for name, data in plain if data]
        size = sum(len(data) for _, data in named)
        parts, packed = await self._compile.in_thread(size, pack_parts, self._session.takes_zstd, named)
        result = Result(spoken.status, parts, spoken.run_seconds, spoken.cpu_seconds, spoken.peak_bytes)
        self._session.finished(self._number, result, packed)
        self._compile.log_end(spoken.outcome, spoken.status, sum(map(len, packed)))

    def _fail(self, outcome: str, code: ErrorCode, text: str, remedy: str) -> None:
        self._session.failed(self._number, code, text, remedy)
        self._compile.log_end(outcome, 0, 0)


def _leave_as_it_is(plain: bytes) -> tuple[str, bytes]:
    return zstd.RAW, plain


def pack_parts(
    takes_zstd: bool,  # noqa: FBT001 - for threads
    named: Sequence[tuple[str, bytes]],
) -> tuple[tuple[Part, ...], list[bytes]]:
    """The parts of a result, and their bytes as they travel."""
    pack: Callable[[bytes], tuple[str, bytes]] = zstd.pack if takes_zstd else _leave_as_it_is
    parts: list[Part] = []
    packed: list[bytes] = []
    for name, plain in named:
        encoding, raw = pack(plain)
        parts.append(Part(name, len(raw), len(plain), encoding))
        packed.append(raw)
    return tuple(parts), packed
