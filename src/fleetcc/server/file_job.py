"""A job made of files that are all in its tree: a slot for it, the sandbox, what it left, its result."""

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetcc.errors import ProtocolError
from fleetcc.sandbox.outcome import Ended, Killed, NotStarted, Stage
from fleetcc.sandbox.run import Run
from fleetcc.sandbox.scratch import LeftFile, TooMuch
from fleetcc.sandbox.spec import Spec
from fleetcc.server import running
from fleetcc.server.fleet_job import pack_parts
from fleetcc.server.job import MAX_STREAM_BYTES, THREAD_BYTES, in_thread
from fleetcc.server.replica_session import ReplicaSession
from fleetcc.server.shortage import Shortage, limits_of, oom_kills, shortage
from fleetcc.server.slots import Slot
from fleetcc.server.watch import Life
from fleetcc.store.binding import Binding
from fleetcc.wire.files import FILE_PART, FileJob, Left
from fleetcc.wire.fleet import ErrorCode, Result

if TYPE_CHECKING:
    from fleetcc.server.fleet_session import FleetSession
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)


class NotDoneError(Exception):
    """No compiler has spoken."""

    def __init__(self, outcome: str, code: ErrorCode, text: str, remedy: str) -> None:
        super().__init__(text)
        self.outcome = outcome  # the word for the log
        self.code = code
        self.text = text
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class AcceptedFiles:
    """A job that this server has taken."""

    number: int
    job: FileJob
    ticket: "Ticket"
    binding: Binding
    replica: ReplicaSession
    life: Life


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What a compiler has left."""

    ended: Ended
    parts: list[tuple[str, bytes]]
    files: tuple[Left, ...]
    removed: tuple[bytes, ...]


class FilesJob:
    """One job of one fleet session."""

    def __init__(self, service: "Service", session: "FleetSession", accepted: AcceptedFiles) -> None:
        self._service = service
        self._session = session
        self._accepted = accepted
        self._life = accepted.life

    async def run(self) -> None:
        """Carry it out; raises only CancelledError, and what is a fault of ours."""
        try:
            self._life.comes_to("waiting")
            slot = await self._service.gate.slot(self._accepted.ticket)
            await self._tell(await self._compile(slot))
        except asyncio.CancelledError:
            why = "disconnected" if self._session.is_over else "cancelled"
            self._fail(why, ErrorCode.CANCELLED, "cancelled", "")
            raise
        except NotDoneError as error:
            self._fail(error.outcome, error.code, error.text, error.remedy)
        except ProtocolError as error:
            self._service.stats.refuse("malformed")
            self._fail("rejected", ErrorCode.REFUSED, str(error), "compile it locally")
        except OSError as error:
            _log.error("client=%s result=failed file=%s: %s", self._session.client, self._label, error)
            self._fail("failed", ErrorCode.FAILED, str(error), "compile it elsewhere")

    def broken(self) -> None:
        """It ended by a fault of ours."""
        self._fail("internal-error", ErrorCode.FAILED, "an internal error", "the server's log has the story")

    def over(self) -> None:
        """It has ended, however, perhaps before it began."""
        accepted = self._accepted
        self._service.gate.leave(accepted.ticket)
        accepted.replica.release(accepted.binding)
        self._life.end("cancelled")
        self._session.job_over(accepted.number)

    @property
    def _label(self) -> str:
        return self._accepted.ticket.command

    async def _compile(self, slot: Slot) -> _Spoken:
        files, job = self._service.fleet.files, self._accepted.job
        assert files.sandbox is not None
        limits = limits_of(self._service.options)
        spec = Spec(
            self._accepted.binding.tree.root,
            job.program,
            job.argv,
            job.environment,
            job.cwd,
            job.umask,
            limits,
            tuple(dict.fromkeys(job.existing)),
        )
        kills = oom_kills()
        run = files.sandbox.run(spec, (slot.descriptor,))
        try:
            streams = (os.memfd_create("stdout"), os.memfd_create("stderr"))
            try:
                await self._run(run, streams, slot)
                outcome = run.outcome()
                if not isinstance(outcome, Ended):
                    raise _not_done(outcome)
                self._life.cpu_seconds, self._life.peak_bytes = outcome.cpu_seconds, outcome.peak_bytes
                stdout, stderr = (_content(stream) for stream in streams)
                lacking = shortage(outcome, limits, stderr, was_oom=oom_kills() > kills)
                if lacking is not None:
                    raise _too_little(lacking)
                return await self._collect(run, outcome, stdout, stderr)
            finally:
                for stream in streams:
                    os.close(stream)
        finally:
            run.close()

    async def _run(self, run: Run, streams: tuple[int, int], slot: Slot) -> None:
        self._life.begins(slot.index)
        compiler = running.start_sandboxed(run, streams)
        self._session.started(self._accepted.number)
        self._service.compilers.add(compiler)
        lifetime = self._service.options.job_lifetime_seconds or None
        try:
            async with asyncio.timeout(lifetime):
                await compiler.wait()
        except TimeoutError:
            text = f"stopped after {lifetime:g} s, the lifetime of a job on this server"
            remedy = "raise --job-lifetime on the server, or compile it locally"
            raise NotDoneError("timeout", ErrorCode.LIFETIME, text, remedy) from None
        finally:
            self._service.compilers.discard(compiler)
            self._life.is_compiled()
            self._service.gate.leave(self._accepted.ticket)

    async def _collect(self, run: Run, ended: Ended, stdout: bytes, stderr: bytes) -> _Spoken:
        parts = [(name, text) for name, text in (("stdout", stdout), ("stderr", stderr)) if text]
        assert run.scratch is not None
        job = self._accepted.job
        left = run.scratch.collect(self._accepted.binding.tree.root, job.returns, job.existing)
        if isinstance(left, TooMuch):
            raise NotDoneError("too-much", ErrorCode.LIMITS, left.sentence, "compile it locally")
        contents = await self._read(left.files)
        parts += [(FILE_PART, content) for content in contents]
        told = tuple(Left(file.path, file.mode) for file in left.files)
        return _Spoken(ended, parts, told, left.removed)

    async def _read(self, files: tuple[LeftFile, ...]) -> list[bytes]:
        if sum(file.size_bytes for file in files) < THREAD_BYTES:
            return [file.read() for file in files]
        return await in_thread(self._service.pool, lambda: [file.read() for file in files])

    async def _tell(self, spoken: _Spoken) -> None:
        size = sum(len(data) for _, data in spoken.parts)
        if size < THREAD_BYTES:
            parts, packed = pack_parts(self._session.takes_zstd, spoken.parts)
        else:
            parts, packed = await in_thread(
                self._service.pool, pack_parts, self._session.takes_zstd, spoken.parts
            )
        ended = spoken.ended
        result = Result(
            status=ended.status,
            parts=parts,
            run_seconds=self._life.run_seconds,
            cpu_seconds=ended.cpu_seconds,
            peak_bytes=ended.peak_bytes,
            files=spoken.files,
            removed=spoken.removed,
        )
        self._session.finished(self._accepted.number, result, packed)
        self._log_end("compile-error" if ended.status else "ok", ended.status, sum(map(len, packed)))

    def _fail(self, outcome: str, code: ErrorCode, text: str, remedy: str) -> None:
        self._session.failed(self._accepted.number, code, text, remedy)
        self._log_end(outcome, 0, 0)

    def _log_end(self, outcome: str, status: int, out_bytes: int) -> None:
        """The one line of this job."""
        life = self._life
        life.end(outcome, status, out_bytes)
        _log.info(
            "client=%s result=%s compiler=%s file=%s exit=%d signal=%d wait_ms=%d run_ms=%d in=files out=%d",
            self._session.client,
            outcome,
            life.compiler,
            self._label,
            status >> 8,
            status & 0x7F,
            life.wait_seconds * 1000,
            life.run_seconds * 1000,
            out_bytes,
        )


def _content(stream: int) -> bytes:
    size = os.fstat(stream).st_size
    return os.pread(stream, min(size, MAX_STREAM_BYTES), 0) if size else b""


def _too_little(lacking: Shortage) -> NotDoneError:
    text = f"the job needed more {lacking.value} than --job-{lacking.value} gives it here"
    return NotDoneError("limits", ErrorCode.LIMITS, text, "compile it elsewhere")


def _not_done(outcome: NotStarted | Killed) -> NotDoneError:
    if isinstance(outcome, Killed):
        return NotDoneError(
            "killed", ErrorCode.FAILED, "the job was killed on the server", "compile it elsewhere"
        )
    if outcome.stage in (Stage.EXEC, Stage.CWD, Stage.EXISTING):
        return NotDoneError("not-started", ErrorCode.UNFIT, outcome.sentence, "compile it locally")
    return NotDoneError("sandbox", ErrorCode.SANDBOX, outcome.sentence, "compile it elsewhere")
