"""Remembers what compilers are, over restarts, for as long as their files stay as they are.

One file may serve several processes: each writes what it and the others found, the last one wins, and one
that misses an entry looks into the file before it examines a compiler. A file that cannot be read, or is of
another scheme, is an empty one; one that cannot be written costs the next process some milliseconds.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from fleetcc.errors import UsageError
from fleetcc.settings.files import UNSETTLED, Stamp, read_snapshot, replace_file, stamp_of
from fleetcc.toolchain import contents
from fleetcc.toolchain.asking import VARIABLES
from fleetcc.toolchain.contents import Contents
from fleetcc.toolchain.identity import SCHEME, Identity, Unidentified, examine

_log: Final = logging.getLogger(__name__)

# An entry is about 1.5 KB; a machine with more compilers than this examines some of them again.
MAX_ENTRIES: Final = 128

# A program, and the values of the VARIABLES that decide what it runs.
Key: TypeAlias = tuple[bytes, tuple[bytes, ...]]


class _Entry(msgspec.Struct, frozen=True):
    program: bytes
    variables: tuple[bytes, ...]
    found_ns: int  # wall clock, to keep the newest of two
    identity: Identity


class _File(msgspec.Struct, frozen=True):
    scheme: str
    entries: list[_Entry]


@dataclass(frozen=True, slots=True)
class _Failure:
    stamp: contents.Stamp  # of the program: another file may be a compiler
    until: float  # on the monotonic clock
    reason: str


@dataclass(slots=True)
class IdentityCache:
    """Identities by program; for use in several threads. Without a path it forgets when the process ends."""

    path: str | None
    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _failures: dict[Key, _Failure] = field(default_factory=dict)
    _contents: Contents = field(default_factory=Contents)
    _file_stamp: Stamp = UNSETTLED
    _storing: threading.Lock = field(default_factory=threading.Lock)
    _examining: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with self._storing:
            self._load()

    def lookup(self, program: bytes, environment: Mapping[bytes, bytes]) -> Identity | None:
        """What is known of this program, if every file is still what it was: some dozen stats."""
        entry = self._entries.get(_key(program, environment))
        return entry.identity if entry is not None and entry.identity.is_current(environment) else None

    def find(self, program: bytes, environment: Mapping[bytes, bytes]) -> Identity | None:
        """Look it up, or examine it (blocking; one compiler at a time); None: `reason` says why."""
        known = self.lookup(program, environment)
        if known is not None or self.reason(program, environment) is not None:
            return known
        with self._examining:  # whoever waited here mostly finds that the one before has examined it
            with self._storing:
                self._load()
            known = self.lookup(program, environment)
            if known is not None or self.reason(program, environment) is not None:
                return known
            return self._examine(program, environment)

    def reason(self, program: bytes, environment: Mapping[bytes, bytes]) -> str | None:
        """Why the program was not identified when it was last examined; None when it is worth asking."""
        failure = self._failures.get(_key(program, environment))
        if failure is None or failure.until <= time.monotonic():
            return None
        return failure.reason if contents.stamp_of(program) == failure.stamp else None

    def _examine(self, program: bytes, environment: Mapping[bytes, bytes]) -> Identity | None:
        key, stamp = _key(program, environment), contents.stamp_of(program)
        found = examine(program, environment, self._contents)
        if isinstance(found, Unidentified):
            if len(self._failures) >= MAX_ENTRIES:
                self._failures.clear()
            self._failures[key] = _Failure(stamp, time.monotonic() + found.retry_seconds, found.reason)
            return None
        self._failures.pop(key, None)
        with self._storing:
            self._load()
            self._entries[key] = _Entry(*key, time.time_ns(), found)
            self._entries = _newest(self._entries)
            self._store()
        return found

    def _load(self) -> None:
        """Take over what other processes have found since the file was last read."""
        if self.path is None or (stamp := stamp_of(self.path)) is None or stamp == self._file_stamp:
            return
        try:
            snapshot = read_snapshot(self.path)
            file = msgspec.msgpack.decode(snapshot.content or b"", type=_File)
        except (UsageError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.debug("compiler identities: %s: not used: %s", self.path, error)
            return
        self._file_stamp = snapshot.stamp
        merged = dict(self._entries)
        for entry in file.entries if file.scheme == SCHEME else ():
            known = merged.get((entry.program, entry.variables))
            if known is None or known.found_ns < entry.found_ns:
                merged[entry.program, entry.variables] = entry
        self._entries = _newest(merged)

    def _store(self) -> None:
        if self.path is None:
            return
        try:
            replace_file(self.path, msgspec.msgpack.encode(_File(SCHEME, list(self._entries.values()))))
        except OSError as error:
            _log.debug("compiler identities: %s: not written: %s", self.path, error)


def _key(program: bytes, environment: Mapping[bytes, bytes]) -> Key:
    return program, tuple(environment.get(name, b"") for name in VARIABLES)


def _newest(entries: dict[Key, _Entry]) -> dict[Key, _Entry]:
    """No more than the newest entries; a new dict, because lookups go on meanwhile without a lock."""
    ordered = sorted(entries.items(), key=lambda item: item[1].found_ns)
    return dict(ordered[-MAX_ENTRIES:])
