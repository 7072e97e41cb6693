"""The packets of distcc's protocols: a token of four letters, eight hexadecimal digits, perhaps a body.

Knows no order of packets: `distcc` and `pump` do.
"""

import re
from collections.abc import Generator, Sequence
from typing import Final

from fleetcc.errors import InternalError, ProtocolError

HEADER_BYTES: Final = 12
_MAX_NUMBER: Final = 0xFFFF_FFFF

# What C's strtoul takes in base 16; distcc's receivers use it and ask only that it consume all eight bytes.
_STRTOUL: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]+)")


def header(token: bytes, number: int) -> bytes:
    """A packet without a body, or the beginning of one with a body of so many bytes."""
    if not 0 <= number <= _MAX_NUMBER:
        raise InternalError(f"{number} does not fit after {token!r}: packets have 32 bit")
    return b"%b%08x" % (token, number)


def number(token: bytes, packet: bytes) -> int:
    """The number in a header that must have this token; raises ProtocolError."""
    if not packet.startswith(token):
        raise ProtocolError(f"token {packet[:4]!r} where {token!r} was expected")
    value = parse_number(packet[4:])
    if value is None:
        raise ProtocolError(f"{packet[4:]!r} after {token!r}, where eight hexadecimal digits were expected")
    return value


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


def check_limit(token: bytes, number: int, limit: int) -> None:
    """Raises ProtocolError where a peer announces more than it may."""
    if number > limit:
        raise ProtocolError(f"{token!r} brings {number}; the limit is {limit}")


def read_argv(max_count: int, max_bytes: int) -> Generator[int, bytes, tuple[bytes, ...]]:
    """Part of a parser: ARGC, and as many ARGV."""
    count = number(b"ARGC", (yield HEADER_BYTES))
    if count == 0:
        raise ProtocolError("ARGC is 0, but a request names at least its compiler")
    check_limit(b"ARGC", count, max_count)
    argv: list[bytes] = []
    argument_bytes = 0
    for _ in range(count):
        length = number(b"ARGV", (yield HEADER_BYTES))
        argument_bytes += length
        check_limit(b"ARGV", argument_bytes, max_bytes)
        argv.append((yield length))
    _check_no_nul(argv)
    return tuple(argv)


def argv_packets(argv: Sequence[bytes]) -> list[bytes]:
    """The packets that `read_argv` reads."""
    packets = [header(b"ARGC", len(argv))]
    for argument in argv:
        packets.append(header(b"ARGV", len(argument)))
        packets.append(argument)
    return packets


def _check_no_nul(argv: Sequence[bytes]) -> None:
    for index, argument in enumerate(argv):
        if b"\0" in argument:
            raise ProtocolError(f"argument {index} contains a NUL byte, which no command line can")
