"""One client's connection, from its first byte to its last.

Theory of operation. The first bytes tell the protocol: `DIST` begins a request, `FLEETCC/1` asks who we are,
the fleet protocol's opening hands all that follows to a fleet session, anything else is closed. Of a request
only the head is read; then the connection stops reading until the gate lets the body come. It never stops
noticing that the client left. When the body is complete a task carries the job out; bytes after it are
counted and thrown away. Every stage has its time limit: a client that stops sending is closed, a client that
is waited for is never hurried.

    OPENING ─▶ HEAD ─▶ WAITING ─▶ BODY ─▶ JOB ─▶ ANSWERING ─▶ CLOSED
        ├───▶ FLEET ────────────────────────────────────────┤
        └───────────────── any of them, on an error or when the client leaves ─▶ CLOSED
"""

import asyncio
import logging
from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from fleetcc.errors import ProtocolError
from fleetcc.server.gate import Ticket
from fleetcc.server.orders import Order
from fleetcc.server.patience import Patience
from fleetcc.server.reading import Reading
from fleetcc.server.requests import Body, Head, body_bytes, job_for, life_for, order_for
from fleetcc.server.stats import Cause
from fleetcc.server.watch import Life
from fleetcc.wire.distcc import RequestHead, RequestReader
from fleetcc.wire.fleet import OPENING
from fleetcc.wire.greeting import encode_unknown_version
from fleetcc.wire.opening import Opening, recognise
from fleetcc.wire.pump import PumpHead

if TYPE_CHECKING:
    from fleetcc.server.fleet_session import FleetSession
    from fleetcc.server.service import Service

_log: Final = logging.getLogger(__name__)

# In units of --io-timeout: how long a head and a body may take although bytes keep coming.
HEAD_TIMEOUTS: Final = 2
BODY_TIMEOUTS: Final = 20
# A client that sends on and on after its request is not one of ours.
EXTRA_BYTES: Final = 1 << 20


class State(Enum):
    """Where a connection is."""

    OPENING = "opening"
    HEAD = "head"
    WAITING = "waiting"
    BODY = "body"
    JOB = "job"
    ANSWERING = "answering"
    FLEET = "fleet"
    CLOSED = "closed"


