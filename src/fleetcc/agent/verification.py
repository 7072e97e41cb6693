"""Compiles a job here as well and compares every byte with what a host made; what was made here counts.

The compiler runs as the launcher's child, as for preprocessing, with the command as typed, so outputs are in
place when it ends, and both streams are at hand.
"""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fleetcc.agent.launcher_connection import LauncherConnection, close_all
from fleetcc.backends.link import LeftFile, Spoken
from fleetcc.errors import FleetccError
from fleetcc.settings import printable
from fleetcc.wire.launcher import PREPROCESSED, encode_preprocess

# Of jobs that differed.
_MOST_TOLD: Final = 100


@dataclass(slots=True)
class Verified:
    """What verification has found so far."""

    count: int = 0
    differed: int = 0
    told: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_TOLD))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the compiler did here."""

    status: int  # as wait() gives it
    stdout: bytes
    stderr: bytes


async def run_here(connection: LauncherConnection, argv: tuple[bytes, ...]) -> Outcome:
    """Let the launcher run the command; raises LauncherGoneError."""
    await connection.send(encode_preprocess(argv, with_dependencies=False))
    message = await connection.receive()
    try:
        if len(message.descriptors) != 2:
            count = len(message.descriptors)
            raise FleetccError(f"the launcher sent {count} memory files where 2 were expected")
        status, stdout_size, stderr_size = PREPROCESSED.unpack_from(message.payload)
        stdout, stderr = message.descriptors
        return Outcome(status, os.pread(stdout, stdout_size, 0), os.pread(stderr, stderr_size, 0))
    finally:
        close_all(message.descriptors)


def differences(
    there: Spoken, files: tuple[LeftFile, ...], here: Outcome, named: tuple[bytes, ...], cwd: bytes
) -> list[str]:
    """What is not the same, in words; `named` are the outputs that the command names."""
    return list(_differences(there, files, here, named, cwd))


def _differences(
    there: Spoken, files: tuple[LeftFile, ...], here: Outcome, named: tuple[bytes, ...], cwd: bytes
) -> Iterator[str]:
    if there.status != here.status:
        yield f"status {there.status} there, {here.status} here"
    for name, theirs, ours in (("stdout", there.stdout, here.stdout), ("stderr", there.stderr, here.stderr)):
        if theirs != ours:
            yield f"{name}: {_where(theirs, ours)}"
    seen = set()
    for file in files:
        path = os.path.join(cwd, file.path)
        seen.add(os.path.realpath(path))
        content = _content(path)
        if content is None:
            yield f"{printable(file.path)}: only there"
        elif content != file.content:
            yield f"{printable(file.path)}: {_where(file.content, content)}"
    for path in named:
        whole = os.path.join(cwd, path)
        if os.path.realpath(whole) not in seen and not here.status and os.path.isfile(whole):
            yield f"{printable(path)}: only here"


def _where(theirs: bytes, ours: bytes) -> str:
    at = next((n for n, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other), None)
    place = f"from byte {at} on" if at is not None else "in length"
    return f"{len(theirs)} bytes there, {len(ours)} here, different {place}"


def _content(path: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
