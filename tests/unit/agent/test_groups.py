"""Host lists while jobs use them: real files, hosts that are addresses, a clock that the test names."""

import asyncio
import os

import pytest

from fleetcc.agent.groups import FORGET_SECONDS, Groups, host_id, timeouts_of
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.sources import find_host_list
from fleetcc.settings import load_settings


class Bench:
    """Groups, and who was told of a change."""

    def __init__(self, tasks, home):
        self.home = home
        self.changes: list[list[str]] = []
        self.groups = Groups(tasks, lambda group: self.changes.append(names(group)))
        (home / ".config/fleetcc").mkdir(parents=True)

    def settings(self, **variables):
        environment = {"HOME": str(self.home)} | variables
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        return load_settings(encoded, system=str(self.home / "etc"))

    def find(self, **variables):
        settings = self.settings(**variables)
        return self.groups.find(find_host_list(settings), settings)

    def write(self, text):
        """Replace the hosts file, as editors do."""
        new = self.home / "new"
        new.write_text(text)
        new.rename(self.home / ".config/fleetcc/hosts")

    def remove(self):
        (self.home / ".config/fleetcc/hosts").unlink()


def names(group):
    return [member.host.name for member in group.membership.members]


def now():
    return asyncio.get_running_loop().time()


@pytest.fixture
async def bench(tmp_path):
    async with asyncio.TaskGroup() as tasks:
        made = Bench(tasks, tmp_path)
        yield made
        made.groups.close()


@pytest.fixture
async def in_use(bench):
    """A group of a file that jobs wait for."""
    bench.write("10.0.0.1 10.0.0.2")
    group = bench.find()
    group.jobs += 1
    bench.changes.clear()
    return group


async def test_the_same_list_is_one_group_and_is_told_once(bench):
    first = bench.find(FLEETCC_HOSTS="10.0.0.1")
    second = bench.find(FLEETCC_HOSTS="10.0.0.1", FLEETCC_PRIORITY="ci")

    assert first is second
    assert bench.changes == [["10.0.0.1"]]
    assert bench.groups.all() == [first]
    assert first.settings.priority == "ci"


async def test_another_list_variable_or_name_server_is_another_group(bench):
    bench.write("10.0.0.1")
    groups = [
        bench.find(FLEETCC_HOSTS="10.0.0.1"),
        bench.find(FLEETCC_HOSTS="10.0.0.2"),
        bench.find(DISTCC_HOSTS="10.0.0.1"),
        bench.find(FLEETCC_HOSTS="10.0.0.1", FLEETCC_DNS="10.9.9.9"),
        bench.find(),
    ]

    assert len({group.key for group in groups}) == len(groups)
    assert len({id(group) for group in groups}) == len(groups)


async def test_a_file_that_changes_while_jobs_wait_changes_their_hosts(bench, in_use):
    bench.write("10.0.0.2 10.0.0.3/8")

    assert bench.groups.look(now()) == []

    assert names(in_use) == ["10.0.0.2", "10.0.0.3"]
    assert bench.changes == [["10.0.0.2", "10.0.0.3"]]


async def test_a_file_that_has_not_changed_changes_nothing(bench, in_use):
    bench.groups.look(now())

    assert bench.changes == []


async def test_a_file_that_changed_between_jobs_is_seen_by_the_next_job(bench):
    bench.write("10.0.0.1")
    group = bench.find()

    bench.write("10.0.0.9")

    assert bench.find() is group
    assert names(group) == ["10.0.0.9"]


@pytest.mark.parametrize("content", ["10.0.0.1/0", "b\xff\xff", "red,lza"])
async def test_a_list_that_becomes_unreadable_keeps_its_hosts_and_is_mentioned_once(
    bench, in_use, caplog, content
):
    bench.write(content)

    for _ in range(3):
        bench.groups.look(now())

    assert names(in_use) == ["10.0.0.1", "10.0.0.2"]
    assert bench.changes == []
    assert caplog.text.count("are kept for the jobs that wait") == 1
    assert in_use.trouble in caplog.text


async def test_a_list_that_is_repaired_is_followed_again(bench, in_use, caplog):
    for content in ("10.0.0.1/0", "10.0.0.5", "10.0.0.1/0"):
        bench.write(content)
        bench.groups.look(now())

    assert names(in_use) == ["10.0.0.5"]
    assert caplog.text.count("are kept") == 2


async def test_a_file_that_is_removed_leaves_the_jobs_their_hosts(bench, in_use):
    bench.remove()

    bench.groups.look(now())

    assert names(in_use) == ["10.0.0.1", "10.0.0.2"]


async def test_a_list_that_now_stands_elsewhere_leaves_the_jobs_their_hosts(bench, in_use):
    bench.remove()
    (bench.home / ".distcc").mkdir()
    (bench.home / ".distcc/hosts").write_text("10.0.0.7")

    bench.groups.look(now())

    assert names(in_use) == ["10.0.0.1", "10.0.0.2"]
    assert bench.find() is not in_use


async def test_a_list_in_a_variable_is_not_looked_for_in_files(bench):
    group = bench.find(FLEETCC_HOSTS="10.0.0.1")
    group.jobs += 1
    bench.write("10.0.0.2")

    bench.groups.look(now())

    assert names(group) == ["10.0.0.1"]


async def test_a_group_that_nobody_names_any_more_is_forgotten_after_a_while(bench, in_use):
    in_use.jobs -= 1
    used = in_use.last_used = 1000.0  # a round number: sums with it are exact

    assert bench.groups.look(used + FORGET_SECONDS) == []
    assert bench.groups.look(used + FORGET_SECONDS + 1) == [in_use]

    assert bench.groups.all() == []
    assert in_use.task.cancelling()
    assert bench.find() is not in_use


async def test_a_group_with_jobs_is_never_forgotten(bench, in_use):
    later = now() + 100 * FORGET_SECONDS

    assert bench.groups.look(later) == []
    in_use.jobs -= 1
    assert bench.groups.look(later + 1) == []
    assert bench.groups.look(later + FORGET_SECONDS + 1) == [in_use]


async def test_nothing_is_followed_after_the_close(bench, in_use):
    bench.groups.close()

    assert bench.groups.all() == []
    assert in_use.task.cancelling()


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("red", "red:3632"),
        ("red:1234/8,lzo", "red:1234"),
        ("[2001:db8::1]:99", "[2001:db8::1]:99"),
        ("localhost/3", "localhost"),
        ("@red", "@red"),
        ("ann@red/5", "ann@red"),
        ("ann@red:/opt/fleetccd,lzo", "ann@red:/opt/fleetccd"),
    ],
)
def test_a_host_has_one_name_whatever_its_limit_and_options(entry, name):
    (host,) = parse_host_list(entry, "test").hosts

    assert host_id(host) == name


def test_a_conversations_times_are_the_jobs_settings(tmp_path):
    settings = load_settings(
        {b"FLEETCC_IO_TIMEOUT": b"7", b"FLEETCC_CONNECT_TIMEOUT": b"2", b"FLEETCC_SSH": b"ssh -q"},
        system=str(tmp_path),
    )

    timeouts = timeouts_of(settings)

    assert (timeouts.io_seconds, timeouts.connect_seconds, timeouts.ssh) == (7.0, 2.0, ("ssh", "-q"))
