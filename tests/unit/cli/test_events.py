"""Events as lines for people."""

import time

import pytest

from fleetcc.cli.events import Lines
from fleetcc.monitor.events import Event, Hello, Host, Job, Local, Lost, encode


@pytest.fixture(autouse=True)
def in_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", time.gmtime)


def shown(*events: Event) -> list[str]:
    lines = Lines()
    return [lines.of(encode(event)) for event in events]


def test_a_job_keeps_its_name_until_it_has_ended() -> None:
    assert shown(
        Job(job=3, time=1.25, state="planning", label="a.c"),
        Job(job=3, time=2.0, state="compiling", host="red:1", slot=0),
        Job(job=3, time=3.5, state="done", host="red:1", slot=0, reason="remote", seconds=2.25),
        Job(job=3, time=4.0, state="cancelled"),
    ) == [
        "00:00:01.250  job 3 planning: a.c\n",
        "00:00:02.000  job 3 compiling on red:1#0: a.c\n",
        "00:00:03.500  job 3 done on red:1#0 after 2.250 s (remote): a.c\n",
        "00:00:04.000  job 3 cancelled after 0.000 s: \n",
    ]


def test_the_first_line_names_the_jobs_that_are_there() -> None:
    local = Local(time=0.0)
    hello = Hello(
        source="agent", program="fleetcc 9", pid=7, time=0.0, local=local, total=5,
        jobs=(Job(job=3, time=0.0, state="waiting", label="a.c"),),
    )  # fmt: skip
    assert shown(hello, Job(job=3, time=1.0, state="uploading", host="red:1", slot=2)) == [
        "00:00:00.000  fleetcc 9, pid 7: 0 hosts, 1 jobs now, 5 so far\n",
        "00:00:01.000  job 3 uploading on red:1#2: a.c\n",
    ]


def test_hosts_and_this_machine() -> None:
    assert shown(
        Host(host="red:1", time=0.0, state="up", server="fleetccd 9", slots=8, speed=1.5),
        Host(host="red:1", time=0.0, state="down", why="gone", pause=0.25),
        Local(time=0.0, slots=4, running=2, waiting=1, load=0.5),
        Lost(count=7),
    ) == [
        "00:00:00.000  host red:1: up, 8 slots, speed 1.5, fleetccd 9\n",
        "00:00:00.000  host red:1: down, left alone for 0.2 s: gone\n",
        "00:00:00.000  here: 2 of 4 slots in use, 1 jobs wait, load 0.5\n",
        "(7 events were lost: this reader is too slow)\n",
    ]


def test_what_a_server_calls_itself_does_nothing_to_the_terminal() -> None:
    (line,) = shown(Host(host="red:1", time=0.0, state="up", server="\x1b[2Jfleetccd\n9", slots=1))

    assert line.endswith(", \\x1b[2Jfleetccd\\n9\n")


def test_an_event_of_a_later_version_is_passed_over() -> None:
    assert Lines().of(b'{"event":"weather","time":1}\n') == ""
