"""The replica of one fleet connection: what the client says of it, the disk's part in threads, jobs in it.

Theory of operation. Updates are accepted as they come, and one task does what they need of the disk for as
long as there is something: it looks blobs up, asks the client for those that are not here, and writes trees.
A job is bound to the tree that is current when it comes, and begins when that tree is complete. When the
server had to give the replica up, the client is told the new one's id and says everything again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetcc.errors import ProtocolError
from fleetcc.server.files import Files
from fleetcc.server.job import in_thread
from fleetcc.server.receiver import Receiver
from fleetcc.store.binding import Binding, BindingState
from fleetcc.store.errors import ReplicaFullError, ReplicaGoneError, StoreError
from fleetcc.store.replica import Replica
from fleetcc.wire.files import FileJob, Gone, ReplicaState, Update
from fleetcc.wire.fleet import ErrorCode
from fleetcc.wire.fleet_requests import ContentsBegin, ContentsEnd, ContentsPiece
from fleetcc.wire.fleet_server import FleetServer

if TYPE_CHECKING:
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)

Refusal = tuple[ErrorCode, str, str]  # with text and remedy


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what."""

    settled: Callable[[Binding], None]  # this job may begin, or never will
    refused: Callable[[], None]  # there will be no replica: `obstacle` says why
    broken: Callable[[str], None]  # the client has broken the protocol
    pause: Callable[[bool], None]  # true: read no more of the client; false: go on


class ReplicaSession:
    """One connection's replica, from its opening to the connection's end."""

    def __init__(
        self,
        service: "Service",
        files: Files,
        protocol: FleetServer,
        write: Callable[[bytes], None],
        listener: Listener,
    ) -> None:
        self._service = service
        self._files = files
        self._protocol = protocol
        self._write = write
        self._listener = listener
        self.obstacle = ""  # why there is no replica
        self._was_full = False  # and no job has had all of its files since
        self._replica: Replica | None = None
        self._told = b""  # the id that the client knows
        self._mine: set[Binding] = set()
        self._receiver = Receiver(service.pool, files.blobs, files.arrived, listener.pause)
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, secret: bytes) -> None:
        """The client wants a replica."""
        self._files.sessions.add(self)
        self._tasks = [
            self._service.start_for_a_session(self._run(secret)),
            self._service.start_for_a_session(self._receive()),
        ]

    def close(self) -> None:
        """The connection has ended; its jobs release what they have when their compilers are gone."""
        self._files.sessions.discard(self)
        for task in self._tasks:
            task.cancel()
        for binding in list(self._mine):
            if binding.state is not BindingState.READY:
                self.release(binding)

    # -- what the client says

    def updated(self, update: Update) -> None:
        """Raises ProtocolError."""
        assert self._replica is not None
        try:
            self._replica.accept(update)
        except ReplicaGoneError:
            self._tell_state()
            return
        except ReplicaFullError as error:
            self._full(self._replica, str(error))
        self.work()

    def _full(self, replica: Replica, why: str) -> None:
        """It holds what the client has ever told of: it begins again, unless that was of no use just now."""
        _log.info("a replica begins again: %s", why)
        failed = replica.give_up(why)
        if self._was_full:
            self.obstacle = f"{why}; raise --store-size"
            self._listener.refused()
        else:
            self._was_full = True
            for binding in failed:  # the client says everything again, and sends the jobs again
                binding.state = BindingState.CHANGED
            self._tell_state()
        self.settled(failed)

    def contents(self, piece: ContentsBegin | ContentsPiece | ContentsEnd) -> None:
        """Blobs that were asked for."""
        self._receiver.take(piece)

    def gone(self, gone: Gone) -> None:
        """Blobs that will not come."""
        assert self._replica is not None
        self.settled(self._replica.gone(gone.digests))
        self.work()

    def bind(self, job: FileJob) -> Binding | Refusal:
        """The tree for a job, or why there is none. Raises ProtocolError."""
        assert self._replica is not None
        if self.obstacle:
            return ErrorCode.STORE_FULL, self.obstacle, "compile it elsewhere"
        try:
            binding = self._replica.bind(job.replica, job.update)
        except ReplicaGoneError:
            self._tell_state()
            return ErrorCode.REPLICA_GONE, "the replica is not here any more", "say everything again"
        self._mine.add(binding)
        if binding.state is BindingState.READY:
            self._was_full = False
        self.work()
        return binding

    def release(self, binding: Binding) -> None:
        """The job has ended, or will never begin."""
        self._mine.discard(binding)
        if self._replica is not None:
            self._replica.release(binding)
            self.work()

    # -- from other sessions

    def settled(self, bindings: Iterable[Binding]) -> None:
        """What became of jobs, some of them perhaps of this connection."""
        for binding in bindings:
            if binding in self._mine:
                if binding.state is BindingState.READY:
                    self._was_full = False
                self._listener.settled(binding)

    def work(self) -> None:
        """Something may be to do on the disk."""
        if self._replica is not None and self._replica.has_work:
            self._more.set()

    # -- the tasks

    async def _run(self, secret: bytes) -> None:
        pool, files = self._service.pool, self._files
        try:
            self._replica = replica = await in_thread(pool, files.replicas.open, secret)
        except StoreError as error:
            _log.error("no replica: %s", error)
            self.obstacle = str(error)
            self._listener.refused()
            return
        try:
            self._tell_state()
            while True:
                await self._more.wait()
                self._more.clear()
                try:
                    await self._do_work(replica)
                except (StoreError, OSError) as error:
                    self._give_up(str(error))
        finally:
            files.replicas.close(replica)

    async def _do_work(self, replica: Replica) -> None:
        pool = self._service.pool
        while replica.has_work:
            lacking = await in_thread(pool, replica.look_up)
            if lacking:
                self._write(self._protocol.missing(lacking, asyncio.get_running_loop().time()))
            self.settled(await in_thread(pool, replica.write))
        self._tell_state()
        await self._files.tidy()

    def _give_up(self, reason: str) -> None:
        """The disk has failed: begin again with an empty replica."""
        _log.error("a replica is given up: %s", reason)
        if self._replica is not None:
            self.settled(self._replica.give_up(reason))
            self._tell_state()
            self.work()

    async def _receive(self) -> None:
        while True:
            try:
                await self._receiver.run()
            except ProtocolError as error:
                self._listener.broken(str(error))
                return
            except (StoreError, OSError) as error:
                self._give_up(str(error))

    def _tell_state(self) -> None:
        replica = self._replica
        assert replica is not None
        if replica.id != self._told:
            self._told = replica.id
            self._write(self._protocol.replica_state(ReplicaState(replica.id, replica.number)))


# What a job that will not begin is answered with.
WHY_NOT: Final = {
    BindingState.CHANGED: (
        ErrorCode.CHANGED,
        "a file that the job needs has changed at the client",
        "send it again",
    ),
    BindingState.BROKEN: (ErrorCode.STORE_FULL, "the replica is lost", "compile it elsewhere"),
}
