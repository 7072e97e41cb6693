"""Response files, against what libiberty and LLVM make of the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.command.response import EndlessResponseFilesError, expand, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", []),
        (b" \n\t\r\v\f", []),
        (b"-a -b\n-c", [b"-a", b"-b", b"-c"]),
        (b"-DX='a b'", [b"-DX=a b"]),
        (b'-DX="a b" c', [b"-DX=a b", b"c"]),
        (b'-DX=\\"q\\"', [b'-DX="q"']),
        (b"a\\ b", [b"a b"]),
        (b"'a\\'b'", [b"a'b"]),
        (b'"a\\\\b"', [b"a\\b"]),
        (b"''", [b""]),
        (b"a''b", [b"ab"]),
        (b"'unfinished", [b"unfinished"]),
        (b"end\\", [b"end"]),
        (b"\xff\xfe x", [b"\xff\xfe", b"x"]),
    ],
)
def test_a_response_file_is_split_as_the_compilers_do(text: bytes, words: list[bytes]) -> None:
    assert split(text) == words


@given(st.lists(st.binary(max_size=20)))
def test_quoted_words_come_back_as_they_were(words: list[bytes]) -> None:
    text = b"\n".join(b'"' + word.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for word in words)
    assert split(text) == words


@given(st.binary(max_size=200))
def test_any_bytes_are_split_into_some_words(text: bytes) -> None:
    assert sum(map(len, split(text))) <= len(text)


def test_files_are_expanded_in_place_and_within_each_other() -> None:
    files = {b"one": b"-a @two -b", b"two": b"x y"}
    assert expand([b"gcc", b"@one", b"z"], files.get) == [b"gcc", b"-a", b"x", b"y", b"-b", b"z"]


def test_an_unreadable_file_stays_a_word() -> None:
    assert expand([b"gcc", b"@nowhere", b"@"], lambda _: None) == [b"gcc", b"@nowhere", b"@"]


def test_files_that_include_each_other_end_in_an_error() -> None:
    with pytest.raises(EndlessResponseFilesError):
        expand([b"gcc", b"@me"], {b"me": b"-a @me @me"}.get)
