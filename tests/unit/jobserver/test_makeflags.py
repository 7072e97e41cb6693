"""MAKEFLAGS, as make writes it and as people do."""

import pytest

from fleetcc.jobserver.makeflags import descriptors_of, jobserver_of, with_jobserver

OURS = "-j9 --jobserver-auth=3,4"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f" {OURS}"),
        ("k", f"k {OURS}"),
        ("ks -- V=1", f"ks {OURS} -- V=1"),
        (" -j4 --jobserver-auth=5,6", f" {OURS}"),
        ("w -j4 --jobserver-fds=5,6 -l2 -- CC=a\\ b", f"w -l2 {OURS} -- CC=a\\ b"),
        ("-j8", f" {OURS}"),
        ("-j 8", f" {OURS}"),
        ("j8", f" {OURS}"),
        ("kj8", f"k {OURS}"),
        ("-kj", f" -k {OURS}"),
        ("--jobs=8 --keep-going", f" --keep-going {OURS}"),
        ("--jobs 8", f" {OURS}"),
        ("-Iobj -l 2.5", f" -Iobj -l 2.5 {OURS}"),
        (" --no-print-directory --jobserver-auth=fifo:/tmp/a", f" --no-print-directory {OURS}"),
        ("V=1", f" V=1 {OURS}"),
        (" -- -j4", f" {OURS} -- -j4"),
    ],
)
def test_ours_replaces_what_was_said_of_jobs_and_nothing_else(before: str, after: str) -> None:
    assert with_jobserver(before, "3,4", 9) == after
    assert with_jobserver(after, "3,4", 9) == after


def test_make_4_0_has_another_word_for_it() -> None:
    assert with_jobserver("", "3,4", 2, "fds") == " -j2 --jobserver-fds=3,4"


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("", ""),
        ("ks -- A=--jobserver-auth=1,2", ""),
        ("k -j4 --jobserver-auth=5,6", "5,6"),
        (" -j --jobserver-fds=5,6 --jobserver-auth=fifo:/tmp/x", "fifo:/tmp/x"),
        (" --jobserver-auth=3,4 --jobserver-auth=-2,-2", "-2,-2"),  # make 4.4, for what is no make
    ],
)
def test_the_last_jobserver_counts(flags: str, word: str) -> None:
    assert jobserver_of(flags) == word


@pytest.mark.parametrize(
    ("word", "pair"), [("3,4", (3, 4)), ("-2,-2", None), ("fifo:/a,b", None), ("", None)]
)
def test_descriptors_are_two_numbers(word: str, pair: tuple[int, int] | None) -> None:
    assert descriptors_of(word) == pair
