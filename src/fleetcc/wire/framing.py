"""Gives a parser exactly the bytes that it asks for, however they arrive. Knows no protocol.

A parser is a generator. It yields a number to be sent exactly that many bytes, or an event to deliver
it, so a protocol reads top to bottom without a state variable. It returns when its message is complete,
or raises ProtocolError; the events of a call that ends in an error are dropped with it.

Cost: bytes that cannot be used yet are kept as they came and joined once, when the wanted number is
there. So a body of any size is copied once, and a stream of tiny chunks stays linear. What is held is
always shorter than what the parser wants, and never longer than what the peer has really sent.
"""

from collections.abc import Generator
from typing import Final, Generic, TypeAlias, TypeVar

from fleetcc.errors import ProtocolError

Event = TypeVar("Event")
Parser: TypeAlias = Generator[int | Event, bytes, None]

# Chunks below this size are merged as they come: a peer that sends single bytes shall not make us keep
# a Python object, some 40 bytes, for each of them.
_SMALL_CHUNK: Final = 4096


class MessageReader(Generic[Event]):
    """Reads one message with one parser. After an error it stays failed and raises the same error again."""

    __slots__ = (
        "_chunks",
        "_error",
        "_held",
        "_parser",
        "_wanted",
        "extra_bytes",
        "is_complete",
        "received_bytes",
    )

    def __init__(self, parser: Parser[Event]) -> None:
        """Start a parser, which must begin by asking for bytes."""
        self._parser = parser
        first = next(parser)
        assert isinstance(first, int)
        self._wanted = first
        self._chunks: list[bytes | bytearray] = []
        self._held = 0
        self._error: tuple[type[ProtocolError], str] | None = None  # not the object: it would hold its frames
        self.received_bytes = 0  # everything that came, extra bytes included
        self.extra_bytes = 0  # what came after the end of the message, and was thrown away
        self.is_complete = False

    def receive(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream; answers what they complete. Raises ProtocolError."""
        self._raise_again()
        self.received_bytes += len(data)
        if self.is_complete:
            self.extra_bytes += len(data)
            return []
        if len(data) < self._wanted - self._held:
            self._hold(data)
            return []
        return self._parse(self._with_held(data))

    def finish(self, reason: str) -> None:
        """No more bytes will come; raises ProtocolError in the middle of a message, not before its start."""
        if self._error is None and self.received_bytes and not self.is_complete:
            self._fail(ProtocolError(f"{reason}: {self._held} of the next {self._wanted} bytes had come"))
        self._raise_again()

    def _parse(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        at, end, wanted = 0, len(data), self._wanted
        send = self._parser.send
        try:
            while at + wanted <= end:
                at += wanted
                step = send(data[at - wanted : at])
                while not isinstance(step, int):
                    events.append(step)
                    step = send(b"")
                wanted = step
        except StopIteration:
            self.is_complete = True
            self.extra_bytes = end - at
        except ProtocolError as error:
            self._fail(error)
            raise
        else:
            self._wanted = wanted
            self._hold(data[at:])
        return events

    def _fail(self, error: ProtocolError) -> None:
        self._error = (type(error), str(error))
        self._chunks.clear()

    def _raise_again(self) -> None:
        if self._error is not None:
            kind, text = self._error
            raise kind(text)

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if len(data) >= _SMALL_CHUNK:
            self._chunks.append(data)
            return
        last = self._chunks[-1] if self._chunks else None
        if isinstance(last, bytearray) and len(last) < _SMALL_CHUNK:
            last += data
        elif data:
            self._chunks.append(bytearray(data))

    def _with_held(self, data: bytes) -> bytes:
        if not self._chunks:
            return data
        self._chunks.append(data)
        joined = b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        return joined
