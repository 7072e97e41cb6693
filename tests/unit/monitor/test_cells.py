"""Widths on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.cells import cut, cut_left, pad, width

TEXTS = st.text(alphabet=st.sampled_from("ab/é建e\u0301\u200b…"), max_size=12)


@pytest.mark.parametrize(
    ("text", "cells"), [("", 0), ("abc", 3), ("é", 1), ("建造", 4), ("e\u0301", 1), ("a\u200bb", 2)]
)
def test_width(text, cells):
    assert width(text) == cells


def test_what_fits_stays_and_the_rest_ends_in_an_ellipsis():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("建造建", 4) == "建…"
    assert cut("abc", 1) == "…"
    assert cut("abc", 0) == ""


def test_of_a_path_the_end_stays():
    assert cut_left("/src/lib/a.cc", 8) == "…ib/a.cc"
    assert cut_left("a建造", 4) == "…造"
    assert cut_left("abc", 0) == ""
    assert cut_left("xxe\u0301b", 2) == "…b"


def test_padding_fills_and_cuts():
    assert pad("ab", 4) == "ab  "
    assert pad("建造建", 4) == "建… "
    assert pad("abcdef", 4) == "abc…"


@given(TEXTS, st.integers(0, 14))
def test_nothing_gets_wider_than_asked(text, most):
    assert width(cut(text, most)) <= most
    assert width(cut_left(text, most)) <= most
    assert width(pad(text, most)) == most
