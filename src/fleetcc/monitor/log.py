"""The journal as lines for people, and the reading of it while it grows."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from fleetcc.monitor.amounts import bytes_text, clock_text, seconds_text
from fleetcc.monitor.events import Record, decode_record
from fleetcc.monitor.journal import NAME
from fleetcc.monitor.lanes import end_of, was_remote


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs somebody wants to see; empty: whatever it is."""

    reason: str = ""
    host: str = ""  # its name, or the part before the port
    failed: bool = False

    def has(self, record: Record) -> bool:
        """Is it one of them?"""
        if self.reason and record.reason != self.reason:
            return False
        if self.failed and not has_failed(record):
            return False
        return not self.host or any(map(self._is_host, (record.host, *record.hosts)))

    def _is_host(self, name: str) -> bool:
        return self.host in {name, name.rpartition(":")[0].strip("[]")}


def has_failed(record: Record) -> bool:
    """The compiler said no, or we did."""
    return record.state == "failed" or record.status > 0


def log_line(record: Record) -> str:
    """When it ended, what, where or why here, how long, what travelled."""
    when = clock_text(end_of(record), "%m-%d %H:%M:%S")
    return f"{when}  {record.job:>6}  {seconds_text(record.seconds):>8}  {record.label}  {_outcome(record)}"


def _outcome(record: Record) -> str:
    words: list[str] = []
    if record.state != "done":
        words.append(record.state)
    if was_remote(record):
        travelled = f", {bytes_text(record.sent)} sent" if record.sent else ""
        mode = f" as {record.mode}" if record.mode else ""
        words.append(f"on {record.host}{mode}{travelled}")
    elif record.reason:
        words.append(f"here ({record.reason}{': ' + record.detail if record.detail else ''})")
    if record.status > 0:
        words.append(status_text(record.status))
    return ", ".join(words)


def status_text(status: int) -> str:
    """A status as wait() gives it: `exit status 1`, `killed by signal 9`."""
    status &= 0xFFFF  # more is no status
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}"
    return f"exit status {os.WEXITSTATUS(status)}"


class Follower:
    """Reads what is added to a journal; goes along when the journal begins a new file."""

    def __init__(self, state_dir: str) -> None:
        self._path = os.path.join(state_dir, NAME)
        self._file: BinaryIO | None = None
        self._rest = b""  # of a line that is not whole yet
        self._open(skip=True)

    def news(self) -> Iterator[Record]:
        """What has come since the last look."""
        if self._file is not None:
            yield from self._read(self._file)
        if self._is_replaced():
            self._open(skip=False)
            if self._file is not None:
                yield from self._read(self._file)

    def follow(self, wait: Callable[[], None]) -> Iterator[Record]:
        """The same for ever; `wait` is called between two looks."""
        while True:
            yield from self.news()
            wait()

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, *, skip: bool) -> None:
        self.close()
        self._rest = b""
        try:
            self._file = open(self._path, "rb")  # noqa: SIM115 - `close` does
        except OSError:
            return
        if skip:
            self._file.seek(0, os.SEEK_END)

    def _is_replaced(self) -> bool:
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        return self._file is None or not os.path.samestat(there, os.fstat(self._file.fileno()))

    def _read(self, file: BinaryIO) -> Iterator[Record]:
        lines = (self._rest + file.read()).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            try:
                yield decode_record(line)
            except msgspec.DecodeError:
                continue
