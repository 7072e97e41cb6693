"""Slots: the right to run one compiler, as flock()ed files that every process of the machine shares.

A slot is held by whoever holds an exclusive flock on `<directory>/<index>`. A process keeps its slot
files open and gives the descriptor of a held slot to the compiler too. The lock belongs to the open file
description, so it lasts as long as either of them lives: a compiler whose server was killed still
counts until it ends, and nothing has to be cleaned up.

A held file says in one line of JSON who holds it; the text of a file that is not locked means nothing.
"""

import fcntl
import json
import os
import stat
from dataclasses import dataclass
from typing import Final

_CONTENT_BYTES: Final = 4096  # one line; longer ones are cut before they are written


@dataclass(frozen=True, slots=True)
class Slot:
    """A held slot; the descriptor is to be inherited by the compiler."""

    index: int
    descriptor: int


class SlotFiles:
    """The slots of one state directory, as one process sees them."""

    def __init__(self, directory: str, count: int) -> None:
        self.count = count
        self._directory = directory
        self._files: list[int | None] = [None] * count
        self._held: set[int] = set()
        make_shared_directory(directory)

    @property
    def held(self) -> int:
        """How many slots this process holds."""
        return len(self._held)

    def take(self, limit: int) -> Slot | None:
        """The lowest free slot below `limit`, which is how a smaller capacity is kept; None: all are held."""
        # Twice, because another process that only looks (held_elsewhere) locks for a microsecond.
        for _ in range(2):
            for index in range(min(limit, self.count)):
                if index not in self._held and self._try_lock(self._file(index)):
                    self._held.add(index)
                    return Slot(index, self._file(index))
        return None

    def describe(self, slot: Slot, client: str, since: float, command: str) -> None:
        """Say who holds it, for other processes and for people."""
        facts = {"pid": os.getpid(), "client": client, "since": round(since, 3), "command": command[:1000]}
        line = json.dumps(facts).encode() + b"\n"
        os.ftruncate(slot.descriptor, 0)
        os.pwrite(slot.descriptor, line, 0)

    def release(self, slot: Slot) -> None:
        """Free it, also when a stray child of the compiler still has the descriptor."""
        self._held.discard(slot.index)
        fcntl.flock(slot.descriptor, fcntl.LOCK_UN)

    def held_elsewhere(self) -> list[str]:
        """The clients for whom other processes hold slots, one entry per slot; "" where it is not known."""
        clients = []
        for index in range(self.count):
            if index in self._held:
                continue
            descriptor = self._file(index)
            if self._try_lock(descriptor):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            else:
                clients.append(_client_of(os.pread(descriptor, _CONTENT_BYTES, 0)))
        return clients

    def close(self) -> None:
        """Close every file; compilers that still run keep their slots."""
        for descriptor in self._files:
            if descriptor is not None:
                os.close(descriptor)
        self._files = [None] * self.count
        self._held.clear()

    def _file(self, index: int) -> int:
        descriptor = self._files[index]
        if descriptor is None:
            descriptor = open_shared_file(os.path.join(self._directory, str(index)))
            self._files[index] = descriptor
        return descriptor

    @staticmethod
    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _client_of(content: bytes) -> str:
    try:
        facts = json.loads(content)
    except ValueError:
        return ""
    client = facts.get("client") if isinstance(facts, dict) else None
    return client if isinstance(client, str) else ""


def make_shared_directory(path: str) -> None:
    """Create it for the owner alone; below a group-writable directory, for the group too."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    if _is_group_writable(parent):
        os.chmod(path, 0o2770)


def open_shared_file(path: str) -> int:
    """Open or create a file that every process using the state directory may lock and write."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if _is_group_writable(os.path.dirname(path)):
        os.fchmod(descriptor, 0o660)
    return descriptor


def _is_group_writable(directory: str) -> bool:
    return bool(os.stat(directory).st_mode & stat.S_IWGRP)
