"""One job's text in each form and packing that hosts want, made when the first of them wants it.

The launcher runs the preprocessor, so that the directory, umask and limits are the build's own.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fleetcc.agent.errand import RunLocallyError
from fleetcc.agent.launcher_connection import LauncherConnection, close_all
from fleetcc.agent.local_slots import Use
from fleetcc.agent.services import Services
from fleetcc.agent.story import Story
from fleetcc.agent.text import Packer, Text, Unfit
from fleetcc.backends.link import Order
from fleetcc.command.analysis import Compilation
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.errors import FleetccError
from fleetcc.model import Form, Reason
from fleetcc.scheduling.fleet import Needs
from fleetcc.settings import Settings
from fleetcc.wire.launcher import PREPROCESSED, encode_preprocess

R = TypeVar("R")

# Bodies longer than this are packed in a thread; for shorter ones the hand-over costs more than the work.
_INLINE_BYTES: Final = 64 << 10


class Texts:
    """The texts of one job."""

    def __init__(
        self,
        services: Services,
        connection: LauncherConnection,
        story: Story,
        cwd: bytes,
        compilation: Compilation,
        needs: Needs,
        settings: Settings,
    ) -> None:
        self._services = services
        self._connection = connection
        self._story = story
        self._cwd = cwd
        self._compilation = compilation
        self._needs = needs
        self._settings = settings
        self._made: dict[Form, Text | Unfit] = {}
        self.making = asyncio.Lock()  # the launcher takes one order at a time

    @property
    def warnings(self) -> bytes:
        """What the preprocessor said, once."""
        return next((text.warnings for text in self._made.values() if isinstance(text, Text)), b"")

    @property
    def unfit(self) -> frozenset[Form]:
        """Forms in which this job must not travel, as far as its content has told."""
        return frozenset(form for form, made in self._made.items() if isinstance(made, Unfit))

    def order(self, forms: frozenset[Form], encodings: Sequence[str]) -> Order | None:
        """The order, when its text is there in a form and packing that the host takes."""
        form = self._form_for(forms)
        text = self._made.get(form) if form is not None else None
        body = text.body_in(encodings) if isinstance(text, Text) else None
        return self._order(text, *body) if isinstance(text, Text) and body is not None else None

    async def make_order(self, forms: frozenset[Form], encodings: Sequence[str]) -> Order:
        """The same, made now; raises RunLocallyError, LauncherGoneError."""
        form = self._form_for(forms)
        assert form is not None
        text = await self.fit(form, encodings)
        body = text.body_in(encodings)
        if body is None:
            await self._off_loop(text.plain_bytes, text.repack, encodings[0])
            body = text.body_in(encodings)
            assert body is not None
        return self._order(text, *body)

    async def fit(self, form: Form, encodings: Sequence[str]) -> Text:
        """The text in this form or, where its content forbids that, in the next that the job allows."""
        forms = self._needs.forms
        async with self.making:
            for candidate in forms[forms.index(form) :]:
                text = self._made.get(candidate)
                if text is None:
                    text = self._made[candidate] = await self._text(candidate, encodings[0])
                if isinstance(text, Text):
                    return text
        assert isinstance(text, Unfit)
        raise RunLocallyError(text.reason, text.detail)

    def _form_for(self, forms: frozenset[Form]) -> Form | None:
        """Of the forms that the host takes, the best that is there already; else the best."""
        able = [
            form
            for form in self._needs.forms
            if form in forms and not isinstance(self._made.get(form), Unfit)
        ]
        there = [form for form in able if form in self._made]
        return next(iter(there or able), None)

    def _order(self, text: Text, encoding: str, body: bytes) -> Order:
        argv = remote_argv(self._compilation, text.form, self._needs.name, self._cwd)
        return Order(argv, text.form, self._needs.identity, encoding, body, text.plain_bytes)

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

    async def _off_loop(self, size: int, function: Callable[..., R], *arguments: object) -> R:
        if size <= _INLINE_BYTES:
            return function(*arguments)
        return await self._in_thread(function, *arguments)

    async def _in_thread(self, function: Callable[..., R], *arguments: object) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._services.executor, function, *arguments)
