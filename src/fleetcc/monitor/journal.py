"""The jobs that have ended, one line of JSON each, in the agent's state directory: what `stats`, `log`,
`trace`, `report` and `explain --last` read.

Written in whole lines, so a reader sees at worst cut ones, after a crash or on a full disk, and passes over
them. When the file is full it becomes `jobs.jsonl.1`, and what was that goes.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import BinaryIO, Final

import msgspec

from fleetcc.errors import UsageError
from fleetcc.monitor.events import Record, decode_record, encode
from fleetcc.settings import printable

log = logging.getLogger(__name__)

NAME: Final = "jobs.jsonl"
MOST_BYTES: Final = 32 << 20  # some 80,000 jobs; there may be two such files


class Journal:
    """The writing end; `add` is cheap, `flush` writes (blocking, a few KB)."""

    def __init__(self, state_dir: str) -> None:
        self._path = os.path.join(state_dir, NAME)
        self._lines: deque[bytes] = deque()  # may be added to while a thread writes

    def add(self, record: Record) -> None:
        """One more; written with the next flush."""
        self._lines.append(encode(record))

    @property
    def is_flushed(self) -> bool:
        """Whether the file has all of it."""
        return not self._lines

    def flush(self) -> None:
        """Write what has come; a disk that is full costs the lines, never a job."""
        lines = []
        with suppress(IndexError):
            while True:
                lines.append(self._lines.popleft())
        if not lines:
            return
        try:
            if self._append(b"".join(lines)) > MOST_BYTES:
                os.replace(self._path, self._path + ".1")
        except OSError as error:
            log.warning("%s: %s", self._path, error)

    def _append(self, data: bytes) -> int:
        """The file's size then; raises OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a line that a crash or a full disk has cut shall spoil no other
            written = os.write(descriptor, data)
        finally:
            os.close(descriptor)
        if written < len(data):
            log.warning("%s: the disk is full; %d bytes are lost", self._path, len(data) - written)
        return size + written


def read_journal(state_dir: str) -> Iterator[Record]:
    """Every record, oldest first; lines that cannot be read are passed over. Raises UsageError."""
    path = os.path.join(state_dir, NAME)
    with ExitStack() as stack:
        # The newer file first: should it become the older one in between, it is there twice, not never.
        files = [_opened(stack, path), _opened(stack, path + ".1")]
        newer, older = (file and os.fstat(file.fileno()) for file in files)
        if newer and older and os.path.samestat(newer, older):
            files.pop()
        for file in filter(None, reversed(files)):
            for line in file:
                try:
                    yield decode_record(line)
                except msgspec.DecodeError:
                    continue


def _opened(stack: ExitStack, path: str) -> BinaryIO | None:
    try:
        return stack.enter_context(open(path, "rb"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{printable(path)}: cannot be read: {error.strerror}; make it readable or remove it"
        ) from error
