"""Hands a compiler's outcome to the launcher: outputs first, then the result. The launcher does the rest."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import Final

from fleetcc.agent.errand import RunLocallyError
from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError
from fleetcc.agent.story import Story
from fleetcc.backends.link import LeftFile, Spoken
from fleetcc.backends.pump import PumpSpoken
from fleetcc.command.analysis import Compilation
from fleetcc.model import Family, Reason
from fleetcc.settings import Settings
from fleetcc.wire.launcher import WRITE_FAILED, encode_answer, encode_result, temporary_name

# The launcher holds a descriptor for each.
MOST_OUTPUTS: Final = 500


class Delivery:
    """The way of one job's outcome."""

    def __init__(self, connection: LauncherConnection, story: Story, cwd: bytes, settings: Settings) -> None:
        self._connection = connection
        self._story = story
        self._cwd = cwd
        self._is_told = settings.verbose
        self._parts: list[bytes] = []
        self._paths: list[bytes] = []

    async def of_text(self, compilation: Compilation, spoken: Spoken, warnings: bytes) -> None:
        """What was compiled from text or in pump mode: one output, and the dependencies.

        Those of a text the preprocessor has told the launcher.

        Raises RunLocallyError when an output cannot be written, LauncherGoneError.
        """
        if not spoken.status:
            target = compilation.output
            if compilation.family is Family.GCC and self._is_written_through(compilation):
                target = self._through_link(target)
            self._add(target, spoken.output)
            if compilation.depfile is not None:
                path = self._through_link(compilation.depfile.path)
                if isinstance(spoken, PumpSpoken):
                    self._add(path, spoken.dependencies)
                else:
                    self._paths.append(path)
                    self._parts.append(encode_answer(b"D", path))
        await self._send(spoken.status, spoken.stdout, warnings + spoken.stderr)

    async def of_streams(self, status: int, stdout: bytes, stderr: bytes, *, say: bool) -> None:
        """The outputs are in place already. `say`: tell the user what there is to tell."""
        self._is_told = self._is_told or say
        await self._send(status, stdout, stderr)

    async def of_files(self, spoken: Spoken) -> None:
        """What a compiler left in its replica, whatever its status. Raises the same."""
        files = spoken.files or ()
        if len(files) > MOST_OUTPUTS:
            raise RunLocallyError(Reason.MANY_OUTPUTS, f"{len(files)} files")
        for path in spoken.removed:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for left in files:
            self._make_room(left)
            self._add(left.path, left.content)
        await self._send(spoken.status, spoken.stdout, spoken.stderr)

    def _add(self, path: bytes, content: bytes) -> None:
        self._paths.append(path)
        self._parts.append(encode_answer(b"O", path + b"\0" + content))

    @staticmethod
    def _make_room(left: LeftFile) -> None:
        """Compilers make directories for some outputs, as for modules."""
        directory = os.path.dirname(left.path)
        if not os.path.isdir(directory):
            with contextlib.suppress(OSError):  # the launcher will say so
                os.makedirs(directory, exist_ok=True)

    async def _send(self, status: int, stdout: bytes, stderr: bytes) -> None:
        self._story.phase("returning")
        if self._story.reason is None:
            self._story.reason = Reason.REMOTE
        if self._is_told:
            self._parts.append(verbose_answer(self._story))
        self._parts.append(encode_result(status, stdout, stderr))
        try:
            await self._connection.send(*self._parts)
            message = await self._connection.receive()
        except (LauncherGoneError, asyncio.CancelledError):
            self._clear_up(self._paths)
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

    def _is_written_through(self, compilation: Compilation) -> bool:
        """gcc follows a symbolic link with text, and with an object only where it leads nowhere."""
        return compilation.stage == b"-S" or not os.path.exists(os.path.join(self._cwd, compilation.output))

    def _through_link(self, path: bytes) -> bytes:
        """The file behind a symbolic link; dependencies go there, whatever the compiler."""
        whole = os.path.join(self._cwd, path)
        return os.path.realpath(whole) if os.path.islink(whole) else path


def verbose_answer(story: Story) -> bytes:
    """The launcher shall say what becomes of the job, because the user asked for that."""
    return encode_answer(b"V", os.fsencode(f"fleetcc: {story.sentence()}\n"))
