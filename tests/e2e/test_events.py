"""What is told of real builds: to those who watch, and in the journal."""

import contextlib
import os
import queue
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from fleetcc.agent.client import connect_events, flush_journal, watch_agent
from fleetcc.errors import ExitCode
from fleetcc.monitor.events import ENDED, Event, Hello, Host, Job, Local, Record, decode
from fleetcc.monitor.journal import read_journal
from tests.support.fleet import (
    Client,
    client,
    eventually,
    installed,
    objects_made_by,
    wait_for_end,
    write_project,
)
from tests.support.one_compile import COMMAND, user
from tests.support.servers import start_fleetccd, stopping
from tests.support.stock_distccd import stock_distccd

__all__ = ["client", "installed", "user"]  # fixtures

PATIENCE_SECONDS = 20.0


class Watch:
    """All events of a client's agent, read in a thread."""

    def __init__(self, client: Client) -> None:
        self.told: list[Event] = []
        self._news: queue.Queue[Event | None] = queue.Queue()
        self._lines = watch_agent(str(client.folder))
        first = decode(next(self._lines))
        assert isinstance(first, Hello)
        self.hello = first
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._lines:
            self._news.put(decode(line))
        self._news.put(None)

    def until(self, is_it: Callable[[Event], bool]) -> list[Event]:
        """All events up to the one that is it."""
        while True:
            event = self._news.get(timeout=PATIENCE_SECONDS)
            assert event is not None, "the stream has ended"
            self.told.append(event)
            if is_it(event):
                return self.told

    def ended(self, count: int) -> list[Event]:
        """All events until so many jobs have ended."""
        left = iter(range(1, count + 1))
        return self.until(
            lambda event: isinstance(event, Job) and event.state in ENDED and next(left) == count
        )

    def to_the_end(self) -> None:
        """Until the agent has closed."""
        while self._news.get(timeout=PATIENCE_SECONDS) is not None:
            pass
        self._thread.join(PATIENCE_SECONDS)


@contextmanager
def watching(client: Client) -> Iterator[Watch]:
    """The agent is started for that; it is stopped at the end, which ends the stream."""
    assert client.plain(client.launcher, "agent", "start").status == 0
    watch = Watch(client)
    try:
        yield watch
    finally:
        pid = client.agent_pid
        client.plain(client.launcher, "agent", "stop")
        assert pid is None or wait_for_end(pid)
        watch.to_the_end()


def journal(client: Client) -> list[Record]:
    """As it is once all of it is written."""
    flush_journal(str(client.folder))
    return list(read_journal(str(client.folder)))


def states_of(told: list[Event], number: int) -> list[str]:
    """Without the steps that may be too short to be told."""
    short = {"planning", "scanning", "waiting", "returning"}
    return [
        event.state
        for event in told
        if isinstance(event, Job) and event.job == number and event.state not in short
    ]


def test_a_build_is_told_job_by_job_and_is_in_the_journal(client: Client, tmp_path: Path) -> None:
    objects = write_project(client, 12)
    server = start_fleetccd(tmp_path / "server", "--jobs", "2")
    with stopping(server), watching(client) as watch:
        client.environment |= {"FLEETCC_HOSTS": f"127.0.0.1:{server.port}", "FLEETCC_BUILD": "mine"}
        objects_made_by(client, "make", "-s", "-j4", "CC=fleetcc gcc -O1", objects=objects)
        told = watch.ended(12)
        records = journal(client)

    host = f"127.0.0.1:{server.port}"
    ends = [event for event in told if isinstance(event, Job) and event.state == "done"]
    assert len(ends) == len(records) == 12
    for end in ends:
        assert states_of(told, end.job) == ["uploading", "compiling", "done"]
        assert (end.host, end.mode, end.reason, end.status) == (host, "files", "remote", 0)
        assert end.run_seconds > 0
        assert end.peak_bytes > 1 << 20
        assert min(end.sent, end.received, end.files) > 0
        assert 0 <= end.slot < 4
    assert {record.build for record in records} == {"mine"}
    assert {record.slots for record in records} == {2}
    assert {(record.host, record.state, record.hosts) for record in records} == {(host, "done", (host,))}
    hosts = [event for event in told if isinstance(event, Host)]
    assert (hosts[-1].state, hosts[-1].slots, hosts[-1].takes_files) == ("up", 2, True)


