"""What is told of jobs."""

from fleetcc.agent.stories import RECENT_JOBS, Stories
from fleetcc.model import Reason


def test_a_job_is_running_until_it_ends_and_ends_once():
    stories = Stories()
    story = stories.begin([b"gcc", b"-c", b"a.c"], b"/w")

    assert list(stories.running) == [1]
    story.phase("compiling", "b1")
    story.end("done", Reason.REMOTE)
    story.end("cancelled")

    assert (stories.running, stories.by_reason, stories.by_host) == ({}, {"remote": 1}, {"b1": 1})
    assert stories.cancelled == 0


def test_a_cancelled_job_counts_for_no_reason():
    stories = Stories()
    stories.begin([b"gcc"], b"/").end("cancelled")

    assert (stories.cancelled, stories.by_reason) == (1, {})


def test_only_the_last_jobs_are_kept():
    stories = Stories()
    for _ in range(RECENT_JOBS + 5):
        stories.begin([b"gcc"], b"/").end("done", Reason.LINKING)

    assert len(stories.recent) == RECENT_JOBS
    assert stories.recent[-1].number == stories.total == RECENT_JOBS + 5


def test_a_sentence_says_what_where_and_why():
    stories = Stories()
    here = stories.begin([b"gcc", b"a.c", b"-o", b"a"], b"/w")
    here.end("done", Reason.LINKING, "x")
    there = stories.begin([b"gcc", b"-c", b"b.c"], b"/w")
    there.source = b"b.c"
    there.phase("compiling", "b1/4")
    there.end("done", Reason.REMOTE, "")

    assert here.sentence().startswith("a: here (linking: calls the linker: there is no -c or -S; x), ")
    assert there.sentence().startswith("b.c: on b1/4, ")


def test_the_log_gets_one_line_for_each_job_even_with_bytes_that_are_no_text(tmp_path):
    stories = Stories()
    story = stories.begin([b"gcc", b"-c", b"\xff.c"], b"/w")
    story.end("done", Reason.NO_HOSTS)

    stories.append_to(str(tmp_path / "log"), story)
    stories.append_to(str(tmp_path / "nowhere" / "log"), story)

    (line,) = (tmp_path / "log").read_bytes().splitlines()
    assert b"job 1 \\udcff.c: here (no-hosts: " in line
