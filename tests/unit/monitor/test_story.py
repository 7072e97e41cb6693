"""The story of a past job in sentences."""

import pytest

from fleetcc.monitor.story import story_lines
from tests.support.past_builds import local, record, remote


def told(job) -> str:
    return "\n".join(story_lines(job))


def test_a_job_of_a_host_is_told_from_its_arrival_to_its_end() -> None:
    lines = story_lines(remote(7, waits=0.5, uploads=0.25, runs=2))

    assert lines[0].startswith("job 7, src/u7.cc, in /home/me/project; build build-1, ")
    assert [line[15:] for line in lines if line.startswith("  +")] == [
        "the files that it can read were found (10 ms)",
        "it waited for a host to have a free slot (500 ms)",
        "it travelled to b1:3632 (250 ms)",
        "the compiler ran on b1:3632 (2.0 s)",
        "its results came back and were put in place (10 ms)",
        "it was done",
    ]


def test_the_outcome_has_its_figures() -> None:
    text = told(remote(7, predicted=1.0))

    assert "It was compiled on b1:3632, as files: digests of all that it could read" in text
    assert "It could read 12 files." in text
    assert "1.0 KB were sent and 19.5 KB came back." in text
    assert "The compiler took 1.0 s, 900 ms of CPU time, 90.0 MB of memory at most." in text
    assert "1.0 s had been predicted, rightly." in text


@pytest.mark.parametrize(
    ("predicted", "words"), [(0.25, "it took 4.0 times as long"), (4, "it was 4.0 times as fast")]
)
def test_a_prediction_that_was_wrong_is_said(predicted: float, words: str) -> None:
    assert words in told(remote(7, predicted=predicted))


def test_a_job_that_ran_here_says_why_and_what_helps() -> None:
    text = told(local(1, waits=0.5, reason="debug-columns", detail="-g3"))

    assert "it waited for a slot of this machine" in text
    assert "the compiler ran on this machine" in text
    assert "It ran here because of debug-columns: debug information would have other columns" in text
    assert "FLEETCC_EXACT=0 lift this (-g3)." in text


@pytest.mark.parametrize(
    ("raced", "words"),
    [
        (True, "b0:3632 had it as well: it was raced"),
        (False, "b0:3632 had it before and did not bring it to an end"),
    ],
)
def test_other_hosts_are_named(raced: bool, words: str) -> None:
    assert words in told(remote(1, hosts=("b0:3632", "b1:3632"), raced=raced))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "cancelled"}, "whoever wanted it went away"),
        ({"state": "failed", "reason": "no-hosts"}, "it failed: nothing was compiled"),
        ({"status": 256}, "it ended with exit status 1"),
        ({"reason": "of-the-future"}, "because of of-the-future: not known"),
    ],
)
def test_odd_ends_are_told_too(fields, words: str) -> None:
    assert words in told(record(1, 0, [("waiting", 1, "")], **fields))
