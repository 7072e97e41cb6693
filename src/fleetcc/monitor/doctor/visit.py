"""Visits one host as a client would, without giving it work: connects, greets, and counts round trips.

A fleetccd answers the text greeting, and then tells more in frames of the fleet protocol, on a second
connection. Who closes without a word is a distccd, or does not serve us; these are told apart by a connection
on which nothing is said: a server that refuses closes it by itself.
"""

import asyncio
import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener, explain_silence
from fleetcc.errors import HostError, ProtocolError
from fleetcc.hosts.grammar import HostKind
from fleetcc.hosts.members import Member
from fleetcc.monitor.doctor.session import ANSWER_SECONDS, ClockSeen, Session, Stream
from fleetcc.wire import fleet
from fleetcc.wire.greeting import GREETING, MAX_WELCOME_BYTES, Welcome, is_welcome_complete, parse_welcome

VISIT_SECONDS: Final = 4.0
_CONNECT_SECONDS: Final = 2.5
# distccd asks the kernel to hold a connection back for a second in which nothing comes (TCP_DEFER_ACCEPT).
_REFUSAL_SECONDS: Final = 1.4
_RESET: Final = os.strerror(errno.ECONNRESET)


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of it."""

    member: Member
    name: str  # the host's id
    trouble: str = ""  # it cannot be reached, or is something else
    connect_seconds: float = 0.0
    is_refused: bool = False
    is_silent: bool = False  # connected, and not a word: a distccd whose workers are all busy, or a dead one
    greeting: Welcome | None = None  # None: a distccd, unless `frames` is there
    frames: fleet.Welcome | None = None
    complaint: str = ""  # why a fleetccd closed the connection of frames
    drains: str = ""  # it is leaving, and why
    round_trips: tuple[float, ...] = ()  # seconds
    clock: ClockSeen | None = None  # None: it does not tell
    upload: float = 0.0  # bytes per second that the way to it carries (`measure`); 0: not known

    @property
    def is_stock(self) -> bool:
        """Whether it seems to be a distccd."""
        return not self.trouble and not self.is_refused and self.greeting is None and self.frames is None


async def visit(member: Member, name: str, timeouts: HostTimeouts) -> Visit:
    """Find out about one host; takes at most VISIT_SECONDS, and never raises for what a host does."""
    limits = replace(timeouts, connect_seconds=min(timeouts.connect_seconds, _CONNECT_SECONDS))
    visiting = _Visiting(member, name, limits)
    try:
        async with asyncio.timeout(VISIT_SECONDS):
            if member.host.kind is HostKind.SSH:
                await visiting.frames()
            else:
                await visiting.greet()
                if visiting.found.greeting is not None:
                    await visiting.frames()
                elif not visiting.found.is_silent:
                    await visiting.say_nothing()
    except TimeoutError:
        return replace(visiting.found, trouble=f"did not answer within {VISIT_SECONDS:g} s")
    except HostError as problem:
        if _RESET in str(problem):  # it was closed before the connecting had been noticed here
            return replace(visiting.found, is_refused=True)
        return replace(visiting.found, trouble=str(problem))
    return visiting.found


@dataclass(slots=True)
class _Visiting:
    """One visit under way."""

    member: Member
    name: str
    timeouts: HostTimeouts
    opener: Opener = field(default_factory=Opener)
    found: Visit = field(init=False)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.found = Visit(self.member, self.name)

    async def greet(self) -> None:
        """The text greeting. Raises HostError."""
        await self.opener.converse(self.member.host, self.timeouts, Stream, self._greet)

    async def _greet(self, transport: asyncio.Transport, stream: Stream) -> None:
        self.found = replace(self.found, connect_seconds=time.monotonic() - self.begun)
        try:
            transport.write(GREETING)
            is_whole = await stream.until(lambda: _has_welcome(stream), ANSWER_SECONDS)
            self.found = replace(
                self.found, is_silent=not is_whole and not stream.is_over and not stream.data
            )
            if stream.data:
                self.found = replace(self.found, greeting=parse_welcome(bytes(stream.data)))
        except ProtocolError as problem:
            raise HostError(f"is not a compile server: {problem}") from problem
        finally:
            transport.abort()

    async def say_nothing(self) -> None:
        """Whether it closes by itself. Raises HostError."""
        await self.opener.converse(self.member.host, self.timeouts, Stream, self._say_nothing)

    async def _say_nothing(self, transport: asyncio.Transport, stream: Stream) -> None:
        try:
            await stream.until(lambda: bool(stream.data), _REFUSAL_SECONDS + self.found.connect_seconds)
            self.found = replace(self.found, is_refused=stream.is_over and not stream.data)
        finally:
            transport.abort()

    async def frames(self) -> None:
        """What a fleetccd tells its agents, and some pings. Raises HostError."""
        await self.opener.converse(self.member.host, self.timeouts, Stream, self._talk)

    async def _talk(self, transport: asyncio.Transport, stream: Stream) -> None:
        session = Session(transport, stream)
        try:
            await session.hello()
            await session.settle()
            if session.frames is None and not session.complaint and stream.is_over:
                await explain_silence(self.member.host, stream)
            await session.ping()
        except ProtocolError as problem:
            raise HostError(f"broke the fleet protocol: {problem}") from problem
        finally:
            transport.abort()
            self.found = replace(
                self.found,
                frames=session.frames,
                complaint=session.complaint,
                drains=session.drains,
                round_trips=tuple(session.round_trips),
                clock=session.clock,
            )


def _has_welcome(stream: Stream) -> bool:
    """Whether the answer to a greeting is there, or too much."""
    return is_welcome_complete(bytes(stream.data)) or len(stream.data) > MAX_WELCOME_BYTES


def median(values: Sequence[float]) -> float:
    """The middle one; 0 for none."""
    return sorted(values)[len(values) // 2] if values else 0.0
