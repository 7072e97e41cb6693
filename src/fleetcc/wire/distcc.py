"""distcc's protocols, both ends (distcc-compat 1). Knows no sockets, compilers or options.

One connection carries one request and one response. Both are packets: a token of four letters, eight
hexadecimal digits, and for some tokens as many bytes as the digits say.

    request   DIST version, ARGC count, ARGV argument (count times), DOTI source
    response  DONE version, STAT wait status, SERR, SOUT, DOTO object

Protocol 1 sends source, streams and object as they are, protocol 2 compresses each with LZO. Version 0
is an old name of 1 and is echoed. The request of protocol 3 is in `pump`; its response has one packet more,
DOTD, the dependency file of a compile that went well. Readers deliver those bodies as they travelled
("raw"), so that who wants the plain bytes chooses when to pay for them, and in which thread.

A length is compared with its limit when its packet's header is read, before a byte of its body is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.errors import HostRefusedError, ProtocolError
from fleetcc.wire import lzo
from fleetcc.wire.framing import MessageReader, Parser
from fleetcc.wire.packets import HEADER_BYTES, argv_packets, check_limit, header, number, read_argv
from fleetcc.wire.pump import (
    DEFAULT_PUMP_LIMITS,
    PUMP_PROTOCOL,
    PumpBody,
    PumpHead,
    PumpLimits,
    dependency_packet,
    read_pump_request,
)

COMPRESSED_PROTOCOL: Final = 2
SERVED_PROTOCOLS: Final = (0, 1, 2, PUMP_PROTOCOL)

BytesLike: TypeAlias = bytes | bytearray | memoryview


class UnservedProtocolError(ProtocolError):
    """A request in a protocol version that is not served here."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may send. Nothing bigger is read, whatever its header claims."""

    max_arguments: int = 20_000
    max_argument_bytes: int = 8 << 20  # all together; Linux gives a process 6 MiB at the default stack limit
    max_body_bytes: int = 1 << 30  # one raw body: a source or an object
    max_stream_bytes: int = 64 << 20  # one raw diagnostic stream; a dependency file too
    pump: PumpLimits = DEFAULT_PUMP_LIMITS


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What is known before the body: enough to admit or refuse a job."""

    protocol: int
    argv: tuple[bytes, ...]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class RequestBody:
    """The source as it travelled; the request is complete."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """The remote compiler has ended, with this wait status."""

    status: int


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; the bodies as they travelled."""

    status: int
    stderr_raw: bytes
    stdout_raw: bytes
    output_raw: bytes
    dependencies_raw: bytes = b""  # protocol 3


RequestEvent: TypeAlias = RequestHead | RequestBody | PumpHead | PumpBody


class RequestReader(MessageReader[RequestEvent]):
    """Bytes of a client in; out come a head, then a body, both of one kind. Later bytes are only counted."""

    __slots__ = ()

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(_request(limits))

    def receive_eof(self) -> None:
        """The client sends no more; raises ProtocolError unless the request is complete or never began."""
        self.finish("the client left in the middle of its request")


