"""The remote way of one job: place, preprocess, send, take the answer, deliver.

Until a compiler has spoken a failure is ours: another host once, then here. What a remote compiler says
about preprocessed text is not what it would say here (no carets, other macros), so when it says anything
the job runs here, unless the user gave that up (FLEETCC_EXACT=0, or no fallback).
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from fleetcc.agent.fleet import HostKey, host_key
from fleetcc.agent.launcher_connection import LauncherConnection, close_all
from fleetcc.agent.local_slots import Use
from fleetcc.agent.plan import Send
from fleetcc.agent.services import Services
from fleetcc.agent.stories import Story
from fleetcc.agent.text import Packer, Unfit
from fleetcc.backends.distcc import HostTimeouts
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.errors import FleetccError, HostError, HostRefusedError, ProtocolError
from fleetcc.hosts.grammar import HostKind, HostSpec
from fleetcc.model import Family, Form, Reason
from fleetcc.settings import Settings
from fleetcc.wire.distcc import Response, pack_body, unpack_body
from fleetcc.wire.launcher import PREPROCESSED, WRITE_FAILED, encode_answer, encode_preprocess, encode_result

R = TypeVar("R")

log = logging.getLogger(__name__)

# Rule 1 of design.md: another host once, then local.
MAX_ATTEMPTS: Final = 2

# Bodies longer than this are packed in a thread; for shorter ones the hand-over costs more than the work.
_INLINE_BYTES: Final = 64 << 10
# Of an object or of a message; a claim beyond this is a broken or hostile server.
_MAX_PLAIN_BYTES: Final = 2 << 30

# Statuses with which servers report that no compiler ran (distcc-compat.md 1.4 and 4.4; 120 is ours).
_FIRST_SERVER_STATUS: Final = 100
_WRONG_FORM_STATUS: Final = 120


class RunLocallyError(Exception):
    """Leaves the remote way; the launcher shall exec the compiler."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.text, detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _Text:
    """The source in one preprocessed form."""

    form: Form
    raw: dict[int, bytes]  # the body, by protocol
    warnings: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a compiler said and made."""

    status: int
    stdout: bytes
    stderr: bytes  # with the preprocessor's warnings before it
    output: bytes


class RemoteWay:
    """One job on its way to the hosts of its list."""

    def __init__(
        self,
        services: Services,
        connection: LauncherConnection,
        story: Story,
        cwd: bytes,
        planned: Send,
        name: bytes,
        settings: Settings,
    ) -> None:
        self._services = services
        self._connection = connection
        self._story = story
        self._cwd = cwd
        self._planned = planned
        self._compilation = planned.compilation
        self._name = name
        self._settings = settings
        self._timeouts = HostTimeouts(
            settings.connect_timeout_seconds, settings.io_timeout_seconds, settings.ssh
        )
        self._texts: dict[Form, _Text | Unfit] = {}

    async def carry(self) -> HostSpec | None:
        """Do the job on a host: None. Or the `localhost` entry that was free first, still held.

        Raises RunLocallyError when the fleet cannot do it, LauncherGoneError when nobody waits any more.
        """
        planned, fleet = self._planned, self._services.fleet
        if Form.DIRECTIVES in planned.forms:
            await fleet.learn(planned.hosts, self._timeouts)
            if not any(fleet.form_for(host, planned.forms) for host in planned.hosts.hosts):
                reached = fleet.any_reached(planned.hosts)
                raise RunLocallyError(Reason.DEBUG_COLUMNS if reached else Reason.ALL_HOSTS_FAILING)
        avoid: frozenset[HostKey] = frozenset()
        failures: list[HostError] = []
        for _ in range(MAX_ATTEMPTS):
            self._story.phase("waiting", "")
            host = await fleet.place(planned.hosts, planned.forms, self._name, avoid)
            if host is None:
                break
            if host.kind is HostKind.LOCAL:
                return host
            try:
                answer = await self._on_host(host)
            except HostError as error:
                failures.append(error)
                self._blame(host, error)
                avoid |= {host_key(host)}
                continue
            finally:
                fleet.release(host)  # before the launcher writes: the host is free for the next job
            await self._take(answer, host)
            return None
        raise RunLocallyError(_reason_of(failures), "; ".join(map(str, failures)))

    def _blame(self, host: HostSpec, error: HostError) -> None:
        compiler = self._name if isinstance(error, HostRefusedError) else None
        pause = self._services.fleet.failed(host, compiler, self._settings.backoff_seconds)
        scope = f" for {os.fsdecode(compiler)}" if compiler else ""
        log.warning("%s; left alone for %.0f s%s", error, pause, scope)

    async def _on_host(self, host: HostSpec) -> _Answer:
        """Preprocess and send; what a compiler said. Raises HostError when none has spoken."""
        form = self._services.fleet.form_for(host, self._planned.forms)
        if form is None:
            raise HostError(f"{host.text} no longer takes the form that this job needs")
        protocol = min(host.protocol, 2)
        text = await self._fit_text(form, protocol)
        if protocol not in text.raw:
            other, raw = next(iter(text.raw.items()))
            plain = unpack_body(other, raw, _MAX_PLAIN_BYTES)
            text.raw[protocol] = await self._off_loop(len(plain), pack_body, protocol, plain)
        self._story.phase("compiling", host.text)
        argv = remote_argv(self._compilation, text.form, self._name, self._cwd)
        response = await self._services.backend.run(host, protocol, argv, text.raw[protocol], self._timeouts)
        try:
            return await self._unpacked(response, host, protocol, text)
        except ProtocolError as error:
            raise HostError(f"{host.text}: answered nonsense: {error}") from error

    # -- the text

    async def _fit_text(self, form: Form, protocol: int) -> _Text:
        """The text in this form or, where its content forbids that, in the next that the job allows."""
        forms = self._planned.forms
        for candidate in forms[forms.index(form) :]:
            text = self._texts.get(candidate)
            if text is None:
                text = self._texts[candidate] = await self._text(candidate, protocol)
            if isinstance(text, _Text):
                return text
        assert isinstance(text, Unfit)
        raise RunLocallyError(text.reason, text.detail)

    async def _text(self, form: Form, protocol: int) -> _Text | Unfit:
        if self._compilation.preprocessed_input:
            path = os.path.join(self._cwd, self._compilation.source)
            raw = await self._in_thread(self._packer(form, protocol).pack_file, path)
            return raw if isinstance(raw, Unfit) else _Text(form, {protocol: raw}, b"")
        self._story.phase("preprocessing")
        await self._services.acquire_local(Use.PREPROCESS, self._settings)
        try:
            argv = preprocess_argv(self._compilation, form)
            with_dependencies = self._compilation.depfile is not None
            await self._connection.send(encode_preprocess(argv, with_dependencies=with_dependencies))
            message = await self._connection.receive()
        finally:
            self._services.local.release(Use.PREPROCESS)
        try:
            return await self._preprocessed(message.payload, message.descriptors, form, protocol)
        finally:
            close_all(message.descriptors)

    async def _preprocessed(
        self, payload: bytes, descriptors: tuple[int, ...], form: Form, protocol: int
    ) -> _Text | Unfit:
        if len(descriptors) != 2:
            raise FleetccError(f"the launcher sent {len(descriptors)} memory files where 2 were expected")
        status, size, warnings_size = PREPROCESSED.unpack_from(payload)
        text_file, warnings_file = descriptors
        warnings = os.pread(warnings_file, warnings_size, 0) if warnings_size else b""
        if status or (warnings and self._settings.exact and self._settings.fallback):
            raise RunLocallyError(Reason.PREPROCESSOR_SPOKE)
        raw = await self._off_loop(size, self._packer(form, protocol).pack, text_file, size)
        return raw if isinstance(raw, Unfit) else _Text(form, {protocol: raw}, warnings)

    def _packer(self, form: Form, protocol: int) -> Packer:
        return Packer(
            self._cwd,
            protocol,
            form,
            self._settings.exact,
            self._services.pragmas,
            is_expanded_here=not self._compilation.preprocessed_input,
        )

    # -- the answer

    async def _unpacked(self, response: Response, host: HostSpec, protocol: int, text: _Text) -> _Answer:
        """Raises ProtocolError for what does not unpack, HostError when only the server has answered."""
        said = unpack_body(protocol, response.stderr_raw, _MAX_PLAIN_BYTES)
        stdout = unpack_body(protocol, response.stdout_raw, _MAX_PLAIN_BYTES)
        self._require_a_compiler(response.status, said, host, text)
        output = b""
        if not response.status:
            raw = response.output_raw
            output = await self._off_loop(len(raw), unpack_body, protocol, raw, _MAX_PLAIN_BYTES)
            if not output:  # no compiler that succeeds leaves nothing
                raise HostError(f"{host.text}: answered with an empty output")
        self._services.fleet.succeeded(host, self._name)
        return _Answer(response.status, stdout, text.warnings + said, output)

    async def _take(self, answer: _Answer, host: HostSpec) -> None:
        """Deliver what the compiler said, unless it must say it here."""
        spoke = answer.status or answer.stderr or answer.stdout
        if spoke and not self._accepts(answer.status):
            raise RunLocallyError(Reason.COMPILER_SPOKE, host.text)
        await self._deliver(answer)
        self._story.end("done", Reason.REMOTE, "")

    def _require_a_compiler(self, status: int, said: bytes, host: HostSpec, text: _Text) -> None:
        sentence = os.fsdecode(said).strip()
        if status & 0x7F:
            raise RunLocallyError(Reason.REMOTE_SIGNAL, f"{host.text}: signal {status & 0x7F}")
        exit_code = status >> 8
        if exit_code == _WRONG_FORM_STATUS and text.form is Form.DIRECTIVES:
            raise RunLocallyError(Reason.SOURCE_NEEDED, sentence)
        if exit_code >= _FIRST_SERVER_STATUS:
            raise HostRefusedError(f"{host.text}: {sentence or f'status {exit_code}'}")

    def _accepts(self, status: int) -> bool:
        """Is what the remote compiler said the final answer?"""
        settings = self._settings
        if not settings.fallback:
            return True
        return not settings.exact and (not status or settings.skip_local_retry)

    async def _deliver(self, answer: _Answer) -> None:
        """Outputs first, then the result; the launcher renames and says so."""
        self._story.phase("returning")
        parts: list[bytes] = []
        if not answer.status:
            compilation = self._compilation
            target = compilation.output
            if compilation.family is Family.GCC and self._is_written_through():
                target = self._through_link(target)
            parts.append(encode_answer(b"O", target + b"\0" + answer.output))
            if compilation.depfile is not None:
                parts.append(encode_answer(b"D", self._through_link(compilation.depfile.path)))
        self._story.reason = Reason.REMOTE
        if self._settings.verbose:
            parts.append(verbose_answer(self._story))
        parts.append(encode_result(answer.status, answer.stdout, answer.stderr))
        await self._connection.send(*parts)
        message = await self._connection.receive()
        if message.kind == b"f":
            (code,) = WRITE_FAILED.unpack_from(message.payload)
            path = os.fsdecode(message.payload[WRITE_FAILED.size :])
            raise RunLocallyError(Reason.OUTPUT_UNWRITABLE, f"{path}: {os.strerror(code)}")

    def _is_written_through(self) -> bool:
        """gcc follows a symbolic link with text, and with an object only where it leads nowhere."""
        compilation = self._compilation
        return compilation.stage == b"-S" or not os.path.exists(os.path.join(self._cwd, compilation.output))

    def _through_link(self, path: bytes) -> bytes:
        """The file behind a symbolic link; dependencies go there, whatever the compiler."""
        whole = os.path.join(self._cwd, path)
        return os.path.realpath(whole) if os.path.islink(whole) else path

    # -- threads

    async def _off_loop(self, size: int, function: Callable[..., R], *arguments: object) -> R:
        if size <= _INLINE_BYTES:
            return function(*arguments)
        return await self._in_thread(function, *arguments)

    async def _in_thread(self, function: Callable[..., R], *arguments: object) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._services.executor, function, *arguments)


def verbose_answer(story: Story) -> bytes:
    """The launcher shall say what becomes of the job, because the user asked for that."""
    return encode_answer(b"V", os.fsencode(f"fleetcc: {story.sentence()}\n"))


def _reason_of(failures: Sequence[HostError]) -> Reason:
    """Why no host did it."""
    if not failures:
        return Reason.ALL_HOSTS_FAILING
    if all(isinstance(failure, HostRefusedError) for failure in failures):
        return Reason.REFUSED
    return Reason.HOSTS_FAILED