class Connection(asyncio.BufferedProtocol):
    """The protocol object of one connection."""

    def __init__(self, service: "Service", client: str | None = None) -> None:
        self.client = client or ""
        self.state = State.OPENING
        self.outcome: str | None = None  # how it ended, for --inetd's exit status
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._reading: Reading | None = None
        self._opening = b""
        self._reader = RequestReader(service.limits)
        self._fleet: FleetSession | None = None
        self._head: Head | None = None
        self._order: Order | None = None
        self._ticket: Ticket | None = None
        self._life: Life | None = None
        self._body: Body | None = None
        self._job: asyncio.Task[None] | None = None
        self._patience = Patience(service.options.io_timeout_seconds, partial(self.reject, cause="silent"))

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # uvloop's transports are what asyncio.Transport says without being instances of it.
        self._transport = cast("asyncio.Transport", transport)
        self._reading = Reading(self._transport, self._service.hangups, self._hung_up)
        client = self.client or self._service.admit(self._transport)
        if client is None:
            self.state = State.CLOSED
            self._transport.abort()
            return
        self.client = client
        self._service.opened(self)
        self._patience.expect(HEAD_TIMEOUTS)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go: one buffer for all connections, because each is emptied at once."""
        if self.state in (State.OPENING, State.HEAD):
            return self._service.head_buffer
        return self._service.body_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.received(bytes(self.get_buffer(-1)[:nbytes]))

    def eof_received(self) -> None:
        """The client sends no more: it cancels, whatever state its request is in."""
        if self.state is not State.ANSWERING:
            self._leave("the client left")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The transport is closed, by either side."""
        self._leave("the client left")
        self._service.closed(self)

    def received(self, data: bytes) -> None:
        """Bytes have come; also called for transports that know no buffers."""
        self._service.stats.received += len(data)
        self._patience.progressed()
        try:
            if self.state is State.OPENING:
                self._receive_opening(data)
            elif self._fleet is not None:
                self._fleet.received(data)
            elif self.state is not State.CLOSED:
                self._receive_request(data)
        except Exception:  # noqa: BLE001 - one of the three places: one connection's fault ends it alone
            _log.exception("client=%s result=internal-error", self.client)
            self.abort()

    # -- stages

    def _receive_opening(self, data: bytes) -> None:
        self._opening += data
        match recognise(self._opening):
            case Opening.DISTCC:
                self.state = State.HEAD
                data, self._opening = self._opening, b""
                self._receive_request(data)
            case Opening.GREETING:
                self.answer([self._service.welcome()], "greeting")
            case Opening.FLEET:
                self._begin_fleet(self._opening[len(OPENING) :])
            case Opening.OTHER_VERSION:
                _log.info("client=%s result=rejected reason=opening %r", self.client, self._opening[:40])
                self._service.stats.refuse("version")
                self.answer([encode_unknown_version(self._opening)], "rejected")
            case Opening.UNKNOWN:
                self.reject(f"first bytes {self._opening[:16]!r} where b'DIST' was expected")
            case Opening.UNDECIDED:
                pass

    def _begin_fleet(self, data: bytes) -> None:
        assert self._transport is not None
        self._patience.rest()
        self.state, self.outcome = State.FLEET, "fleet"  # the client may leave when it likes
        self._fleet = self._service.fleet.open(self, self._transport)
        self._fleet.received(data)

    def _receive_request(self, data: bytes) -> None:
        try:
            events = self._reader.receive(data)
        except ProtocolError as error:
            self.reject(str(error))
            return
        for event in events:
            if self.state is State.CLOSED:
                return
            if isinstance(event, RequestHead | PumpHead):
                self._take_head(event)
            else:
                self._take_body(event)
        if self._reader.extra_bytes > EXTRA_BYTES:
            self.reject(f"{self._reader.extra_bytes} bytes after the request")
        elif self.state is State.WAITING and self._body is None:
            assert self._reading is not None
            self._reading.pause()

    def _take_head(self, head: Head) -> None:
        order = order_for(self._service, head)
        if isinstance(order, str):
            self.reject(order, "command")
            return
        self._head, self._order = head, order
        self.state = State.WAITING
        self._patience.rest()
        self._life = life_for(self._service, self.client, order)
        expire = partial(self.reject, "waited too long for a slot", "queue-timeout")
        self._ticket = self._service.gate.join(self.client, order.summary, self._may_upload, expire)

    def _take_body(self, body: Body) -> None:
        self._body = body
        if self.state is State.BODY:
            self._begin_job()

    def _may_upload(self) -> None:
        if self.state is not State.WAITING:
            return
        self.state = State.BODY
        if self._body is not None:
            self._begin_job()
            return
        assert self._reading is not None
        assert self._life is not None
        self._reading.resume()
        self._patience.expect(BODY_TIMEOUTS)
        self._life.comes_to("uploading")

    def _begin_job(self) -> None:
        assert self._head is not None
        assert self._order is not None
        assert self._ticket is not None
        assert self._body is not None
        assert self._life is not None
        self.state = State.JOB
        _log.debug("client=%s upload complete bytes=%d", self.client, body_bytes(self._body))
        self._patience.rest()
        body, self._body = self._body, None
        self._life.received = body_bytes(body)
        self._life.comes_to("waiting")
        job = job_for(self._service, self, self._head, self._order, self._ticket, self._life, body)
        self._job = self._service.start(job)

    def answer(self, buffers: Sequence[bytes], outcome: str) -> None:
        """Send this and close."""
        if self.state is State.CLOSED:
            return
        assert self._transport is not None
        self._patience.rest()
        self.state = State.ANSWERING
        self.outcome = outcome
        self._service.stats.sent += sum(map(len, buffers))
        self._transport.writelines(buffers)
        self._transport.close()
        self._patience.expect_taking(self._transport)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        if self._fleet is not None:
            self._fleet.pause_writing()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        if self._fleet is not None:
            self._fleet.resume_writing()

    # -- ends

    def reject(self, reason: str, cause: Cause = "malformed") -> None:
        """Close without a byte, which is all that distcc's protocol has for a refusal."""
        if self.state is State.CLOSED:
            return
        _log.info("client=%s result=rejected reason=%s", self.client, reason)
        self._service.stats.refuse(cause)
        self.outcome = "rejected"
        self.abort()

    def abort(self) -> None:
        """Close now, whatever is on its way."""
        self._leave("closed")
        if self._transport is not None:
            self._transport.abort()

    def is_waiting(self) -> bool:
        """Whether it is one request, and no compiler has been started for it yet."""
        if self.state is State.JOB:
            return self._ticket is not None and self._ticket.is_waiting
        return self.state not in (State.ANSWERING, State.FLEET)

    def _leave(self, reason: str) -> None:
        if self.state is State.CLOSED:
            return
        state, self.state = self.state, State.CLOSED
        self.outcome = self.outcome or "left"
        self._patience.rest()
        self._body = None
        if state is State.JOB:
            assert self._job is not None
            self._job.cancel()  # it leaves the gate when its compiler is gone
        elif self._fleet is not None:
            self._fleet.end()
        elif state in (State.WAITING, State.BODY):
            assert self._ticket is not None
            assert self._reading is not None
            assert self._life is not None
            self._reading.forget()
            self._service.gate.leave(self._ticket)
            self._life.end("rejected" if self.outcome == "rejected" else "disconnected")
            _log.info(
                "client=%s result=%s stage=%s reason=%s", self.client, self.outcome, state.value, reason
            )

    def _hung_up(self) -> None:
        self._leave("the client left")
        assert self._transport is not None
        self._transport.abort()
