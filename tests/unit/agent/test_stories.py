"""What is told of jobs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetcc.agent.stories import BUILD_PAUSE_SECONDS, RECENT_JOBS, Stories
from fleetcc.model import Reason
from fleetcc.monitor.journal import Journal, read_journal


def stories_in(directory: Path) -> Stories:
    return Stories(Journal(str(directory)))


def test_a_job_is_running_until_it_ends_and_ends_once(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    story = stories.begin([b"gcc", b"-c", b"a.c"], b"/w")

    assert list(stories.running) == [1]
    story.goes_to("b1", "b1")
    story.end("done", Reason.REMOTE)
    story.end("cancelled")

    assert (stories.running, stories.by_reason, stories.by_host) == ({}, {"remote": 1}, {"b1": 1})
    assert stories.cancelled == 0


def test_a_cancelled_job_counts_for_no_reason(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    stories.begin([b"gcc"], b"/").end("cancelled")

    assert (stories.cancelled, stories.by_reason) == (1, {})


def test_only_the_last_jobs_are_kept(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    for _ in range(RECENT_JOBS + 5):
        stories.begin([b"gcc"], b"/").end("done", Reason.LINKING)

    assert len(stories.recent) == RECENT_JOBS
    assert stories.recent[-1].number == stories.total == RECENT_JOBS + 5


def test_a_sentence_says_what_where_and_why(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    here = stories.begin([b"gcc", b"a.c", b"-o", b"a"], b"/w")
    here.end("done", Reason.LINKING, "x")
    there = stories.begin([b"gcc", b"-c", b"b.c"], b"/w")
    there.source = b"b.c"
    there.goes_to("b1:3632", "b1/4")
    there.end("done", Reason.REMOTE, "")

    assert here.sentence().startswith("a: here (linking: calls the linker: there is no -c or -S; x), ")
    assert there.sentence().startswith("b.c: on b1/4, ")


def test_the_log_gets_one_line_for_each_job_even_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    story = stories.begin([b"gcc", b"-c", b"\xff.c"], b"/w")
    story.end("done", Reason.NO_HOSTS)

    stories.append_to(str(tmp_path / "log"), story)
    stories.append_to(str(tmp_path / "nowhere" / "log"), story)

    (line,) = (tmp_path / "log").read_bytes().splitlines()
    assert b"job 1 \\udcff.c: here (no-hosts: " in line


def test_a_log_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    story = stories.begin([b"gcc", b"-c", b"a.c"], b"/w")
    story.end("done", Reason.NO_HOSTS)
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    stories.append_to(str(fifo), story)  # would wait for a reader for ever

    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    stories.append_to(str(fifo), story)
    line = os.read(reading, 1000)
    os.close(reading)
    assert line.count(b"job 1 a.c: here (no-hosts: ") == 1


def test_every_job_that_has_ended_is_in_the_journal_once(tmp_path: Path) -> None:
    stories = stories_in(tmp_path)
    for state in ("done", "cancelled", "failed"):
        story = stories.begin([b"gcc", b"-c", b"a.c"], b"/w")
        story.end(state)
        story.end("done")
    stories.journal.flush()

    found = list(read_journal(str(tmp_path)))
    assert [(each.job, each.state) for each in found] == [(1, "done"), (2, "cancelled"), (3, "failed")]
    assert {each.agent for each in found} == {stories.agent}


@pytest.fixture
def pass_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = time.monotonic()

    def go_on(seconds: float) -> None:
        nonlocal now
        now += seconds
        monkeypatch.setattr(time, "monotonic", lambda: now)

    go_on(0)
    return go_on


def test_jobs_after_a_pause_without_any_belong_to_another_build(
    tmp_path: Path, pass_seconds: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(("first", "second", "third"))
    monkeypatch.setattr(time, "strftime", lambda _: next(names))
    stories = stories_in(tmp_path)
    long = stories.begin([b"gcc"], b"/")
    pass_seconds(2 * BUILD_PAUSE_SECONDS)  # a job is there all the time
    same = stories.begin([b"gcc"], b"/")
    long.end("done")
    same.end("done")
    pass_seconds(BUILD_PAUSE_SECONDS)
    soon = stories.begin([b"gcc"], b"/")
    soon.end("done")
    pass_seconds(BUILD_PAUSE_SECONDS + 1)
    late = stories.begin([b"gcc"], b"/")

    assert long.build == same.build == soon.build == f"first-{stories.agent[:4]}"
    assert late.build == f"second-{stories.agent[:4]}"


def test_a_job_whose_environment_names_a_build_belongs_to_that(tmp_path: Path) -> None:
    assert stories_in(tmp_path).begin([b"gcc"], b"/", "mine").build == "mine"
