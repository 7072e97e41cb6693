"""What all jobs made of files share on a server: the sandbox, the blobs and the replicas.

Nothing of it exists before the first fleet client comes; a server that cannot sandbox never has any. The
sandbox alone also serves distcc's clients in pump mode.
"""

import asyncio
import contextlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from fleetcc.sandbox.probe import CannotSandbox, Sandbox, find_helper, probe
from fleetcc.server.job import in_thread
from fleetcc.server.options import ServerOptions
from fleetcc.store import blobs, replicas
from fleetcc.store.binding import Binding
from fleetcc.store.errors import StoreError

if TYPE_CHECKING:
    from fleetcc.server.replica_session import ReplicaSession

_log: Final = logging.getLogger(__name__)

# Agents whose replicas are kept; each has some thousand small files.
MAX_REPLICAS: Final = 64


class Files:
    """One server process's part of it."""

    def __init__(self, options: ServerOptions, pool: ThreadPoolExecutor) -> None:
        self._options = options
        self._pool = pool
        self._is_trimming = False
        self._probing = asyncio.Lock()
        self._found: Sandbox | CannotSandbox | None = None  # unknown
        self.sandbox: Sandbox | None = None
        self.obstacle = "it is still finding out whether it can"  # why there is no sandbox
        self.sessions: set[ReplicaSession] = set()

    @property
    def blob_counts(self) -> blobs.Counts:
        """Of the store; nothing where there is none."""
        return self.blobs.counts if self.sandbox is not None else blobs.Counts()

    @property
    def replica_counts(self) -> replicas.Counts:
        """Of the replicas; nothing where there are none."""
        return self.replicas.counts if self.sandbox is not None else replicas.Counts()

    @property
    def store_bytes(self) -> int:
        """Blobs and replicas together."""
        return self.blob_counts.bytes + self.replica_counts.bytes

    async def prepare(self) -> None:
        """Find out whether jobs made of files can run here."""
        found = await self.probed()
        try:
            await in_thread(self._pool, self._prepare, found)
        except (StoreError, OSError) as error:
            self.obstacle = str(error)
        if self.obstacle:
            _log.warning("no jobs made of files: %s", self.obstacle)
        elif self._options.is_watched:
            await self.tidy()  # whose look at the store is where the counts begin

    async def probed(self) -> Sandbox | CannotSandbox:
        """Whether there can be a sandbox here, for whatever jobs; the first call finds out."""
        async with self._probing:
            if self._found is None:
                helper = find_helper(os.environ)
                self._found = await in_thread(self._pool, probe, self._options.state_directory, helper)
            return self._found

    def _prepare(self, found: Sandbox | CannotSandbox) -> None:
        directory = self._options.state_directory
        if isinstance(found, CannotSandbox):
            self.obstacle = f"{found.reason}; {found.remedy}"
            return
        most = self._options.store_bytes
        self.blobs = blobs.BlobStore(os.path.join(directory, "blobs"), most)
        self.replicas = replicas.Replicas(os.path.join(directory, "replicas"), self.blobs, most, MAX_REPLICAS)
        self.sandbox, self.obstacle = found, ""

    def arrived(self, stored: list[tuple[bytes, int]]) -> None:
        """Blobs are in the store: whoever waits for them goes on."""
        failed: list[Binding] = []
        for digest, size in stored:
            failed += self.replicas.arrived(digest, size)
        for session in list(self.sessions):
            session.settled(failed)
            session.work()

    async def tidy(self) -> None:
        """Keep to the limits, now and then."""
        if self._is_trimming or not self.blobs.is_trim_due:
            return
        self._is_trimming = True
        try:
            await in_thread(self._pool, self.replicas.evict)
            await in_thread(self._pool, self.blobs.trim)
        except (StoreError, OSError) as error:
            _log.error("tidying the store: %s", error)
        finally:
            self._is_trimming = False

    def close(self) -> None:
        """Give everything back."""
        if isinstance(self._found, Sandbox):
            self._found.close()
        if self.sandbox is not None:
            with contextlib.suppress(StoreError, OSError):
                self.replicas.shut()
                self.blobs.close()