def test_slots_are_lanes_in_which_no_two_jobs_are_at_once(client: Client, tmp_path: Path) -> None:
    objects = write_project(client, 16)
    with stock_distccd(3) as stock, watching(client):
        client.environment["FLEETCC_HOSTS"] = f"{stock}/3,lzo"
        objects_made_by(client, "make", "-s", "-j6", "CC=fleetcc gcc -O1", objects=objects)
        records = journal(client)

    spans: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        begin = next(phase.after for phase in record.phases if phase.host)
        spans.setdefault(record.slot, []).append((record.started + begin, record.started + record.seconds))
    assert set(spans) >= {0, 1}
    for lane in spans.values():
        lane.sort()
        for (_, end), (begin, _) in pairwise(lane):
            assert begin >= end - 0.001  # both are rounded
    assert {record.mode for record in records} == {"text"}
    assert min(record.sent for record in records) > 0


def test_a_job_that_runs_here_says_why_and_has_a_lane_of_this_machine(user: Client) -> None:
    with watching(user) as watch:
        assert user.run(*COMMAND).status == 0
        told = watch.ended(1)
        (record,) = journal(user)

    end = told[-1]
    assert isinstance(end, Job)
    assert (end.host, end.slot, end.status, end.reason) == ("localhost", 0, -1, "no-hosts")
    assert states_of(told, 1) == ["compiling", "done"]
    assert (record.host, record.slot, record.label, record.directory) == (
        "localhost", 0, "a.c", str(user.work),
    )  # fmt: skip


def test_jobs_belong_to_the_build_that_their_environment_names(user: Client) -> None:
    for name in ("one", "two"):
        assert user.run(*COMMAND, env={"FLEETCC_BUILD": name}).status == 0
    assert [record.build for record in journal(user)] == ["one", "two"]


def test_a_viewer_does_not_keep_the_agent_and_its_end_ends_the_stream(user: Client) -> None:
    user.environment["FLEETCC_IDLE_EXIT"] = "1"
    assert user.plain(user.launcher, "agent", "start").status == 0
    with closing(watch_agent(str(user.folder))) as lines:
        first, *rest = [decode(line) for line in lines]

    assert isinstance(first, Hello)
    assert all(isinstance(event, Local) for event in rest)
    assert wait_for_end(first.pid)


def test_viewers_that_vanish_or_never_read_do_not_hold_up_the_agent(user: Client) -> None:
    with watching(user) as watch:
        pid = user.agent_pid
        assert pid is not None
        deaf = [connect_events(str(user.folder)) for _ in range(3)]
        held = _sockets(pid)
        gone = connect_events(str(user.folder))
        assert gone is not None
        gone.close()
        assert user.run(*COMMAND).status == 0
        watch.ended(1)
        eventually(lambda: _sockets(pid) <= held)
    for each in deaf:
        assert each is not None
        with each:
            each.settimeout(PATIENCE_SECONDS)
            while each.recv(1 << 16):
                pass


def _sockets(pid: int) -> int:
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sum(link.startswith("socket:") for link in links)


def test_who_sends_something_into_the_stream_is_no_viewer_any_more(user: Client) -> None:
    with watching(user):
        connection = connect_events(str(user.folder))
        assert connection is not None
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1 << 16):
                    pass
        assert user.run(*COMMAND).status == 0


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_verb_shows_events_until_the_agent_leaves(user: Client, option: list[str]) -> None:
    assert user.plain(user.launcher, "agent", "start").status == 0
    with user.popen(user.launcher, "events", *option) as viewer:
        assert viewer.stdout is not None
        first = viewer.stdout.readline()
        assert user.run(*COMMAND).status == 0
        user.plain(user.launcher, "agent", "stop")
        rest, complaints = viewer.communicate(timeout=PATIENCE_SECONDS)
    assert (viewer.returncode, complaints) == (0, b"")
    if option:
        assert isinstance(decode(first), Hello)
        states = Counter(event.state for line in rest.splitlines() if isinstance(event := decode(line), Job))
        assert states["done"] == 1
    else:
        assert b"0 jobs now, 0 so far" in first
        assert b"job 1 done on localhost#0 after" in rest


def test_the_verb_without_an_agent_says_how_to_get_one(user: Client) -> None:
    result = user.plain(user.launcher, "events")

    assert result.status == ExitCode.GENERAL
    assert result.stderr.startswith(b"fleetcc: no agent serves ")


def test_the_verb_ends_quietly_at_ctrl_c(user: Client) -> None:
    assert user.plain(user.launcher, "agent", "start").status == 0
    with user.popen(user.launcher, "events") as viewer:
        assert viewer.stdout is not None
        viewer.stdout.readline()
        viewer.send_signal(signal.SIGINT)
        _, complaints = viewer.communicate(timeout=PATIENCE_SECONDS)
    assert (viewer.returncode, complaints) == (0, b"")
