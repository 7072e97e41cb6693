"""The numbers of packets, and what is common to all protocols of distcc."""

import ctypes

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.wire.packets import header, number, parse_number


def _strtoul(digits: bytes) -> int | None:
    """What distcc does, with the C library itself."""
    function = ctypes.CDLL(None).strtoul
    function.restype = ctypes.c_ulong
    text = ctypes.create_string_buffer(digits)
    end = ctypes.c_void_p()
    value: int = function(text, ctypes.byref(end), 16)
    consumed = (end.value or 0) - ctypes.addressof(text)
    return value & 0xFFFF_FFFF if consumed == len(digits) == 8 else None


@given(st.lists(st.sampled_from(list(b" \t\v+-0xX1aFg_\0")), min_size=8, max_size=8).map(bytes))
@example(b"ffffffff")
@example(b"  +0x1aF")
@example(b"      0x")
@example(b"        ")
@example(b"0x0x0001")
@example(b"-ffffff1")
@example(b"1       ")
@example(b"0000_001")
def test_numbers_are_what_strtoul_makes_of_them(digits: bytes) -> None:
    assert parse_number(digits) == _strtoul(digits)


@given(st.binary(min_size=8, max_size=8))
def test_any_eight_bytes_are_read_as_strtoul_reads_them(digits: bytes) -> None:
    assume(b"\0" not in digits)

    assert parse_number(digits) == _strtoul(digits)


@given(st.integers(0, 0xFFFF_FFFF))
def test_a_header_is_read_as_it_was_written(value: int) -> None:
    assert number(b"ARGC", header(b"ARGC", value)) == value


def test_a_number_that_does_not_fit_is_a_fault_of_ours() -> None:
    with pytest.raises(InternalError, match="32 bit"):
        header(b"ARGC", 1 << 32)


def test_another_token_is_told_with_the_expected_one() -> None:
    with pytest.raises(ProtocolError, match="token b'ARGV' where b'ARGC' was expected"):
        number(b"ARGC", header(b"ARGV", 1))
