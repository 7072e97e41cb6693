"""The remote way of one job: make its text, wait for a host to take it, deliver what the compiler said.

Until a compiler has spoken a failure is ours: another host once, then here. What a remote compiler says
about preprocessed text is not what it would say here (no carets, other macros), so when it says anything
the job runs here, unless the user gave that up (FLEETCC_EXACT=0, or no fallback).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

from fleetcc.agent.errand import Answer, OnLocalhost, RunLocallyError
from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError, close_all
from fleetcc.agent.local_slots import Use
from fleetcc.agent.plan import Send
from fleetcc.agent.services import Services
from fleetcc.agent.stories import Story
from fleetcc.agent.text import Packer, Text, Unfit
from fleetcc.backends.link import Order, Spoken
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.errors import FleetccError
from fleetcc.model import Family, Form, Priority, Reason
from fleetcc.scheduling.fleet import JobSpec, Needs
from fleetcc.settings import Settings
from fleetcc.wire.launcher import (
    PREPROCESSED,
    WRITE_FAILED,
    encode_answer,
    encode_preprocess,
    encode_result,
    temporary_name,
)

R = TypeVar("R")

# Rule 1 of design.md: another host once, then local.
MAX_ATTEMPTS: Final = 2

# Bodies longer than this are packed in a thread; for shorter ones the hand-over costs more than the work.
_INLINE_BYTES: Final = 64 << 10

_PRIORITIES: Final = {priority.slug: priority for priority in Priority}


class RemoteWay:
    """One job on its way to the hosts of its list."""

    def __init__(
        self,
        services: Services,
        connection: LauncherConnection,
        story: Story,
        cwd: bytes,
        planned: Send,
        needs: Needs,
        settings: Settings,
    ) -> None:
        self._services = services
        self._connection = connection
        self._story = story
        self._cwd = cwd
        self._planned = planned
        self._compilation = planned.compilation
        self._needs = needs
        self._settings = settings
        self._texts: dict[Form, Text | Unfit] = {}
        self._making = asyncio.Lock()  # one preprocessor at a time: the launcher takes one order at a time

    async def carry(self) -> OnLocalhost | None:
        """Do the job on a host: None. Or the `localhost` entry that was free first, whose slot is held.

        Raises RunLocallyError when the fleet cannot do it, LauncherGoneError when nobody waits any more.
        """
        self._story.phase("waiting", "")
        fleet = self._services.fleet
        group = await fleet.join(self._planned.found, self._settings, self._needs)
        try:
            form, encodings = fleet.best_form(group, self._needs.forms)
            text = await self._fit_text(form, encodings)
            self._story.phase("waiting")
            answer = await fleet.run(group, self._job(group.key, text), self)
        finally:
            fleet.part(group)
        if isinstance(answer, OnLocalhost):
            return answer
        await self._take(answer)
        return None

    def _job(self, group: str, text: Text) -> JobSpec:
        needs = self._needs
        unfit = {form for form, made in self._texts.items() if isinstance(made, Unfit)}
        if unfit:
            needs = Needs(
                needs.identity, needs.name, tuple(form for form in needs.forms if form not in unfit)
            )
        compilation = self._compilation
        names = b"\0".join((self._cwd, compilation.source, compilation.output))
        return JobSpec(
            number=self._services.fleet.next_number(),
            key=blake2b(names, digest_size=8).digest(),
            size=text.plain_bytes,
            group=group,
            needs=needs,
            priority=_PRIORITIES[self._settings.priority],
            attempts=MAX_ATTEMPTS,
        )

    # -- Source: for the fleet

    def bound(self, host: str) -> None:
        """A host gets the job."""
        self._story.phase("compiling", host)

    def order(self, forms: frozenset[Form], encodings: Sequence[str]) -> Order | None:
        """The order, when its text is there in a form and packing that the host takes."""
        form = self._form_for(forms)
        text = self._texts.get(form) if form is not None else None
        body = text.body_in(encodings) if isinstance(text, Text) else None
        return self._order(text, *body) if isinstance(text, Text) and body is not None else None

    async def make_order(self, forms: frozenset[Form], encodings: Sequence[str]) -> Order:
        """The same, made now; raises RunLocallyError, LauncherGoneError."""
        form = self._form_for(forms)
        assert form is not None
        text = await self._fit_text(form, encodings)
        body = text.body_in(encodings)
        if body is None:
            await self._off_loop(text.plain_bytes, text.repack, encodings[0])
            body = text.body_in(encodings)
            assert body is not None
        return self._order(text, *body)

    def _form_for(self, forms: frozenset[Form]) -> Form | None:
        """Of the forms that the host takes, the best that is there already; else the best."""
        able = [
            form
            for form in self._needs.forms
            if form in forms and not isinstance(self._texts.get(form), Unfit)
        ]
        there = [form for form in able if form in self._texts]
        return next(iter(there or able), None)

    def _order(self, text: Text, encoding: str, body: bytes) -> Order:
        argv = remote_argv(self._compilation, text.form, self._needs.name, self._cwd)
        return Order(argv, text.form, self._needs.identity, encoding, body, text.plain_bytes)

    # -- the text

    async def _fit_text(self, form: Form, encodings: Sequence[str]) -> Text:
        """The text in this form or, where its content forbids that, in the next that the job allows."""
        forms = self._needs.forms
        async with self._making:
            for candidate in forms[forms.index(form) :]:
                text = self._texts.get(candidate)
                if text is None:
                    text = self._texts[candidate] = await self._text(candidate, encodings[0])
                if isinstance(text, Text):
                    return text
        assert isinstance(text, Unfit)
        raise RunLocallyError(text.reason, text.detail)

    async def _text(self, form: Form, encoding: str) -> Text | Unfit:
        packer = Packer(
            self._cwd,
            encoding,
            form,
            self._settings.exact,
            self._services.pragmas,
            is_expanded_here=not self._compilation.preprocessed_input,
        )
        if self._compilation.preprocessed_input:
            return await self._in_thread(packer.pack_file, os.path.join(self._cwd, self._compilation.source))
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
            return await self._preprocessed(message.payload, message.descriptors, packer)
        finally:
            close_all(message.descriptors)

    async def _preprocessed(
        self, payload: bytes, descriptors: tuple[int, ...], packer: Packer
    ) -> Text | Unfit:
        if len(descriptors) != 2:
            raise FleetccError(f"the launcher sent {len(descriptors)} memory files where 2 were expected")
        status, size, warnings_size = PREPROCESSED.unpack_from(payload)
        text_file, warnings_file = descriptors
        warnings = os.pread(warnings_file, warnings_size, 0) if warnings_size else b""
        if status or (warnings and self._settings.exact and self._settings.fallback):
            raise RunLocallyError(Reason.PREPROCESSOR_SPOKE)
        text = await self._off_loop(size, packer.pack, text_file, size)
        if isinstance(text, Text):
            text.warnings = warnings
        return text

    # -- the answer

    async def _take(self, answer: Answer) -> None:
        """Deliver what the compiler said, unless it must say it here."""
        spoken = answer.spoken
        spoke = spoken.status or spoken.stderr or spoken.stdout
        if spoke and not self._accepts(spoken.status):
            raise RunLocallyError(Reason.COMPILER_SPOKE, answer.host)
        self._story.host = answer.host
        await self._deliver(spoken)
        self._story.end("done", Reason.REMOTE, "")

    def _accepts(self, status: int) -> bool:
        """Is what the remote compiler said the final answer?"""
        settings = self._settings
        if not settings.fallback:
            return True
        return not settings.exact and (not status or settings.skip_local_retry)

    async def _deliver(self, spoken: Spoken) -> None:
        """Outputs first, then the result; the launcher renames and says so."""
        self._story.phase("returning")
        async with self._making:  # the launcher may still be at work for another host's form of the text
            await self._send_outputs(spoken)

    async def _send_outputs(self, spoken: Spoken) -> None:
        parts: list[bytes] = []
        paths: list[bytes] = []
        if not spoken.status:
            compilation = self._compilation
            target = compilation.output
            if compilation.family is Family.GCC and self._is_written_through():
                target = self._through_link(target)
            parts.append(encode_answer(b"O", target + b"\0" + spoken.output))
            paths.append(target)
            if compilation.depfile is not None:
                paths.append(self._through_link(compilation.depfile.path))
                parts.append(encode_answer(b"D", paths[-1]))
        self._story.reason = Reason.REMOTE
        if self._settings.verbose:
            parts.append(verbose_answer(self._story))
        parts.append(encode_result(spoken.status, spoken.stdout, self._warnings() + spoken.stderr))
        try:
            await self._connection.send(*parts)
            message = await self._connection.receive()
        except (LauncherGoneError, asyncio.CancelledError):
            self._clear_up(paths)
            raise
        if message.kind == b"f":
            (code,) = WRITE_FAILED.unpack_from(message.payload)
            path = os.fsdecode(message.payload[WRITE_FAILED.size :])
            raise RunLocallyError(Reason.OUTPUT_UNWRITABLE, f"{path}: {os.strerror(code)}")

    def _clear_up(self, paths: Sequence[bytes]) -> None:
        """Remove what a launcher that was killed between naming and renaming has left."""
        for index, path in enumerate(paths):
            name = temporary_name(self._connection.pid, index)
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._cwd, os.path.dirname(path), name))

    def _warnings(self) -> bytes:
        """What the preprocessor said, once."""
        return next((text.warnings for text in self._texts.values() if isinstance(text, Text)), b"")

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
