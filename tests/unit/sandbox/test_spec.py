"""What the helper is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.sandbox.spec import Limits, Spec, encode

SPEC = Spec(b"/tree", b"/bin/cc", (b"cc", b"-c"), (b"A=1",), b"/work", 0o27, Limits(1, 2, 3, 4, 5, 6))
WORDS = st.lists(st.binary(max_size=8).map(lambda word: word.replace(b"\0", b"")), max_size=5)


def test_every_field_has_its_place():
    assert encode(SPEC).split(b"\0") == [
        b"fleetcc-sandbox 1",
        b"/tree",
        b"/work",
        b"/bin/cc",
        b"27",
        *(b"1", b"2", b"3", b"4", b"5", b"6"),
        *(b"2", b"1"),
        *(b"cc", b"-c"),
        b"A=1",
        b"",
    ]


@given(WORDS, WORDS)
def test_words_stay_apart_even_when_they_are_empty(arguments, variables):
    texts = encode(Spec(b"/", b"/cc", (b"cc", *arguments), tuple(variables), b"/")).split(b"\0")

    assert texts[11:13] == [b"%d" % (len(arguments) + 1), b"%d" % len(variables)]
    assert texts[13:] == [b"cc", *arguments, *variables, b""]


@pytest.mark.parametrize(
    "changes",
    [
        {"tree": b"/a\0b"},
        {"program": b"\0"},
        {"cwd": b"/\0"},
        {"argv": (b"cc", b"a\0b")},
        {"environment": (b"A=\0",)},
    ],
)
def test_a_nul_anywhere_is_the_peers_fault(changes):
    fields = {"tree": b"/", "program": b"/cc", "argv": (b"cc",), "environment": (), "cwd": b"/"}

    with pytest.raises(ProtocolError, match="NUL"):
        encode(Spec(**(fields | changes)))


def test_no_argv_is_the_peers_fault():
    with pytest.raises(ProtocolError, match="argv"):
        encode(Spec(b"/", b"/cc", (), (), b"/"))
