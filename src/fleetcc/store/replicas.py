"""All replicas of this process, each in a directory that it owns.

A replica is found by its agent's secret and outlives the connection, not the process: nobody vouches for what
a killed one wrote. Blobs do outlive it, so the agent says everything again and sends nothing again. Two
connections never share a replica; the second one with a secret, here or in another process, gets another.

The limits are for this process. Whole replicas go, the longest unused first, never one that a job has.
"""

import contextlib
import hashlib
import os
import threading
from dataclasses import dataclass
from typing import NamedTuple

from fleetcc.store import owned
from fleetcc.store.binding import Binding
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import StoreFullError, store_error
from fleetcc.store.replica import Replica


@dataclass(slots=True)
class _Held:
    replica: Replica
    owner: int  # the descriptor that holds its directory
    is_open: bool = True


class Counts(NamedTuple):
    """The replicas of one process."""

    entries: int = 0
    bytes: int = 0  # that they take beside the blobs
    evictions: int = 0  # that had to go, or begin again, for lack of room


class Replicas:
    """For use in any thread; `arrived` and `close` never wait for the disk."""

    def __init__(self, directory: str, blobs: BlobStore, max_bytes: int, max_replicas: int) -> None:
        """Take part in this directory, on the file system of the blobs; raises StoreError.

        `max_bytes`: of the copies of all replicas, and the most that one may ask for.
        """
        self._directory = os.fsencode(os.path.abspath(directory))
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._max_replicas = max_replicas
        self._lock = threading.Lock()
        self._held: dict[bytes, _Held] = {}  # by directory
        self._evictions = 0
        try:
            owned.make_private(self._directory)
            owned.remove_leftovers(self._directory)
        except OSError as error:
            raise store_error(error, f"replicas in {directory}") from error

    @property
    def counts(self) -> Counts:
        """How much is here now; never waits for the disk."""
        held = tuple(self._held.values())  # one step, as in `close`
        return Counts(len(held), sum(one.replica.copied_bytes for one in held), self._evictions)

    def open(self, secret: bytes) -> Replica:
        """The replica of a new connection, as the last one with that secret left it, or an empty one.

        Raises StoreError, and StoreFullError when as many connections as there may be replicas are open.
        """
        name = self._directory + b"/" + hashlib.sha256(secret).hexdigest()[:32].encode()
        with self._lock:
            for count in range(self._max_replicas + 1):
                directory = name if count == 0 else b"%s.%d" % (name, count)
                held = self._held.get(directory)
                if held is None:
                    held = self._claim(directory)
                elif held.is_open:
                    continue
                if held is not None:
                    held.is_open = True
                    held.replica.resume()
                    return held.replica
        raise StoreFullError(f"more than {self._max_replicas} replicas of one agent")

    def close(self, replica: Replica) -> None:
        """Its connection has ended. Bindings of jobs that still run are released later."""
        held = self._held.get(replica.directory)  # without the lock, which may be held over disk work
        if held is not None:
            held.is_open = False

    def arrived(self, digest: bytes, size: int) -> list[Binding]:
        """The store has got a blob: every replica may have waited for it. As `Replica.arrived`."""
        replicas = [held.replica for held in tuple(self._held.values())]  # one step, as in `close`
        return [binding for replica in replicas for binding in replica.arrived(digest, size)]

    def evict(self) -> None:
        """Go below the limits, as far as no job forbids it (disk). A client notices at its next message."""
        with self._lock:
            total = sum(held.replica.copied_bytes for held in self._held.values())
            for held in self._oldest_first():
                if total <= self._max_bytes and len(self._held) <= self._max_replicas:
                    return
                total -= self._give_up(held, needs_bytes=total > self._max_bytes)

    def shut(self) -> None:
        """Remove them all: the process ends."""
        with self._lock:
            for held in list(self._held.values()):
                self._remove(held)

    def _claim(self, directory: bytes) -> _Held | None:
        if len(self._held) >= self._max_replicas:
            self._make_room()
        try:
            owner = owned.claim_empty(directory)
        except OSError as error:
            raise store_error(error, "making a replica") from error
        if owner is None:
            return None
        held = _Held(Replica(directory, self._blobs, self._max_bytes), owner)
        self._held[directory] = held
        return held

    def _make_room(self) -> None:
        for held in self._oldest_first():
            if not held.is_open:
                self._give_up(held, needs_bytes=False)
                return
        raise StoreFullError(f"all {self._max_replicas} replicas are in use")

    def _oldest_first(self) -> list[_Held]:
        idle = [held for held in self._held.values() if held.replica.is_idle]
        return sorted(idle, key=lambda held: held.replica.used)

    def _give_up(self, held: _Held, *, needs_bytes: bool) -> int:
        """One less, or, while its connection lasts, an empty one; how many bytes that gave."""
        size = held.replica.copied_bytes
        if not held.is_open:
            self._remove(held)
            self._evictions += 1
            return size
        if needs_bytes and size and held.replica.evict():
            self._evictions += 1
            return size
        return 0

    def _remove(self, held: _Held) -> None:
        del self._held[held.replica.directory]
        with contextlib.suppress(OSError):  # what stays, the next process removes
            owned.give_up(held.replica.directory, held.owner)
