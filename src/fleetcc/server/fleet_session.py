"""One fleet connection on the server: from the protocol's events to the line, the jobs, and back.

Theory of operation. What the client demands stands in the line (see `demand`); a grant is the ticket of the
job that uses it. Jobs run in tasks of their own; whatever happens, each is answered once, or the connection
has ended, which kills them. One timer looks after everything that should have come: bytes at all, jobs for
grants, sources, and the taking of results.
"""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from fleetcc.errors import ProtocolError
from fleetcc.server.clients import client_key, printable
from fleetcc.server.demand import Demand
from fleetcc.server.file_job import AcceptedFiles, FilesJob
from fleetcc.server.fleet_job import Accepted, FleetJob
from fleetcc.server.orders import MAX_SOURCE_BYTES, understand_job
from fleetcc.server.outbox import Outbox
from fleetcc.server.replica_session import WHY_NOT, Listener, ReplicaSession
from fleetcc.server.stats import Cause
from fleetcc.server.vigil import Ends, Vigil
from fleetcc.store.binding import Binding, BindingState
from fleetcc.wire import zstd
from fleetcc.wire.files import FileJob, Gone
from fleetcc.wire.fleet import ErrorCode, Hello, Job, Result
from fleetcc.wire.fleet_requests import (
    Cancelled,
    Complaint,
    ContentsBegin,
    ContentsEnd,
    ContentsPiece,
    Declined,
    Demanded,
    Event,
    FilesOffered,
    Offered,
    Opened,
    Pinged,
    Reply,
    Updated,
    Uploaded,
)
from fleetcc.wire.fleet_server import FleetServer, error_frame

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)

# A client that leaves so much of its results untaken gets no more grants.
MAX_UNSENT_BYTES: Final = 16 << 20
# Results up to this size go out in one write.
SMALL_BYTES: Final = 64 << 10
_CAUSES: Final[dict[ErrorCode, Cause]] = {ErrorCode.TOO_MANY: "too-many", ErrorCode.TIMED_OUT: "silent"}
# How long grants are still good when the server leaves; a client that has no use for them need not say so.
DRAIN_GRANT_SECONDS: Final = 1.0


