"""One job on the server: input to a file, wait for the slot, compile, answer. The only caller of compilers.

The slot is held from the compiler's start to its end: unpacking happens before, compressing and sending
the result after. Whatever happens, the folder is removed and the slot is given back.
"""

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from fleetcc.command.directives import Prepared, Refusal, prepare
from fleetcc.errors import ExitCode, ProtocolError
from fleetcc.model import Form
from fleetcc.server import running
from fleetcc.server.compilers import Missing, Program
from fleetcc.server.orders import Order
from fleetcc.server.slots import Slot
from fleetcc.wire.distcc import encode_response, pack_body, unpack_body

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

# Below this many bytes the work takes less than handing it to a thread and back is worth.
THREAD_BYTES: Final = 64 << 10
# The status of a job that this server cannot do in the form in which it came.
FORM_REFUSED: Final = 120
# More diagnostics than this are cut: clients limit what they read.
MAX_STREAM_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Result:
    """What goes back, in plain bytes."""

    outcome: str
    status: int  # as wait() gives it
    stderr: bytes = b""
    stdout: bytes = b""
    output: bytes = b""


@dataclass(slots=True)
class Times:
    """When things happened, on the monotonic clock."""

    joined: float
    started: float = 0.0
    ended: float = 0.0


class Job:
    """A complete request on its way to its answer."""

    def __init__(
        self, service: "Service", connection: "Connection", order: Order, ticket: "Ticket", raw: bytes
    ) -> None:
        self._service = service
        self._connection = connection
        self._order = order
        self._ticket = ticket
        self._raw = raw
        self._times = Times(ticket.joined)

    async def run(self) -> None:
        """Carry it out; raises only CancelledError, and what is a fault of ours."""
        raw_bytes = len(self._raw)
        try:
            result = await self._result()
            buffers = await self._in_thread(len(result.output), _encode, self._order.protocol, result)
            self._connection.answer(buffers, result.outcome)
            self._log_end(result, raw_bytes, sum(map(len, buffers)))
        except asyncio.CancelledError:
            self._log_end(Result("disconnected", 0), raw_bytes, 0)
            raise
        except ProtocolError as error:
            self._connection.reject(str(error))
        except OSError as error:
            # A full disk, no descriptors: not the compiler's answer, so there is none.
            _log.error(
                "client=%s result=failed file=%s: %s", self._connection.client, self._order.file, error
            )
            self._connection.abort()
        finally:
            self._service.gate.leave(self._ticket)

    async def _result(self) -> Result:
        if isinstance(self._order.program, Missing):
            return _failure("missing-compiler", ExitCode.COMPILER_MISSING, self._order.program.sentence)
        folder = self._service.workspace.take_folder()
        try:
            raw, self._raw = self._raw, b""
            prepared = await self._in_thread(len(raw), _write_input, self._order, raw, folder)
            if isinstance(prepared, Refusal):
                return _failure("form-refused", FORM_REFUSED, prepared.sentence)
            slot = await self._service.gate.slot(self._ticket)
            return await self._compile(self._order.program, folder, prepared, slot)
        finally:
            self._service.workspace.give_back(folder)

    async def _compile(
        self, program: Program, folder: bytes, prepared: Prepared | None, slot: Slot
    ) -> Result:
        self._times.started = time.monotonic()
        argv = self._order.compiler_argv(program.path, folder, prepared)
        stdout = os.memfd_create("stdout")
        stderr = os.memfd_create("stderr")
        try:
            try:
                compiler = running.start(
                    argv,
                    folder,
                    self._service.environment(folder),
                    (stdout, stderr),
                    slot.descriptor,
                )
            except OSError as error:
                return _cannot_start(program, error)
            status = await self._wait(compiler)
            self._times.ended = time.monotonic()
            self._service.gate.leave(self._ticket)
            return await self._collect(status, folder, (stdout, stderr))
        finally:
            os.close(stdout)
            os.close(stderr)

    async def _wait(self, compiler: running.Running) -> int | None:
        """The wait status; None when the job's lifetime ended first."""
        lifetime = self._service.options.job_lifetime_seconds or None
        self._service.compilers.add(compiler)
        try:
            async with asyncio.timeout(lifetime):
                return await compiler.wait()
        except TimeoutError:
            return None
        finally:
            self._service.compilers.discard(compiler)

    async def _collect(self, status: int | None, folder: bytes, streams: tuple[int, int]) -> Result:
        stdout, stderr = _content(streams[0]), _content(streams[1])
        if status is None:
            limit = self._service.options.job_lifetime_seconds
            stderr += f"fleetccd: stopped after {limit:g} s, the lifetime of a job on this server\n".encode()
            return Result("timeout", ExitCode.TIMEOUT << 8, stderr, stdout)
        if status:
            return Result("compile-error", status, stderr, stdout)
        path = os.path.join(folder, self._order.output_name)
        output = await self._in_thread(_size(path), _read_output, path)
        return Result("ok", 0, stderr, stdout, output)

    async def _in_thread(self, size_bytes: int, work: "Callable[..., _T]", *arguments: object) -> _T:
        if size_bytes < THREAD_BYTES:
            return work(*arguments)
        return await in_thread(self._service.pool, work, *arguments)

    def _log_end(self, result: Result, in_bytes: int, out_bytes: int) -> None:
        times = self._times
        ended = times.ended or time.monotonic()
        self._service.stats.count(result.outcome)
        _log.info(
            "client=%s result=%s compiler=%s file=%s exit=%d signal=%d wait_ms=%d run_ms=%d in=%d out=%d",
            self._connection.client,
            result.outcome,
            self._order.compiler_name,
            self._order.file,
            result.status >> 8,
            result.status & 0x7F,
            ((times.started or ended) - times.joined) * 1000,
            (ended - times.started) * 1000 if times.started else 0,
            in_bytes,
            out_bytes,
        )


async def in_thread(pool: ThreadPoolExecutor, work: "Callable[..., _T]", *arguments: object) -> _T:
    """Run it in a thread. Cancelling waits until the thread is done with the job's files."""
    future = asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


def _write_input(order: Order, raw: bytes, folder: bytes) -> Prepared | Refusal | None:
    text = unpack_body(order.protocol, raw, order.max_source_bytes)
    prepared: Prepared | None = None
    if order.command.form is Form.DIRECTIVES:
        outcome = prepare(text)
        if isinstance(outcome, Refusal):
            return outcome
        prepared, text = outcome, outcome.text
    with open(os.path.join(folder, order.input_name), "wb", buffering=0) as file:
        view = memoryview(text)
        while view:
            view = view[file.write(view) :]
    return prepared


def _encode(protocol: int, result: Result) -> list[bytes]:
    bodies = [pack_body(protocol, plain) for plain in (result.stderr, result.stdout, result.output)]
    return encode_response(protocol, result.status, *bodies)


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _read_output(path: bytes) -> bytes:
    # A compiler that succeeded without writing anything (-fsyntax-only) left an empty output.
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, min(size, MAX_STREAM_BYTES), 0) if size else b""


def _failure(outcome: str, code: int, sentence: str) -> Result:
    return Result(outcome, code << 8, sentence.encode() + b"\n")


def _cannot_start(program: Program, error: OSError) -> Result:
    code = (
        ExitCode.OUT_OF_MEMORY if error.errno in (errno.EAGAIN, errno.ENOMEM) else ExitCode.COMPILER_MISSING
    )
    name = program.path.decode(errors="replace")
    return _failure("missing-compiler", code, f"fleetccd: failed to exec {name}: {error.strerror}")
