"""One compile on the server: input to a file, a slot, the compiler, what it left. The only caller of them.

The slot is held from the compiler's start to its end: unpacking happens before, compressing and sending
the result after. Whatever happens, the folder is removed and the slot is given back. How the outcome is
told is the business of `distcc_job` and `fleet_job`.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from fleetcc.command.directives import Prepared, Refusal, prepare
from fleetcc.errors import ExitCode
from fleetcc.model import Form
from fleetcc.server import running
from fleetcc.server.orders import Order
from fleetcc.server.slots import Slot
from fleetcc.server.watch import Life

if TYPE_CHECKING:
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

# Below this many bytes the work takes less than handing it to a thread and back is worth.
THREAD_BYTES: Final = 64 << 10
# More diagnostics than this are cut: clients limit what they read.
MAX_STREAM_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Spoken:
    """A compiler has ended; what it left, in plain bytes."""

    status: int  # as wait() gives it
    stderr: bytes = b""
    stdout: bytes = b""
    output: bytes = b""
    run_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def outcome(self) -> str:
        """The word for the log."""
        return "compile-error" if self.status else "ok"


@dataclass(frozen=True, slots=True)
class NotDone:
    """No compiler has spoken."""

    outcome: str  # the word for the log
    code: int  # the exit status that tells a distcc client; 0 for what only a fleet client can meet
    sentence: str


Outcome: TypeAlias = Spoken | NotDone


@dataclass(slots=True)
class Source:
    """A job's input as it travelled."""

    unpack: Callable[[], bytes] | None  # raises ProtocolError; forgotten once it has been called
    raw_bytes: int
    plain_bytes: int  # at least the raw ones, where the protocol does not tell


class Compile:
    """One compile on its way to its outcome."""

    def __init__(
        self, service: "Service", life: Life, order: Order, ticket: "Ticket", source: Source
    ) -> None:
        self._service = service
        self._life = life
        self._order = order
        self._ticket = ticket
        self._source = source

    async def run(self, program: Callable[[], bytes | NotDone], started: Callable[[], None]) -> Outcome:
        """Carry it out; `program` is asked last of all. Raises OSError and ProtocolError.

        When this returns or raises, the slot is free.
        """
        folder = self._service.workspace.take_folder()
        try:
            unpack, self._source.unpack = self._source.unpack, None
            prepared = await self.in_thread(
                self._source.plain_bytes, _write_input, self._order, unpack, folder
            )
            del unpack  # and the bytes with it
            if isinstance(prepared, Refusal):
                return NotDone("form-refused", 0, prepared.sentence)
            slot = await self._service.gate.slot(self._ticket)
            path = program()
            if isinstance(path, NotDone):
                return path
            argv = self._order.compiler_argv(path, folder, prepared)
            return await self._compile(argv, folder, slot, started)
        finally:
            self._service.gate.leave(self._ticket)
            self._service.workspace.give_back(folder)

    async def _compile(
        self, argv: list[bytes], folder: bytes, slot: Slot, started: Callable[[], None]
    ) -> Outcome:
        self._life.begins(slot.index)
        stdout = os.memfd_create("stdout")
        stderr = os.memfd_create("stderr")
        try:
            try:
                compiler = self._start(argv, folder, (stdout, stderr), slot)
            except OSError as error:
                return _cannot_start(argv[0], error)
            started()
            status = await self._wait(compiler)
            self._ran(compiler)
            self._service.gate.leave(self._ticket)
            if status is None:
                limit = self._service.options.job_lifetime_seconds
                sentence = f"stopped after {limit:g} s, the lifetime of a job on this server"
                return NotDone("timeout", ExitCode.TIMEOUT, sentence)
            return await self._collect(compiler, status, folder, (stdout, stderr))
        finally:
            os.close(stdout)
            os.close(stderr)

    def _start(
        self, argv: list[bytes], folder: bytes, streams: tuple[int, int], slot: Slot
    ) -> running.Running:
        return running.start(argv, folder, self._service.environment(folder), streams, slot.descriptor)

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

    def _ran(self, compiler: running.Running) -> None:
        self._life.cpu_seconds, self._life.peak_bytes = compiler.cpu_seconds, compiler.peak_bytes
        self._life.is_compiled()

    async def _collect(
        self, compiler: running.Running, status: int, folder: bytes, streams: tuple[int, int]
    ) -> Outcome:
        output = b""
        if not status:
            path = os.path.join(folder, self._order.output_name)
            output = await self.in_thread(_size(path), _read_output, path)
        return Spoken(
            status,
            _content(streams[1]),
            _content(streams[0]),
            output,
            self._life.run_seconds,
            compiler.cpu_seconds,
            compiler.peak_bytes,
        )

    def end(self, outcome: str) -> None:
        """It is over, if it was not: counted, and not in the log, where its connection's line stands."""
        self._life.end(outcome)

    async def in_thread(self, size_bytes: int, work: "Callable[..., _T]", *arguments: object) -> _T:
        """Do it where so many bytes belong: here or in a thread."""
        if size_bytes < THREAD_BYTES:
            return work(*arguments)
        return await in_thread(self._service.pool, work, *arguments)

    def log_end(self, outcome: str, status: int, out_bytes: int) -> None:
        """The one line of this job."""
        life = self._life
        life.end(outcome, status, out_bytes)
        _log.info(
            "client=%s result=%s compiler=%s file=%s exit=%d signal=%d wait_ms=%d run_ms=%d in=%d out=%d",
            life.client,
            outcome,
            self._order.compiler_name,
            self._order.file,
            status >> 8,
            status & 0x7F,
            life.wait_seconds * 1000,
            life.run_seconds * 1000,
            self._source.raw_bytes,
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


def _write_input(order: Order, unpack: Callable[[], bytes], folder: bytes) -> Prepared | Refusal | None:
    text = unpack()
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


def _cannot_start(program: bytes, error: OSError) -> NotDone:
    code = (
        ExitCode.OUT_OF_MEMORY if error.errno in (errno.EAGAIN, errno.ENOMEM) else ExitCode.COMPILER_MISSING
    )
    name = program.decode(errors="replace")
    return NotDone("missing-compiler", code, f"fleetccd: failed to exec {name}: {error.strerror}")
