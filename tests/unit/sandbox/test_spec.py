"""What the helper is told."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.sandbox.spec import Limits, Spec, encode

LIMITS = Limits(1, 2, 3, 4, 5, 6)
SPEC = Spec(
    b"/tree", b"/bin/cc", (b"cc", b"-c"), (b"A=1",), b"/work", 0o27, LIMITS, (b"/w/x.o",), (b"/usr", b"/lib")
)
WORDS = st.lists(st.binary(max_size=8).map(lambda word: word.replace(b"\0", b"")), max_size=5)


def test_every_field_has_its_place():
    assert encode(SPEC).split(b"\0") == [
        b"fleetcc-sandbox 2",
        b"/tree",
        b"/work",
        b"/bin/cc",
        b"27",
        *(b"1", b"2", b"3", b"4", b"5", b"6"),
        *(b"2", b"1", b"1", b"2"),
        *(b"cc", b"-c"),
        b"A=1",
        b"/w/x.o",
        *(b"/usr", b"/lib"),
        b"",
    ]


@given(WORDS, WORDS, WORDS, WORDS)
def test_words_stay_apart_even_when_they_are_empty(arguments, variables, existing, own):
    spec = Spec(b"/", b"/cc", (b"cc", *arguments), tuple(variables), b"/")
    texts = encode(replace(spec, existing=tuple(existing), own=tuple(own))).split(b"\0")

    lists = ([b"cc", *arguments], variables, existing, own)
    assert texts[11:15] == [b"%d" % len(each) for each in lists]
    assert texts[15:] == [*itertools.chain(*lists), b""]


@pytest.mark.parametrize(
    "changes",
    [
        {"tree": b"/a\0b"},
        {"program": b"\0"},
        {"cwd": b"/\0"},
        {"argv": (b"cc", b"a\0b")},
        {"environment": (b"A=\0",)},
        {"existing": (b"/\0",)},
        {"own": (b"/\0",)},
    ],
)
def test_a_nul_anywhere_is_the_peers_fault(changes):
    fields = {"tree": b"/", "program": b"/cc", "argv": (b"cc",), "environment": (), "cwd": b"/"}

    with pytest.raises(ProtocolError, match="NUL"):
        encode(Spec(**(fields | changes)))


def test_no_argv_is_the_peers_fault():
    with pytest.raises(ProtocolError, match="argv"):
        encode(Spec(b"/", b"/cc", (), (), b"/"))
