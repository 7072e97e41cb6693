"""The status as text."""

from fleetcc.monitor.status import status_text

STATUS = {
    "version": "0.1.0", "pid": 7, "folder": "/f", "uptime_seconds": 12.3, "draining": False,
    "hosts": [
        {"id": "b1:3632", "running": 2, "limit": 4, "left_alone_seconds": 0, "server": "fleetccd 0.1.0",
         "state": "up", "speed": 0.5},
        {"id": "b2:3632", "running": 0, "limit": 2, "left_alone_seconds": 3.0, "server": "",
         "state": "down", "speed": 1.0},
    ],
    "races": {"started": 0, "won": 0, "seconds": 0.0, "of_seconds": 0.0},
    "local": {"processors": 2, "compiling": 1, "preprocessing": 3, "waiting": 4},
    "waiting_for_hosts": 5,
    "jobs": [{"state": "compiling", "seconds": 1.5, "host": "b1/4", "label": "a.c"}],
    "total": 9, "cancelled": 1, "by_reason": {"linking": 2, "remote": 6},
}  # fmt: skip


def test_hosts_show_their_slots_and_why_they_are_left_alone():
    text = status_text(STATUS)

    assert "[##..] 2/4 fleetccd 0.1.0, speed 0.5\n" in text
    assert "[..] 0/2 , down  left alone for 3 s after a failure" in text


def test_races_are_told_when_there_were_any():
    raced = STATUS | {"races": {"started": 3, "won": 2, "seconds": 4.4, "of_seconds": 300.0}}

    assert "races" not in status_text(STATUS)
    assert "races: 3 jobs ran on two hosts, 2 ended sooner for it; 4 s of 300 s of work" in status_text(raced)


def test_the_most_frequent_reason_comes_first():
    lines = status_text(STATUS).splitlines()

    assert lines[-2].split()[:2] == ["6", "remote"]
    assert lines[-1].split()[:2] == ["2", "linking"]


def test_jobs_of_now_say_where_they_are():
    assert "compiling         1.5 s  b1/4                     a.c" in status_text(STATUS)


def test_an_agent_without_hosts_or_jobs_says_so():
    text = status_text(STATUS | {"hosts": [], "jobs": [], "by_reason": {}})

    assert "hosts: no job has named any yet" in text
    assert "jobs: 0 now" in text
