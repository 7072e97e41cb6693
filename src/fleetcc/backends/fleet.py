"""A host that speaks the fleet protocol: one long-lived connection for all of its jobs.

A job made of files is preceded by what its host's replica lacks of them (`picture`); the blobs that the host
then asks for are sent beside everything else (`uploads`).

Silence is measured: a server from which nothing comes for its own ping interval is gone, and a job that it
does not name in its answer to a ping is lost.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from fleetcc.backends.fleet_answers import host_error, unpacked
from fleetcc.backends.link import (
    AnyOrder,
    FileOrder,
    HostEvents,
    KilledError,
    Order,
    OurSide,
    Spoken,
    UnfitTextError,
)
from fleetcc.backends.picture import Picture
from fleetcc.backends.stream import StreamProtocol
from fleetcc.backends.tally import Tally
from fleetcc.backends.uploads import Uploads
from fleetcc.errors import HostError, InternalError, ProtocolError
from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import Facts, HostType
from fleetcc.wire import zstd
from fleetcc.wire.files import FILES, FileJob, ReplicaState
from fleetcc.wire.files_client import Wanted
from fleetcc.wire.fleet import MAX_JOB_BYTES, Drain, Grant, Job, Welcome
from fleetcc.wire.fleet_answers import (
    Began,
    Closing,
    Event,
    Failed,
    Finished,
    Forgotten,
    Reply,
)
from fleetcc.wire.fleet_client import FleetClient

log = logging.getLogger(__name__)

# Smaller answers are unpacked where they arrive: a thread costs more.
_INLINE_BYTES: Final = 256 << 10
# What may stand in the transport's buffer before bulk waits.
_HIGH_WATER_BYTES: Final = 256 << 10
_FORMS: Final = {form.value: form for form in Form}


class FleetLink(StreamProtocol):
    """The asyncio protocol of one connection, and the link of its host."""

    encodings = (zstd.ZSTD, zstd.RAW)

    def __init__(
        self,
        host: str,
        text: str,
        ours: OurSide,
        picture: Picture,
        events: HostEvents,
        io_seconds: float,
    ) -> None:
        self.host = host
        self._text = text  # the host's name for people
        self._events = events
        self._executor = ours.executor
        self._io_seconds = io_seconds
        self._loop = asyncio.get_running_loop()
        self._session = FleetClient(ours.hello)
        self._transport: asyncio.Transport | None = None
        self._heard = False
        self._closed = False
        self._picture = picture
        self._has_replica = False  # of this connection
        self._tally = Tally()
        self._uploads = Uploads(
            ours.executor,
            ours.read_blob,
            self._write,
            self._session.contents,
            self._blobs_are_gone,
            self._tally.sent_blobs,
        )
        self._of_files: set[int] = set()  # ids of jobs made of files
        self._welcome: Welcome | None = None
        self._numbers: dict[int, int] = {}  # ids on this connection to the agent's job numbers
        self._ids: dict[int, int] = {}
        self._unstarted: dict[int, float] = {}  # ids, and since when
        self._untold: set[int] = set()  # the agent's job numbers that have ended, whose end is yet to be told
        self._last_heard = self._loop.time()
        self._ping_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.answered: asyncio.Future[bool] = self._loop.create_future()  # is it a fleet host?

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: say who we are."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._transport.write(self._session.opening())

    def data_received(self, data: bytes) -> None:
        """Bytes of the server."""
        self._heard = True
        now = self._last_heard = self._loop.time()
        try:
            for event in self._session.receive(data, now):
                self._take(event)
        except ProtocolError as error:
            what = "broke the fleet protocol" if self.answered.done() else "is not a compile server"
            self._end(HostError(f"{self._text} {what}: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if not self.answered.done() and not self._heard:
            self._closed = True
            self.answered.set_result(False)
            return
        reason = f": {exc}" if exc is not None else ""
        self._end(HostError(f"{self._text}: closed the connection{reason}"))

    def pause_writing(self) -> None:
        """Bulk must wait."""
        self._uploads.pause()

    def resume_writing(self) -> None:
        """Bulk may go on."""
        self._uploads.resume()

    # -- the link

    def demand(self, most: int, priority: Priority) -> None:
        """Tell it what it could get."""
        self._write(self._session.demand(most, priority.slug))

    def decline(self, count: int) -> None:
        """Give grants back."""
        self._write(self._session.decline(count))

    def send(self, number: int, order: AnyOrder) -> None:
        """One job, with its source behind it or what its host lacks of its files before it."""
        if isinstance(order, FileOrder):
            self._send_files(number, order)
        else:
            assert isinstance(order, Order)  # pump mode is for stock hosts, as its facts say
            self._send_text(number, order)

    def _send_files(self, number: int, order: FileOrder) -> None:
        change = self._picture.change_for(order.layers, order.listings, is_busy=bool(self._of_files))
        job = FileJob(
            replica=self._picture.replica,
            update=change.needed,
            program=order.program,
            argv=order.argv,
            environment=order.environment,
            cwd=order.cwd,
            umask=order.umask,
            returns=order.returns,
            existing=order.existing,
            label=order.label,
        )
        told = [self._session.update(update) for update in change.updates]
        try:
            ident, head = self._session.file_job(job)
        except InternalError as error:
            self._write(b"".join(told))
            self.decline(1)
            self._untold.add(number)
            self._loop.call_soon(self._misfit, number, UnfitTextError(f"{self._text}: {error}"))
            return
        self._begin(number, ident)
        self._of_files.add(ident)
        data = b"".join((*told, head))
        self._tally.begin(ident, len(data), change.updates)
        self._write(data)

    def _blobs_are_gone(self, digests: tuple[bytes, ...]) -> None:
        """Files have changed since the replica was told of them."""
        self._picture.forget(digests)
        self._write(self._session.gone(digests))

    def _begin(self, number: int, ident: int) -> None:
        self._ids[number], self._numbers[ident] = ident, number
        self._unstarted[ident] = self._loop.time()

    def _send_text(self, number: int, order: Order) -> None:
        assert order.identity is not None
        job = Job(
            kind="preprocessed",
            compiler=order.identity,
            argv=tuple(order.argv),
            form=order.form.value,
            blob_bytes=len(order.body),
            plain_bytes=order.plain_bytes,
            encoding=order.encoding,
        )
        try:
            ident, head = self._job(job)
        except InternalError as error:
            self.decline(1)
            self._untold.add(number)
            self._loop.call_soon(self._misfit, number, UnfitTextError(f"{self._text}: {error}"))
            return
        self._begin(number, ident)
        self._tally.begin(ident, len(head) + len(order.body))
        blobs = self._session.blobs(ident, order.body)
        if not self._uploads.is_idle or len(order.body) > _INLINE_BYTES:
            self._write(head)
            self._uploads.add(blobs)
        else:
            self._write(b"".join((head, *blobs)))

    def _job(self, job: Job) -> tuple[int, bytes]:
        """Raises InternalError when no server of this protocol could take it."""
        size = max(job.blob_bytes, job.plain_bytes)
        if size > MAX_JOB_BYTES:
            raise InternalError(f"a source of {size} bytes; the limit is {MAX_JOB_BYTES}")
        return self._session.job(job)

    def _misfit(self, number: int, error: HostError) -> None:
        if not self._closed and number in self._untold:
            self._untold.remove(number)
            self._events.failed(self.host, number, error)

    def cancel(self, number: int) -> None:
        """Kill it there and then."""
        self._untold.discard(number)
        ident = self._ids.get(number)
        if ident is not None:
            self._forget(ident)
            self._write(self._session.cancel(ident))

    def close(self) -> None:
        """End the connection; nothing more is told."""
        self._closed = True
        self._uploads.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        if not self.answered.done():
            self.answered.cancel()

    # -- what the server says

    def _take(self, event: Event) -> None:
        if self._closed:
            return
        match event:
            case Grant():
                self._events.granted(self.host, event.count)
            case Began():
                self._unstarted.pop(event.job, None)
                self._events.started(self.host, self._numbers[event.job])
            case Finished():
                self._finished(event)
            case Failed():
                of_files = event.job in self._of_files
                self._failed(event.job, host_error(event.error, self._text, of_files=of_files))
            case Forgotten():
                self._failed(event.job, HostError(f"{self._text}: has lost the job"))
            case Reply():
                self._write(event.data)
            case Wanted() | ReplicaState():
                self._take_replica(event)
            case Welcome():
                self._welcomed(event)
            case Drain():
                self._events.draining(self.host, event.why)
            case Closing():
                self._end(host_error(event.error, self._text))

    def _take_replica(self, event: Wanted | ReplicaState) -> None:
        if isinstance(event, Wanted):
            # No other file of this machine is a host's business.
            told = [digest for digest in event.digests if self._picture.has_told(digest)]
            if len(told) != len(event.digests):
                self._blobs_are_gone(tuple(set(event.digests) - set(told)))
            self._uploads.want(told)
            return
        self._picture.take_state(event)
        self._has_replica = True
        self._tell_facts()

    def _welcomed(self, welcome: Welcome) -> None:
        if not self.answered.done():
            self.answered.set_result(True)
        if self._timer is None:
            self._ping_seconds = welcome.ping_seconds
            self._schedule_look()
        self._welcome = welcome
        if FILES not in welcome.capabilities or self._has_replica:
            self._tell_facts()  # else its replica is named next

    def _tell_facts(self) -> None:
        welcome = self._welcome
        assert welcome is not None
        forms = frozenset(_FORMS[word] for word in welcome.capabilities if word in _FORMS)
        facts = Facts(
            HostType.FLEET,
            max(1, welcome.slots),
            frozenset(welcome.compilers),
            forms or frozenset(Form),
            is_looking=welcome.looking,
            takes_files=FILES in welcome.capabilities
            and self._has_replica
            and welcome.machine in {"", os.uname().machine},
        )
        self._events.up(self.host, facts, welcome.program, welcome.instance)

    def _finished(self, event: Finished) -> None:
        of_files = event.job in self._of_files
        sent = self._tally.end(event.job)
        number = self._forget(event.job)
        if number is None:
            return
        self._untold.add(number)
        size = sum(part.plain_bytes for part in event.result.parts)
        work = partial(unpacked, event, sent, of_files=of_files)
        if size <= _INLINE_BYTES:
            self._deliver(number, work)
        else:
            future = self._loop.run_in_executor(self._executor, work)
            future.add_done_callback(lambda done: self._deliver(number, done.result))

    def _deliver(self, number: int, get: Callable[[], Spoken]) -> None:
        if self._closed or number not in self._untold:
            return
        self._untold.remove(number)
        try:
            spoken = get()
        except (ProtocolError, MemoryError) as error:
            why = str(error) or "more than this machine's memory holds"
            self._events.failed(self.host, number, HostError(f"{self._text}: answered nonsense: {why}"))
            return
        if spoken.status & 0x7F:
            killed = KilledError(f"{self._text}: signal {spoken.status & 0x7F}")
            self._events.failed(self.host, number, killed)
            return
        self._events.finished(self.host, number, spoken)

    def _failed(self, ident: int, error: HostError) -> None:
        number = self._forget(ident)
        if number is not None:
            self._events.failed(self.host, number, error)

    def _forget(self, ident: int) -> int | None:
        number = self._numbers.pop(ident, None)
        self._of_files.discard(ident)
        self._unstarted.pop(ident, None)
        self._tally.end(ident)
        if number is not None:
            self._ids.pop(number, None)
        return number

    # -- silence

    def _schedule_look(self) -> None:
        self._timer = self._loop.call_later(min(self._ping_seconds / 2, self._io_seconds / 2), self._look)

    def _look(self) -> None:
        """Is the server there, and does it work on what it has?"""
        now = self._loop.time()
        if now - self._last_heard >= self._ping_seconds:
            self._end(HostError(f"{self._text}: silent for {self._ping_seconds:g} s"))
            return
        if self._session.outstanding or now - self._last_heard >= self._ping_seconds / 2:
            self._write(self._session.ping())
        for ident, begun in list(self._unstarted.items()):
            since = max(begun, self._uploads.progress) if ident in self._of_files else begun
            if now - since >= self._io_seconds:
                self._write(self._session.cancel(ident))
                self._failed(ident, HostError(f"{self._text}: did not begin in {self._io_seconds:g} s"))
        if not self._closed:
            self._schedule_look()

    # -- bytes

    def _write(self, data: bytes) -> None:
        if data and not self._closed and self._transport is not None:
            self._transport.write(data)

    def _end(self, error: HostError) -> None:
        if self._closed:
            return
        if not self.answered.done():
            self.answered.set_exception(error)
            self.close()
        else:
            self.close()
            self._events.down(self.host, error)
