"""The greeting and its answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.model import Form
from fleetcc.wire.greeting import (
    GREETING,
    MAX_WELCOME_BYTES,
    Welcome,
    encode_welcome,
    is_welcome_complete,
    parse_welcome,
)

WELCOME = Welcome(
    server="fleetccd 0.1.0",
    forms=(Form.EXPANDED, Form.DIRECTIVES),
    protocols=(1, 2),
    slots=8,
    capacity=7,
    running=2,
    waiting=0,
)
STREAM = (
    b"FLEETCC/1\r\nserver: fleetccd 0.1.0\r\nforms: expanded directives\r\nprotocols: 1 2\r\n"
    b"frames: 1\r\nslots: 8\r\ncapacity: 7\r\nrunning: 2\r\nwaiting: 0\r\n\r\n"
)

counts = st.integers(0, 999_999_999)
welcomes = st.builds(
    Welcome,
    server=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
    forms=st.lists(st.sampled_from(Form), unique=True).map(tuple),
    protocols=st.lists(counts, max_size=5).map(tuple),
    slots=counts,
    capacity=counts,
    running=counts,
    waiting=counts,
    no_files=st.none()
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).filter(
        lambda why: why != "yes"
    ),
)


def test_the_greeting_is_one_byte_longer_than_what_distccd_reads() -> None:
    assert GREETING == b"FLEETCC/1\r\n\r\n"
    assert len(GREETING) == 13


def test_a_welcome_has_the_agreed_bytes() -> None:
    assert encode_welcome(WELCOME) == STREAM
    assert parse_welcome(STREAM) == WELCOME


@given(welcomes)
def test_a_welcome_survives_the_journey(welcome: Welcome) -> None:
    assert parse_welcome(encode_welcome(welcome)) == welcome


def test_a_server_says_whether_it_takes_files_and_why_not() -> None:
    takes, refuses = (
        replace(WELCOME, no_files=""),
        replace(WELCOME, no_files="no user namespaces; run as root"),
    )

    assert b"\r\nfiles: yes\r\n" in encode_welcome(takes)
    assert b"\r\nfiles: no user namespaces; run as root\r\n" in encode_welcome(refuses)
    assert [parse_welcome(encode_welcome(each)) for each in (takes, refuses)] == [takes, refuses]


def test_a_server_of_before_says_nothing_of_files() -> None:
    assert parse_welcome(STREAM).no_files is None


def test_what_a_system_says_is_told_in_one_line_of_ascii_and_not_for_ever() -> None:
    told = parse_welcome(
        encode_welcome(replace(WELCOME, no_files="Zugriff auf\r\n„/“ verweigert" + "!" * 9999))
    )

    assert told.no_files is not None
    assert told.no_files.startswith("Zugriff auf???/? verweigert!!!")
    assert len(encode_welcome(told)) < MAX_WELCOME_BYTES
    assert len(told.no_files) == 400


def test_what_a_newer_server_adds_is_passed_over() -> None:
    newer = (
        STREAM.replace(b"forms: ", b"forms: replica ").replace(b"slots:", b"toolchains: 3\r\nSlots:")
        + b"HELLO"
    )

    assert parse_welcome(newer) == WELCOME


@pytest.mark.parametrize("length", range(len(STREAM)))
def test_a_part_of_a_welcome_is_not_complete(length: int) -> None:
    assert not is_welcome_complete(STREAM[:length])
    with pytest.raises(ProtocolError, match="without its empty line"):
        parse_welcome(STREAM[:length])


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"begins b'HTTP/1.1 400 Bad Request' where b'FLEETCC/1'"),
        (STREAM.replace(b"slots: 8", b"slots"), r"the line b'slots' in a welcome"),
        (STREAM.replace(b"slots: 8", b"slots: \xff"), r"the line b'slots: \\xff' in a welcome"),
        (STREAM.replace(b"slots: 8", b"slots: 8\x1b"), r"the line"),
        (STREAM.replace(b"slots: 8", b"slots: -8"), r"'slots' in a welcome is '-8', where a number"),
        (STREAM.replace(b"slots: 8", b"slots: 1234567890"), r"where a number was expected"),
        (STREAM.replace(b"slots: 8", b"slots: 8_8"), r"where a number was expected"),
        (STREAM.replace(b"protocols: 1 2", b"protocols: 1 two"), r"'protocols' in a welcome is 'two'"),
        (STREAM.replace(b"waiting: 0\r\n", b""), r"a welcome without 'waiting'"),
        (STREAM.replace(b"server: fleetccd 0.1.0\r\n", b""), r"a welcome without 'server'"),
        (b"FLEETCC/1\r\n" + b"x: y\r\n" * MAX_WELCOME_BYTES + b"\r\n", r"without its empty line"),
    ],
)
def test_a_bad_welcome_is_told_what_was_found(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        parse_welcome(stream)


@given(st.binary(max_size=200), st.integers(0, len(STREAM)), st.integers(0, 30))
def test_damage_gives_a_welcome_or_one_error(noise: bytes, at: int, lost: int) -> None:
    damaged = STREAM[:at] + noise + STREAM[at + lost :]
    try:
        welcome = parse_welcome(damaged)
    except ProtocolError:
        return
    assert parse_welcome(encode_welcome(welcome)) == welcome


@pytest.mark.parametrize("name", ["two\r\nlines", "schnürsenkel"])
def test_a_name_that_would_break_the_welcome_is_our_own_error(name: str) -> None:
    welcome = Welcome(name, (), (), 0, 0, 0, 0)

    with pytest.raises(InternalError, match="cannot be sent"):
        encode_welcome(welcome)
