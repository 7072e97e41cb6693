"""A stock distccd: one connection for each job, and nobody who says "ready".

Theory of operation. distccd accepts a connection only when one of its workers is free; until then the kernel
of its machine takes some 116 KB of the request and no more. So the rest of a longer request moves when, and
only when, the job was accepted (within 3 ms of it, as measured): that is its beginning here. A host gets at
most `limit` jobs and one connection that is not accepted yet; this link grants in its name accordingly. A
request that fits into the socket's buffer gives no sign and counts as accepted when it is sent.

Cancelling closes the connection, which is how a distcc server learns that nobody waits any more.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from fleetcc.backends.link import (
    MAX_PLAIN_BYTES,
    AnyOrder,
    FileOrder,
    HostEvents,
    HostTimeouts,
    KilledError,
    Order,
    PumpOrder,
    PumpUnfitError,
    Spoken,
)
from fleetcc.backends.pump import PumpSpoken, names_a_server_root, pump_request
from fleetcc.backends.stock_conversation import Conversation
from fleetcc.backends.stream import Opener, explain_silence
from fleetcc.errors import HostError, HostRefusedError, ProtocolError
from fleetcc.hosts.grammar import HostSpec
from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import Facts, HostType
from fleetcc.wire.distcc import Response, encode_request, unpack_body
from fleetcc.wire.pump import PUMP_PROTOCOL

log = logging.getLogger(__name__)

# Smaller bodies are unpacked where they arrive.
_INLINE_BYTES: Final = 64 << 10

# Statuses with which servers report that no compiler ran (distcc-compat.md 1.4 and 4.4).
_FIRST_SERVER_STATUS: Final = 100

LZO: Final = "lzo"
RAW: Final = "raw"
_PROTOCOLS: Final = {RAW: 1, LZO: 2}


class StockLink:
    """The link of one stock host."""

    def __init__(
        self,
        host: str,
        spec: HostSpec,
        opener: Opener,
        timeouts: HostTimeouts,
        events: HostEvents,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.encodings = (LZO,) if spec.protocol > 1 else (RAW,)
        self._host = host
        self._spec = spec
        self._opener = opener
        self._timeouts = timeouts
        self._events = events
        self._tasks = tasks
        self._asked = 0
        self._granted = False  # and neither used nor declined yet
        self._unaccepted: int | None = None
        self._takes_pump = spec.protocol == PUMP_PROTOCOL
        self._has_pumped = False
        self._running: dict[int, asyncio.Task[None]] = {}

    @property
    def facts(self) -> Facts:
        """What its entry says of it, and what was learned since."""
        forms = frozenset({Form.EXPANDED})
        return Facts(HostType.STOCK, self._spec.limit, forms=forms, takes_pump=self._takes_pump)

    @property
    def is_idle(self) -> bool:
        """Whether it has no job and no grant is out."""
        return not self._running and not self._granted

    def demand(self, most: int, priority: Priority) -> None:  # noqa: ARG002 - distccd knows none
        """There are so many jobs."""
        self._asked = most
        self._grant_if_ready()

    def decline(self, count: int) -> None:  # noqa: ARG002 - never more than one
        """The grant is of no use."""
        self._granted = False
        self._grant_if_ready()

    def send(self, number: int, order: AnyOrder) -> None:
        """Open a connection for the job."""
        assert not isinstance(order, FileOrder)  # it has no replicas, as its facts say
        self._granted = False
        self._unaccepted = number
        self._running[number] = self._tasks.create_task(self._run(number, order))

    def cancel(self, number: int) -> None:
        """Close its connection."""
        task = self._running.pop(number, None)
        if task is not None:
            task.cancel()
            self._over(number)

    def close(self) -> None:
        """Close all."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()
        self._asked = 0
        self._granted = False

    def _grant_if_ready(self) -> None:
        room = len(self._running) < self._spec.limit
        if self._asked and room and not self._granted and self._unaccepted is None:
            self._asked -= 1
            self._granted = True
            asyncio.get_running_loop().call_soon(self._say_granted)

    def _say_granted(self) -> None:
        if self._granted:
            self._events.granted(self._host, 1)

    def _accepted(self, number: int) -> None:
        if self._unaccepted == number:
            self._unaccepted = None
            self._events.started(self._host, number)
            self._grant_if_ready()

    def _over(self, number: int) -> None:
        if self._unaccepted == number:
            self._unaccepted = None
        self._grant_if_ready()

    async def _run(self, number: int, order: Order | PumpOrder) -> None:
        began = asyncio.get_running_loop().time()

        def accepted() -> None:
            nonlocal began
            began = asyncio.get_running_loop().time()
            if number in self._running:
                self._accepted(number)

        try:
            parts = _encoded(order)
            response = await self._converse(order, parts, accepted)
            seconds = asyncio.get_running_loop().time() - began
            spoken = await self._spoken(response, _protocol(order), seconds)
            spoken = dataclasses.replace(spoken, sent=sum(map(len, parts)), received=_size(response))
        except HostError as error:
            self._failed(number, error)
            return
        except Exception as error:  # one of the few places: one connection's fault must not end the agent
            log.exception("job %d on %s failed in the agent", number, self._spec.text)
            self._failed(number, HostError(f"{self._spec.text}: {error!r}"))
            return
        self._has_pumped = self._has_pumped or isinstance(spoken, PumpSpoken)
        if self._running.pop(number, None) is not None:
            self._over(number)
            self._events.finished(self._host, number, spoken)

    def _without_pump(self, sentence: str) -> PumpUnfitError:
        """It has closed at a job of pump mode without a word, as servers do at what they do not want.

        If it has never done any, it is taken for one that cannot. The job is tried as text in any case.
        """
        if self._takes_pump and not self._has_pumped:
            self._takes_pump = False
            log.warning("%s; it gets preprocessed text instead of files from now on", sentence)
            self._events.up(self._host, self.facts, "distccd", "")
        return PumpUnfitError(sentence)

    def _failed(self, number: int, error: HostError) -> None:
        if self._running.pop(number, None) is not None:
            self._over(number)
            self._events.failed(self._host, number, error)

    async def _converse(
        self, order: Order | PumpOrder, parts: list[bytes], accepted: Callable[[], None]
    ) -> Response:
        protocol = _protocol(order)

        async def talk(transport: asyncio.Transport, conversation: Conversation) -> Response:
            try:
                return await conversation.exchange(transport, parts)
            except HostRefusedError as error:
                await explain_silence(self._spec, conversation)
                sentence = f"{self._spec.text}: {error}"
                if isinstance(order, PumpOrder):
                    raise self._without_pump(sentence) from error
                raise HostRefusedError(sentence) from error
            except HostError as error:
                raise HostError(f"{self._spec.text}: {error}") from error
            finally:
                transport.abort()

        return await self._opener.converse(
            self._spec,
            self._timeouts,
            lambda: Conversation(protocol, self._timeouts.io_seconds, accepted),
            talk,
        )

    async def _spoken(self, response: Response, protocol: int, seconds: float) -> Spoken:
        try:
            if _size(response) <= _INLINE_BYTES:
                spoken = _unpacked(response, protocol, seconds)
            else:
                spoken = await asyncio.to_thread(_unpacked, response, protocol, seconds)
        except ProtocolError as error:
            raise HostError(f"{self._spec.text}: answered nonsense: {error}") from error
        self._require_a_compiler(spoken)
        return spoken

    def _require_a_compiler(self, spoken: Spoken) -> None:
        if spoken.status & 0x7F:
            raise KilledError(f"{self._spec.text}: signal {spoken.status & 0x7F}")
        exit_code = spoken.status >> 8
        if exit_code >= _FIRST_SERVER_STATUS:
            sentence = spoken.stderr.decode(errors="backslashreplace").strip()
            raise HostRefusedError(f"{self._spec.text}: {sentence or f'status {exit_code}'}")
        if isinstance(spoken, PumpSpoken) and names_a_server_root(spoken):
            raise PumpUnfitError(f"{self._spec.text}: its own folder is named in what the compiler made")
        if not spoken.status and not spoken.output:  # no compiler that succeeds leaves nothing
            raise HostError(f"{self._spec.text}: answered with an empty output")


def _size(response: Response) -> int:
    raw = (response.output_raw, response.stderr_raw, response.stdout_raw, response.dependencies_raw)
    return sum(map(len, raw))


def _unpacked(response: Response, protocol: int, seconds: float) -> Spoken:
    """Raises ProtocolError."""
    stdout, stderr, output, dependencies = (
        unpack_body(protocol, raw, MAX_PLAIN_BYTES)
        for raw in (
            response.stdout_raw,
            response.stderr_raw,
            response.output_raw,
            response.dependencies_raw,
        )
    )
    if protocol == PUMP_PROTOCOL:
        return PumpSpoken(response.status, stdout, stderr, output, seconds, dependencies=dependencies)
    return Spoken(response.status, stdout, stderr, output, seconds)


def _protocol(order: Order | PumpOrder) -> int:
    return PUMP_PROTOCOL if isinstance(order, PumpOrder) else _PROTOCOLS[order.encoding]


def _encoded(order: Order | PumpOrder) -> list[bytes]:
    if isinstance(order, PumpOrder):
        return pump_request(order)
    return encode_request(_PROTOCOLS[order.encoding], order.argv, order.body)
