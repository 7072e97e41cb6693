"""A job's story as events and as a record."""

from pathlib import Path

import pytest

from fleetcc.agent.stories import Stories
from fleetcc.agent.story import Story
from fleetcc.agent.telling import events_of, picture_of, record_of
from fleetcc.backends.link import Spoken
from fleetcc.model import Reason
from fleetcc.monitor.events import Phase, decode, decode_record, encode
from fleetcc.monitor.journal import Journal

SPOKEN = Spoken(0, b"", b"", b"object", 0.3, cpu_seconds=0.2, peak_bytes=9, sent=10, received=20)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A job that a host has done; each of its states lasted for a second."""
    story = Stories(Journal(str(tmp_path))).begin([b"gcc", b"-c", b"a.c"], b"/w", "mine")
    story.source, story.mode, story.files, story.predicted = b"a.c", "files", 3, 0.5
    story.phase("waiting")
    story.goes_to("red:1", "red/4")
    story.runs_at("red:1")
    story.answered_at("red:1", SPOKEN)
    story.phase("returning")
    story.end("done", Reason.REMOTE, "")
    last(story, 1.0)
    return story


def last(story: Story, *seconds: float) -> None:
    """Each of its states lasts so long; the last figure is for all that follow."""
    now, phases = story.started, []
    for index, (state, _, host, slot) in enumerate(story.phases):
        phases.append((state, now, host, slot))
        now += seconds[min(index, len(seconds) - 1)]
    story.phases, story.ended = phases, now if story.ended is not None else None


def test_all_states_of_a_job_are_told_each_with_what_is_new(story: Story) -> None:
    told = list(events_of(story, 0))

    assert [(event.state, event.host, event.slot) for event in told] == [
        ("planning", "", -1), ("waiting", "", -1), ("uploading", "red:1", 0), ("compiling", "red:1", 0),
        ("returning", "red:1", 0), ("done", "red:1", 0),
    ]  # fmt: skip
    assert [round(event.time - story.began, 3) for event in told] == [0, 1, 2, 3, 4, 5]
    assert (told[0].label, told[0].directory, told[0].build) == ("a.c", "/w", "mine")
    assert (told[3].label, told[3].directory, told[3].reason) == ("", "", "")
    end = told[-1]
    assert (end.reason, end.status, end.seconds, end.mode, end.files) == ("remote", 0, 5.0, "files", 3)
    assert (end.run_seconds, end.cpu_seconds, end.peak_bytes, end.sent, end.received) == (0.3, 0.2, 9, 10, 20)


def test_what_was_told_is_not_told_again(story: Story) -> None:
    assert [event.state for event in events_of(story, 4)] == ["returning", "done"]


def test_a_step_that_takes_no_time_is_no_news(story: Story) -> None:
    last(story, 0.0, 0.0001, 1.0)

    assert [event.state for event in events_of(story, 0)][:3] == ["planning", "uploading", "compiling"]
    assert [phase[0] for phase in record_of(story).phases][:2] == ["uploading", "compiling"]  # type: ignore[index]


def test_an_event_is_read_as_it_was_written_and_holds_no_defaults(story: Story) -> None:
    for event in events_of(story, 0):
        assert decode(encode(event)) == event
    waiting = encode(list(events_of(story, 0))[1])
    assert set(waiting.decode().split(chr(34))[1::2]) == {
        "event",
        "job",
        "time",
        "state",
        "waiting",
        "label",
        "a.c",
    }


def test_a_job_that_runs_is_told_with_all_that_is_known(tmp_path: Path) -> None:
    story = Stories(Journal(str(tmp_path))).begin([b"gcc", b"-c", b"a.c"], b"/w", "mine")
    story.reason, story.detail = Reason.NO_HOSTS, "FLEETCC_HOSTS"
    story.runs_here()
    last(story, 2.0)

    told = picture_of(story)
    assert (told.state, told.host, told.slot, told.label) == ("compiling", "localhost", 0, "a.c")
    assert (told.reason, told.detail, told.build, told.directory) == (
        "no-hosts", "FLEETCC_HOSTS", "mine", "/w",
    )  # fmt: skip
    assert told.time - told.seconds == pytest.approx(story.began)


def test_a_record_has_the_whole_life_and_is_read_as_it_was_written(story: Story) -> None:
    record = decode_record(encode(record_of(story)))

    assert record.phases == (
        Phase("planning", 0.0), Phase("waiting", 1.0), Phase("uploading", 2.0, "red:1"),
        Phase("compiling", 3.0, "red:1"), Phase("returning", 4.0, "red:1"),
    )  # fmt: skip
    assert (record.host, record.slot, record.hosts, record.raced) == ("red:1", 0, ("red:1",), False)
    assert (record.mode, record.files, record.predicted, record.reason) == ("files", 3, 0.5, "remote")
    assert (record.sent, record.received, record.status, record.seconds) == (10, 20, 0, 5.0)
    assert (record.run_seconds, record.cpu_seconds, record.peak_bytes) == (0.3, 0.2, 9)
    assert (record.build, record.started, record.job, record.label) == ("mine", story.began, 1, "a.c")


def test_a_record_tells_how_many_slots_its_host_has(story: Story) -> None:
    assert record_of(story).slots == 0  # nobody knows
    story.stories.slots_of = {"red:1": 4}.__getitem__

    assert decode_record(encode(record_of(story))).slots == 4


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    story = Stories(Journal(str(tmp_path))).begin([b"gcc", b"-c", b"\xff.c"], b"/\xfe", "mine")
    story.end("done", Reason.NO_HOSTS, "\udcff")

    record = decode_record(encode(record_of(story)))
    assert (record.label, record.directory, record.detail) == ("\\udcff.c", "/\\udcfe", "\\udcff")