class FleetSession:
    """What the server knows of one fleet connection."""

    def __init__(
        self, service: "Service", connection: "Connection", transport: asyncio.WriteTransport
    ) -> None:
        self.client = connection.client
        self.is_over = False
        self.takes_zstd = False
        self._service = service
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._protocol = FleetServer(MAX_SOURCE_BYTES, self._loop.time())
        self._outbox = Outbox(transport, service.stats)
        self._is_draining = False
        self._demand = Demand(service.gate, self._may_be_granted, self._tell_grants)
        self._jobs: dict[int, Accepted | AcceptedFiles] = {}  # without an answer
        self._transport = transport
        self._secret = b""
        self._replica: ReplicaSession | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._io_seconds = service.options.io_timeout_seconds
        ends = Ends(gone=self._gone, late=self._late)
        self._vigil = Vigil(
            service.options.ping_seconds, self._io_seconds, self._protocol, self._outbox, ends
        )

    # -- from the connection

    def received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self.is_over:
            return
        now = self._loop.time()
        self._vigil.heard(now)
        try:
            for event in self._protocol.receive(data, now):
                if not self.is_over:
                    self._take(event)
        except ProtocolError as error:
            self._protocol_broken(str(error))

    def pause_writing(self) -> None:
        """The client takes less than comes."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """The client has taken what was there."""
        self._outbox.resume()
        self._demand.refill()
        self._leave_if_done()

    def end(self) -> None:
        """The connection is gone, or as good as gone: so is everything that was done for it."""
        if self.is_over:
            return
        self.is_over = True
        self._vigil.close()
        self._outbox.clear()
        self._demand.close()
        for number, accepted in self._jobs.items():
            self._stop(number, accepted)
        if self._replica is not None:
            self._replica.close()
        self._service.fleet.left(self)
        _log.info("client=%s fleet connection closed jobs=%d", self.client, len(self._jobs))

    @property
    def is_open(self) -> bool:
        """Whether an agent has said who it is, and is there."""
        return self._protocol.is_open and not self.is_over

    @property
    def wanted(self) -> int:
        """Jobs that its agent has and would send."""
        return 0 if self.is_over else self._demand.wanted

    # -- from the service

    def refuse(self, text: str, remedy: str) -> None:
        """Not this connection."""
        self._break(ErrorCode.TOO_MANY, text, remedy)

    def say_welcome(self) -> None:
        """What the server is, or has become."""
        if self._protocol.is_open and not self.is_over:
            replica = self._replica
            obstacle = replica.obstacle if replica is not None else ""
            self._outbox.write(self._protocol.welcome(self._service.fleet.welcome(obstacle)))
            self._open_replica()

    def drain(self, why: str) -> None:
        """No more grants; close when everything is answered."""
        if self.is_over or self._is_draining:
            return
        if not self._protocol.is_open:
            self._gone("the server is leaving")
            return
        self._is_draining = True
        self._demand.withdraw()
        self._outbox.write(self._protocol.drain(why))
        self._loop.call_later(DRAIN_GRANT_SECONDS, self._revoke)
        _log.info("client=%s fleet connection drains jobs=%d", self.client, len(self._jobs))
        self._leave_if_done()

    # -- from the jobs

    def started(self, number: int) -> None:
        """The job's compiler runs."""
        if not self.is_over:
            self._outbox.write(self._protocol.started(number))

    def finished(self, number: int, result: Result, packed: Sequence[bytes]) -> None:
        """The job's compiler has spoken."""
        if self.is_over or self._jobs.pop(number, None) is None:
            return
        frames = self._protocol.result(number, result, packed)
        size = sum(map(len, packed))
        if size <= SMALL_BYTES:
            self._outbox.write(b"".join(frames))
        else:
            self._outbox.write_bulk(frames, size)

    def failed(self, number: int, code: ErrorCode, text: str, remedy: str) -> None:
        """No compiler will speak."""
        if not self.is_over and self._jobs.pop(number, None) is not None:
            self._outbox.write(self._protocol.failed(number, code, text, remedy))

    def job_over(self, number: int) -> None:
        """The job's task has ended; one that was cancelled before it began has not answered."""
        self._tasks.pop(number, None)
        self.failed(number, ErrorCode.CANCELLED, "cancelled", "")
        self._demand.refill()
        self._leave_if_done()

    # -- what the client says

    def _take(self, event: Event) -> None:
        match event:
            case Reply():
                self._outbox.write(event.data)
            case Opened():
                self._open(event.hello)
            case Demanded():
                self._demand.replace(event.most, event.priority)
            case Declined():
                self._demand.give_back(event.count)
            case Offered():
                self._offered(event.number, event.job)
            case Uploaded():
                self._uploaded(event.number, event.raw)
            case FilesOffered():
                self._files_offered(event.number, event.job)
            case Updated() | ContentsBegin() | ContentsPiece() | ContentsEnd() | Gone():
                self._take_of_replica(event)
            case Cancelled():
                self._cancelled(event.number)
            case Pinged():
                self._outbox.write(self._protocol.pong(event.token, max(0.0, time.time())))
            case Complaint():
                _log.warning("client=%s complains: %s", self.client, printable(event.error.sentence))
        self._leave_if_done()

    def _open(self, hello: Hello) -> None:
        self.client = self._demand.client = client_key(self.client, hello.agent)
        self.takes_zstd = zstd.ZSTD in hello.capabilities
        self._secret = hello.replica
        _log.info(
            "client=%s fleet connection opened program=%s user=%s",
            self.client,
            printable(hello.program),
            printable(hello.user),
        )
        self.say_welcome()

    def _offered(self, number: int, job: Job) -> None:
        ticket = self._demand.use()
        program = self._service.fleet.program(job.compiler)
        if program is None:
            code, why = ErrorCode.UNKNOWN_COMPILER, f"no compiler {job.compiler[:16]} here"
            remedy = "install the same compiler on the server, or compile elsewhere"
        else:
            order = understand_job(job, program)
            if not isinstance(order, str):
                self._service.gate.bind(ticket, order.summary, partial(self._waited_too_long, number))
                life = self._service.watch.job("text", self.client, order.file, order.compiler_name)
                life.comes_to("uploading")
                self._jobs[number] = Accepted(number, job, order, ticket, life)
                return
            code, why, remedy = ErrorCode.REFUSED, order, "compile it locally"
        self._service.gate.leave(ticket)
        self._service.stats.refuse("identity" if program is None else "command")
        _log.info("client=%s result=rejected reason=%s", self.client, why)
        self._outbox.write(self._protocol.failed(number, code, why, remedy))
        self._demand.refill()

    def _files_offered(self, number: int, job: FileJob) -> None:
        ticket, replica = self._demand.use(), self._replica
        assert replica is not None  # the protocol takes no such job before it has told one
        binding = replica.bind(job)
        if not isinstance(binding, Binding):
            self._service.gate.leave(ticket)
            self._refused_files(binding[0])
            self._outbox.write(self._protocol.failed(number, *binding))
            self._demand.refill()
            return
        label = printable(job.label)
        self._service.gate.bind(ticket, label, partial(self._waited_too_long, number))
        names = (os.path.basename(job.program), job.cwd)
        compiler, directory = (printable(os.fsdecode(name)) for name in names)
        life = self._service.watch.job("files", self.client, label, compiler, directory)
        self._jobs[number] = AcceptedFiles(number, job, ticket, binding, replica, life)
        if binding.state is BindingState.READY:
            self._start_files(number)
        else:
            life.comes_to("uploading")

    def _settled(self, binding: Binding) -> None:
        """The files of a job are there, or never will be."""
        accepted = next(
            (one for one in self._jobs.values() if isinstance(one, AcceptedFiles) and one.binding is binding),
            None,
        )
        if accepted is None or accepted.number in self._tasks:
            return
        number = accepted.number
        if binding.state is BindingState.READY:
            self._start_files(number)
        else:
            code, text, remedy = WHY_NOT[binding.state]
            self._refused_files(code)
            accepted.life.end("changed" if code is ErrorCode.CHANGED else "rejected")
            self._stop(number, accepted)
            self.failed(number, code, f"{text}: {binding.reason}" if binding.reason else text, remedy)
            self._demand.refill()
            self._leave_if_done()

    def _refused_files(self, code: ErrorCode) -> None:
        # A file that has changed, a replica that is not here any more: the client sends the job again.
        if code is ErrorCode.STORE_FULL:
            self._service.stats.refuse("store-full")

    def _start_files(self, number: int) -> None:
        accepted = self._jobs[number]
        assert isinstance(accepted, AcceptedFiles)
        self._tasks[number] = self._service.start(FilesJob(self._service, self, accepted))
        self._demand.refill()

    def _open_replica(self) -> None:
        files = self._service.fleet.files
        if self._secret and self._replica is None and files.sandbox is not None:
            listener = Listener(self._settled, self.say_welcome, self._protocol_broken, self._pause_reading)
            self._replica = ReplicaSession(self._service, files, self._protocol, self._outbox.write, listener)
            self._replica.open(self._secret)

    def _take_of_replica(self, event: Updated | ContentsBegin | ContentsPiece | ContentsEnd | Gone) -> None:
        replica = self._replica
        assert replica is not None
        match event:
            case Updated():
                replica.updated(event.update)
            case Gone():
                replica.gone(event)
            case _:
                replica.contents(event)

    def _pause_reading(self, pause: bool) -> None:  # noqa: FBT001 - a callback
        transport = cast("asyncio.Transport", self._transport)
        if pause:
            transport.pause_reading()
        elif not self.is_over:
            self._vigil.heard(self._loop.time())
            transport.resume_reading()

    def _uploaded(self, number: int, raw: bytes) -> None:
        accepted = self._jobs.get(number)
        if isinstance(accepted, Accepted):
            _log.debug("client=%s upload complete bytes=%d", self.client, len(raw))
            accepted.life.received = len(raw)
            accepted.life.comes_to("waiting")
            self._tasks[number] = self._service.start(FleetJob(self._service, self, accepted, raw))
            self._demand.refill()

    def _cancelled(self, number: int) -> None:
        accepted = self._jobs.get(number)
        if number in self._tasks:
            self._tasks[number].cancel()  # it answers when its compiler is gone
        elif accepted is not None:
            self._stop(number, accepted)
            self.failed(number, ErrorCode.CANCELLED, "cancelled", "")
            _log.info("client=%s result=cancelled stage=upload", self.client)
            self._demand.refill()

    def _waited_too_long(self, number: int) -> None:
        text = f"waited {self._service.options.queue_timeout_seconds:g} s for a slot"
        accepted = self._jobs.get(number)
        if accepted is not None and accepted.ticket.is_waiting:
            self._service.stats.refuse("queue-timeout")
            accepted.life.end("rejected")
            self.failed(number, ErrorCode.TIMED_OUT, text, "try another host")
            self._stop(number, accepted)
            self._demand.refill()
            self._leave_if_done()

    def _stop(self, number: int, accepted: Accepted | AcceptedFiles) -> None:
        """A task gives the job's place in the line back itself, when its compiler is gone."""
        if number in self._tasks:
            self._tasks[number].cancel()
        else:
            self._service.gate.leave(accepted.ticket)
            accepted.life.end("disconnected" if self.is_over else "cancelled")
            if isinstance(accepted, AcceptedFiles):
                accepted.replica.release(accepted.binding)

    def _may_be_granted(self, unused: int) -> bool:
        uploading = len(self._jobs.keys() - self._tasks.keys())
        return (
            not self.is_over
            and not self._is_draining
            and unused + uploading <= self._service.gate.slot_count
            and self._outbox.unsent <= MAX_UNSENT_BYTES
        )

    def _tell_grants(self, count: int) -> None:
        self._service.stats.grants += count
        self._outbox.write(self._protocol.grant(count, self._loop.time()))

    # -- ends

    def _revoke(self) -> None:
        """The server is leaving, and grants that were not used by now are void."""
        if not self.is_over:
            self._protocol.revoke()
            self._demand.close()
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self._is_draining and not self.is_over and not self._protocol.jobs and not self._demand.grants:
            self._finish("drained")

    def _break(self, code: ErrorCode, text: str, remedy: str) -> None:
        """Tell why and end the connection."""
        _log.warning("client=%s result=rejected reason=%s: %s", self.client, code, printable(text))
        self._service.stats.refuse(_CAUSES.get(code, "malformed"))
        self._outbox.write(error_frame(0, code, text, remedy))
        self._finish("rejected")

    def _protocol_broken(self, why: str) -> None:
        if not self.is_over:
            self._break(ErrorCode.BAD_FRAME, why, "update the older side, or report a bug")

    def _late(self, what: str) -> None:
        self._break(ErrorCode.TIMED_OUT, what, "is the client stopped, or the network?")

    def _finish(self, outcome: str) -> None:
        self.end()
        self._connection.outcome = outcome
        self._outbox.finish(self._io_seconds)

    def _gone(self, why: str) -> None:
        _log.warning("client=%s fleet connection given up: %s", self.client, why)
        self.end()
        self._connection.abort()
