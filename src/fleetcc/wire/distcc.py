"""distcc's protocols 1 and 2, both ends (distcc-compat 1). Knows no sockets, compilers or options.

One connection carries one request and one response. Both are packets: a token of four letters, eight
hexadecimal digits, and for some tokens as many bytes as the digits say.

    request   DIST version, ARGC count, ARGV argument (count times), DOTI source
    response  DONE version, STAT wait status, SERR, SOUT, DOTO object

Protocol 1 sends source, streams and object as they are, protocol 2 compresses each with LZO. Version 0
is an old name of 1 and is echoed. Readers deliver those bodies as they travelled ("raw"), so that who
wants the plain bytes chooses when to pay for them, and in which thread.

A length is compared with its limit when its packet's header is read, before a byte of its body is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.errors import HostRefusedError, InternalError, ProtocolError
from fleetcc.wire import lzo
from fleetcc.wire.framing import MessageReader, Parser

COMPRESSED_PROTOCOL: Final = 2
SERVED_PROTOCOLS: Final = (0, 1, 2)

BytesLike: TypeAlias = bytes | bytearray | memoryview

_HEADER_BYTES: Final = 12
_MAX_NUMBER: Final = 0xFFFF_FFFF
_PUMP_PROTOCOL: Final = 3

# What C's strtoul takes in base 16; distcc's receivers use it and ask only that it consume all eight bytes.
_STRTOUL: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]+)")


class UnservedProtocolError(ProtocolError):
    """A request in a protocol version that is not served here."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may send. Nothing bigger is read, whatever its header claims."""

    max_arguments: int = 20_000
    max_argument_bytes: int = 8 << 20  # all together; Linux gives a process 6 MiB at the default stack limit
    max_body_bytes: int = 1 << 30  # one raw body: a source or an object
    max_stream_bytes: int = 64 << 20  # one raw diagnostic stream


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


class RequestReader(MessageReader[RequestHead | RequestBody]):
    """Bytes of a client in; out come a RequestHead, then a RequestBody. Later bytes are only counted."""

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


def _request(limits: Limits) -> Parser[RequestHead | RequestBody]:
    protocol = _served_protocol(_number(b"DIST", (yield _HEADER_BYTES)))
    count = _number(b"ARGC", (yield _HEADER_BYTES))
    if count == 0:
        raise ProtocolError("ARGC is 0, but a request names at least its compiler")
    _check_limit(b"ARGC", count, limits.max_arguments)
    argv: list[bytes] = []
    argument_bytes = 0
    for _ in range(count):
        length = _number(b"ARGV", (yield _HEADER_BYTES))
        argument_bytes += length
        _check_limit(b"ARGV", argument_bytes, limits.max_argument_bytes)
        argv.append((yield length))
    _check_no_nul(argv)
    body_bytes = _number(b"DOTI", (yield _HEADER_BYTES))
    _check_limit(b"DOTI", body_bytes, limits.max_body_bytes)
    yield RequestHead(protocol, tuple(argv), body_bytes)
    yield RequestBody((yield body_bytes))


def _response(protocol: int, limits: Limits) -> Parser[ResponseStarted | Response]:
    version = _number(b"DONE", (yield _HEADER_BYTES))
    if version != protocol:
        raise ProtocolError(f"a response in protocol {version} to a request in protocol {protocol}")
    status = _number(b"STAT", (yield _HEADER_BYTES))
    yield ResponseStarted(status)
    stderr_bytes = _number(b"SERR", (yield _HEADER_BYTES))
    _check_limit(b"SERR", stderr_bytes, limits.max_stream_bytes)
    stderr = yield stderr_bytes
    stdout_bytes = _number(b"SOUT", (yield _HEADER_BYTES))
    _check_limit(b"SOUT", stdout_bytes, limits.max_stream_bytes)
    stdout = yield stdout_bytes
    output_bytes = _number(b"DOTO", (yield _HEADER_BYTES))
    if status:
        output_bytes = 0  # a failed compile has no output, whatever length is claimed
    _check_limit(b"DOTO", output_bytes, limits.max_body_bytes)
    yield Response(status, stderr, stdout, (yield output_bytes))


def encode_request(protocol: int, argv: Sequence[bytes], raw_body: bytes) -> list[bytes]:
    """One request, as buffers to write in order; `raw_body` comes from `pack_body`."""
    packets = [_header(b"DIST", protocol), _header(b"ARGC", len(argv))]
    for argument in argv:
        packets.append(_header(b"ARGV", len(argument)))
        packets.append(argument)
    packets.append(_header(b"DOTI", len(raw_body)))
    return _buffers(packets, raw_body)


def encode_response(
    protocol: int, status: int, stderr_raw: bytes, stdout_raw: bytes, output_raw: bytes
) -> list[bytes]:
    """One response, as buffers to write in order. A status other than 0 sends no output, by the protocol."""
    output = b"" if status else output_raw
    packets = [
        _header(b"DONE", protocol),
        _header(b"STAT", status),
        _header(b"SERR", len(stderr_raw)),
        stderr_raw,
        _header(b"SOUT", len(stdout_raw)),
        stdout_raw,
        _header(b"DOTO", len(output)),
    ]
    return _buffers(packets, output)


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


def parse_number(digits: bytes) -> int | None:
    """The value of a packet's eight digits; None when they are no number.

    Everything is taken that distcc takes: both cases, leading blanks, a sign (a minus counts down from
    2 to the power of 32), a prefix 0x.
    """
    if digits.isalnum():  # without blanks, signs and underscores int() and strtoul agree
        try:
            return int(digits, 16)
        except ValueError:
            return None
    match = _STRTOUL.fullmatch(digits)
    if match is None:
        return None
    value = int(match[2], 16)
    return -value & _MAX_NUMBER if match[1] == b"-" else value


def _number(token: bytes, header: bytes) -> int:
    """The number in a header that must have this token."""
    if not header.startswith(token):
        raise ProtocolError(f"token {header[:4]!r} where {token!r} was expected")
    value = parse_number(header[4:])
    if value is None:
        raise ProtocolError(f"{header[4:]!r} after {token!r}, where eight hexadecimal digits were expected")
    return value


def _served_protocol(version: int) -> int:
    if version in SERVED_PROTOCOLS:
        return version
    if version == _PUMP_PROTOCOL:
        raise UnservedProtocolError(
            "protocol 3 (pump mode: the server preprocesses) where 1 or 2 was expected; "
            "it is not served here: take `,cpp` out of the client's host list"
        )
    raise UnservedProtocolError(f"protocol {version} where 1 or 2 was expected; no such version is known")


def _check_limit(token: bytes, number: int, limit: int) -> None:
    if number > limit:
        raise ProtocolError(f"{token!r} brings {number}; the limit is {limit}")


def _check_no_nul(argv: Sequence[bytes]) -> None:
    for index, argument in enumerate(argv):
        if b"\0" in argument:
            raise ProtocolError(f"argument {index} contains a NUL byte, which no command line can")


def _header(token: bytes, number: int) -> bytes:
    if not 0 <= number <= _MAX_NUMBER:
        raise InternalError(f"{number} does not fit after {token!r}: packets have 32 bit")
    return b"%b%08x" % (token, number)


def _buffers(packets: Sequence[bytes], body: bytes) -> list[bytes]:
    """Small packets become one buffer; the body, which may be big, is not copied."""
    head = b"".join(packets)
    return [head, body] if body else [head]
