"""What the first bytes of a connection are taken for."""

import pytest

from fleetcc.wire.fleet import OPENING
from fleetcc.wire.greeting import GREETING, encode_unknown_version
from fleetcc.wire.opening import Opening, recognise


@pytest.mark.parametrize(
    ("data", "opening"),
    [
        (b"DIST00000001ARGC", Opening.DISTCC),
        (GREETING, Opening.GREETING),
        (OPENING, Opening.FLEET),
        (OPENING + b"more", Opening.FLEET),
        (b"FLEETCC/2\r\n", Opening.OTHER_VERSION),
        (b"FLEETCC/2 FRAMES\r\nmore", Opening.OTHER_VERSION),
        (b"FLEETCC/1 OTHER\r\n", Opening.OTHER_VERSION),
        (b"FLEETCC/" + b"9" * 100, Opening.OTHER_VERSION),
        (b"FLEETCC/2 FRA", Opening.UNDECIDED),
        (b"FLEET", Opening.UNDECIDED),
        (b"", Opening.UNDECIDED),
        (b"D", Opening.UNDECIDED),
        (b"GET / HTTP", Opening.UNKNOWN),
        (b"FLEETED", Opening.UNKNOWN),
        (b"\0", Opening.UNKNOWN),
    ],
)
def test_it_is_known_by_its_first_bytes(data, opening):
    assert recognise(data) is opening


@pytest.mark.parametrize("whole", [b"DIST00000001", GREETING, OPENING, b"FLEETCC/9 X\r\n"])
def test_it_is_never_decided_too_early(whole):
    decided = [
        found for at in range(len(whole) + 1) if (found := recognise(whole[:at])) is not Opening.UNDECIDED
    ]
    assert set(decided) == {recognise(whole)}


def test_an_unknown_version_is_answered_in_the_style_of_the_greeting():
    first, said, versions, *end = encode_unknown_version(b"FLEETCC/2 X\r\n\xff").split(b"\r\n")
    assert (first, versions, end) == (b"FLEETCC/1", b"frames: 1", [b"", b""])
    assert said.startswith(b"error: b'FLEETCC/2 X\\r\\n\\xff' is not an opening that this server knows")