class ResponseReader(MessageReader[ResponseStarted | Response]):
    """Bytes of a server in; out come a ResponseStarted, then a Response. Later bytes are only counted."""

    __slots__ = ()

    def __init__(self, protocol: int, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(_response(protocol, limits))

    def receive_eof(self) -> None:
        """The server sends no more; raises unless the response is complete.

        HostRefusedError when not a byte has come, which is how distccd says no; ProtocolError when it
        stopped half way.
        """
        if not self.received_bytes:
            raise HostRefusedError("the host closed the connection without an answer")
        self.finish("the host left in the middle of its response")


def _request(limits: Limits) -> Parser[RequestEvent]:
    protocol = _served_protocol(number(b"DIST", (yield HEADER_BYTES)))
    if protocol == PUMP_PROTOCOL:
        yield from read_pump_request(limits.max_arguments, limits.max_argument_bytes, limits.pump)
        return
    argv = yield from read_argv(limits.max_arguments, limits.max_argument_bytes)
    body_bytes = number(b"DOTI", (yield HEADER_BYTES))
    check_limit(b"DOTI", body_bytes, limits.max_body_bytes)
    yield RequestHead(protocol, argv, body_bytes)
    yield RequestBody((yield body_bytes))


def _response(protocol: int, limits: Limits) -> Parser[ResponseStarted | Response]:
    version = number(b"DONE", (yield HEADER_BYTES))
    if version != protocol:
        raise ProtocolError(f"a response in protocol {version} to a request in protocol {protocol}")
    status = number(b"STAT", (yield HEADER_BYTES))
    yield ResponseStarted(status)
    stderr_bytes = number(b"SERR", (yield HEADER_BYTES))
    check_limit(b"SERR", stderr_bytes, limits.max_stream_bytes)
    stderr = yield stderr_bytes
    stdout_bytes = number(b"SOUT", (yield HEADER_BYTES))
    check_limit(b"SOUT", stdout_bytes, limits.max_stream_bytes)
    stdout = yield stdout_bytes
    output_bytes = number(b"DOTO", (yield HEADER_BYTES))
    if status:
        output_bytes = 0  # a failed compile has no output, whatever length is claimed
    check_limit(b"DOTO", output_bytes, limits.max_body_bytes)
    output = yield output_bytes
    dependencies = b""
    if protocol == PUMP_PROTOCOL and not status:
        dependency_bytes = number(b"DOTD", (yield HEADER_BYTES))
        check_limit(b"DOTD", dependency_bytes, limits.max_stream_bytes)
        dependencies = yield dependency_bytes
    yield Response(status, stderr, stdout, output, dependencies)


def encode_request(protocol: int, argv: Sequence[bytes], raw_body: bytes) -> list[bytes]:
    """One request, as buffers to write in order; `raw_body` comes from `pack_body`."""
    packets = [header(b"DIST", protocol), *argv_packets(argv)]
    packets.append(header(b"DOTI", len(raw_body)))
    return _buffers(packets, raw_body)


def encode_response(
    protocol: int,
    status: int,
    stderr_raw: bytes,
    stdout_raw: bytes,
    output_raw: bytes,
    dependencies_raw: bytes = b"",
) -> list[bytes]:
    """One response, as buffers to write in order. A status other than 0 sends no output, by the protocol."""
    output = b"" if status else output_raw
    packets = [
        header(b"DONE", protocol),
        header(b"STAT", status),
        header(b"SERR", len(stderr_raw)),
        stderr_raw,
        header(b"SOUT", len(stdout_raw)),
        stdout_raw,
        header(b"DOTO", len(output)),
    ]
    ending = dependency_packet(status, dependencies_raw) if protocol == PUMP_PROTOCOL else []
    return [*_buffers(packets, output), *ending]


def pack_body(protocol: int, plain: BytesLike) -> bytes:
    """A body as it travels in this protocol. Some 2 ms for each MB in protocol 2."""
    return lzo.compress(plain) if protocol >= COMPRESSED_PROTOCOL else bytes(plain)


def unpack_body(protocol: int, raw: bytes, max_bytes: int) -> bytes:
    """The plain bytes of a body that came; raises ProtocolError when they are corrupt or too many."""
    if protocol >= COMPRESSED_PROTOCOL:
        return lzo.decompress(raw, max_bytes)
    if len(raw) > max_bytes:
        raise ProtocolError(f"a body of {len(raw)} bytes; the limit is {max_bytes}")
    return raw


def _served_protocol(version: int) -> int:
    if version in SERVED_PROTOCOLS:
        return version
    raise UnservedProtocolError(f"protocol {version} where 1, 2 or 3 was expected; no such version is known")


def _buffers(packets: Sequence[bytes], body: bytes) -> list[bytes]:
    """Small packets become one buffer; the body, which may be big, is not copied."""
    head = b"".join(packets)
    return [head, body] if body else [head]
