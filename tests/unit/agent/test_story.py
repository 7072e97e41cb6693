"""One job on its way."""

from pathlib import Path

import pytest

from fleetcc.agent.stories import Stories
from fleetcc.agent.story import Story
from fleetcc.backends.link import Spoken
from fleetcc.model import Reason
from fleetcc.monitor.journal import Journal

SPOKEN = Spoken(0, b"", b"", b"object", 0.3, cpu_seconds=0.2, peak_bytes=9, sent=10, received=20)


@pytest.fixture
def stories(tmp_path: Path) -> Stories:
    return Stories(Journal(str(tmp_path)))


@pytest.fixture
def story(stories: Stories) -> Story:
    return stories.begin([b"gcc", b"-c", b"a.c"], b"/w")


def way(story: Story) -> list[tuple[str, str, int]]:
    """States, hosts and slots."""
    return [(state, host, slot) for state, _, host, slot in story.phases]


def test_a_job_that_a_host_does(stories: Stories, story: Story) -> None:
    story.phase("waiting")
    story.goes_to("red:1", "red")
    story.runs_at("red:1")
    story.answered_at("red:1", SPOKEN)
    story.phase("returning")

    assert way(story) == [
        ("planning", "", -1), ("waiting", "", -1), ("uploading", "red:1", 0), ("compiling", "red:1", 0),
        ("returning", "red:1", 0),
    ]  # fmt: skip
    assert (story.host, story.status, story.sent, story.received) == ("red", 0, 10, 20)
    assert stories.lanes.take("red:1") == 1
    story.end("done", Reason.REMOTE)
    assert stories.lanes.take("red:1") == 0


def test_a_job_whose_host_fails_waits_and_its_slot_is_free(stories: Stories, story: Story) -> None:
    story.goes_to("red:1", "red")
    story.leaves("red:1")

    assert way(story)[-1] == ("waiting", "", -1)
    assert stories.lanes.take("red:1") == 0


def test_of_two_hosts_the_one_that_has_answered_counts(stories: Stories, story: Story) -> None:
    stories.lanes.take("red:1")
    story.goes_to("red:1", "red")
    story.runs_at("red:1")
    story.goes_to("blue:1", "blue")
    story.runs_at("red:1")  # which is not where it is shown
    story.answered_at("red:1", SPOKEN)
    story.phase("returning")

    assert way(story)[1:] == [
        ("uploading", "red:1", 1), ("compiling", "red:1", 1), ("uploading", "blue:1", 0),
        ("returning", "red:1", 1),
    ]  # fmt: skip
    assert (story.raced, story.hosts, story.host) == (True, ("red:1", "blue:1"), "red")
    story.end("done", Reason.REMOTE)
    assert [stories.lanes.take(host) for host in ("red:1", "blue:1")] == [1, 0]


def test_of_two_hosts_the_other_goes_on_when_one_fails(story: Story) -> None:
    story.goes_to("red:1", "red")
    story.goes_to("blue:1", "blue")
    story.leaves("blue:1")

    assert way(story)[-1] == ("compiling", "red:1", 0)
    assert story.host == "red"


def test_a_host_that_never_had_it_cannot_lose_it(story: Story) -> None:
    story.goes_to("red:1", "red")
    story.leaves("blue:1")

    assert way(story)[-1] == ("uploading", "red:1", 0)


def test_what_a_host_has_made_does_not_count_when_the_job_is_done_here(story: Story) -> None:
    story.goes_to("red:1", "red")
    story.answered_at("red:1", SPOKEN)
    story.waits_here()
    story.runs_here()
    story.end("done", Reason.COMPILER_SPOKE)

    assert way(story)[-2:] == [("waiting", "localhost", -1), ("compiling", "localhost", 0)]
    assert (story.status, story.run_seconds, story.cpu_seconds, story.peak_bytes) == (-1, 0, 0, 0)
    assert (story.host, story.sent, story.received) == ("local", 10, 20)


def test_who_watches_hears_of_every_move(stories: Stories) -> None:
    class HandWatcher:
        def __init__(self) -> None:
            self.told: list[tuple[int, str]] = []

        def job_moved(self, story: Story) -> None:
            self.told.append((story.number, story.state))

        def host_changed(self, host: str) -> None:
            """Hosts are the fleet's affair."""

    watcher = stories.watcher = HandWatcher()
    story = stories.begin([b"gcc"], b"/")
    story.runs_here()
    story.end("done")

    assert watcher.told == [(1, "planning"), (1, "compiling"), (1, "done")]
