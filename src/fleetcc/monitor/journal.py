"""The jobs that have ended, one line of JSON each, in the agent's state directory: what `stats`, `log`,
`trace`, `report` and `explain --last` read.

Written in whole lines, so a reader sees at worst one cut line at the end, which is passed over. When the file
is full it becomes `jobs.jsonl.1`, and what was that goes.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec

from fleetcc.monitor.events import Record, decode_record, encode

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
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, b"".join(lines))
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if size > MOST_BYTES:
                os.replace(self._path, self._path + ".1")
        except OSError as error:
            log.warning("%s: %s", self._path, error)


def read_journal(state_dir: str) -> Iterator[Record]:
    """Every record, oldest first; lines that cannot be read are passed over."""
    for name in (NAME + ".1", NAME):
        try:
            file = open(os.path.join(state_dir, name), "rb")  # noqa: SIM115 - the next line closes it
        except OSError:
            continue
        with file:
            for line in file:
                try:
                    yield decode_record(line)
                except msgspec.DecodeError:
                    continue


def last_build(state_dir: str, build: str | None = None) -> list[Record]:
    """The records of the build that ended last, or of the one named; oldest first."""
    records = list(read_journal(state_dir))
    if build is None and records:
        build = records[-1].build
    return [record for record in records if record.build == build]
