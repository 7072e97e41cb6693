"""Programs that come as files, whatever they do: run where nobody else is, ended whole, and nothing stays."""

import os
import tempfile
from pathlib import Path

import pytest

from fleetcc.wire.files import Directory, Link
from fleetcc.wire.fleet import ErrorCode
from tests.interop.file_jobs import assert_is_served, client, other, program, server
from tests.support.replica_client import WORK, ReplicaClient, open_replica
from tests.support.servers import start_fleetccd, stopping

__all__ = ["client", "other", "program", "server"]  # fixtures


def names_of(done) -> set[bytes]:
    return {left.path for left in done.spoken.files}


def test_a_program_runs_in_the_clients_files(client: ReplicaClient) -> None:
    client.put({b"/work/dir/input": b"bytes", b"/deep/down/here": b"x", b"/link": Link(b"deep/down")})
    for place, listed in ((b"/work/dir", {b"input"}), (b"/link", {b"here"}), (b"/deep", {b"down"})):
        done = client.run(b"list", place)
        assert (done.status, set(done.part("stdout").split())) == (0, listed)


def test_what_it_leaves_comes_back_with_its_mode(client: ReplicaClient) -> None:
    done = client.run(b"write", b"/work/dir/sub.o", b"text", umask=0o077)
    assert [(left.path, left.mode) for left in done.spoken.files] == [(b"/work/dir/sub.o", 0o600)]
    assert done.part("file") == b"text"
    done = client.run(b"write", b"/tmp/out", b"text")
    assert names_of(done) == set()  # nobody wants what is left there


@pytest.mark.parametrize("status", [0, 1, 42])
def test_its_status_is_told(client: ReplicaClient, status: int) -> None:
    assert client.run(b"exit", str(status).encode()).status == status << 8


@pytest.mark.parametrize("number", [6, 9, 11])
def test_its_signal_is_told(client: ReplicaClient, number: int) -> None:
    assert client.run(b"signal", str(number).encode()).status & 0x7F == number


def test_words_arrive_as_they_were(client: ReplicaClient) -> None:
    words = (b"words", b"", b"two words", b"\xff\n\x1b", b"$(id)", b"*", b"-")
    done = client.run(*words)
    told, _, _ = done.part("stdout").partition(b"\0--\n")
    assert told.split(b"\0")[-len(words) + 1 :] == [*words[1:]]


def test_a_changed_input_is_the_jobs_own(client: ReplicaClient, other: ReplicaClient) -> None:
    client.put({b"/work/dir/input": b"as it was"})
    assert client.run(b"write", b"/work/dir/input", b"overwritten").status == 0
    assert client.run(b"mischief").spoken is not None
    done = client.run(b"list", WORK)
    assert done.part("stdout").split() == [b"input"]
    again = client.run(b"write", b"/work/dir/copy", b"x")
    assert names_of(again) == {b"/work/dir/copy"}


def test_one_replica_never_shows_another(client: ReplicaClient, other: ReplicaClient) -> None:
    client.put({b"/secret/of/one": b"secret"})
    assert client.run(b"list", b"/secret/of").part("stdout") == b"one\n"
    assert other.run(b"list", b"/secret/of").part("stdout") == b"opendir ENOENT\n"
    assert b"secret" not in other.run(b"list", b"/").part("stdout")


def test_daemons_end_with_the_job(client: ReplicaClient, other: ReplicaClient) -> None:
    done = client.run(b"daemon")
    assert (done.status, done.part("stdout")) == (0, b"left\n")


def test_a_family_ends_when_it_is_cancelled(client: ReplicaClient, other: ReplicaClient, server) -> None:
    job = client.start(client.job(b"family"))
    client.wait_until_started(job)
    assert_is_served(other)
    client.fleet.cancel(job)
    assert client.end_of(job).code == ErrorCode.CANCELLED
    server.wait_until_idle()
    assert server.running_compilers() == []


def test_a_family_ends_with_its_clients_connection(client: ReplicaClient, other, server) -> None:
    job = client.start(client.job(b"family"))
    client.wait_until_started(job)
    client.close()
    server.wait_until_idle()
    assert server.running_compilers() == []


def test_a_fork_bomb_has_an_end(client: ReplicaClient, other: ReplicaClient) -> None:
    done = client.run(b"bomb")
    count, error = done.part("stdout").split()[-2:]
    # Of root's processes the kernel limits the numbers.
    assert (int(count) < 1024, error) == (True, b"EAGAIN")
    assert_is_served(other)


def test_a_full_disk_is_the_servers_reason(client: ReplicaClient, other: ReplicaClient) -> None:
    refused = client.run(b"fill", b"/work/dir/big", b"100")
    assert refused.code == ErrorCode.LIMITS
    assert "--job-disk" in refused.refusal.text
    assert client.run(b"fill", b"/work/dir/small", b"2").status == 0


def test_memory_has_an_end(client: ReplicaClient, other: ReplicaClient) -> None:
    done = client.run(b"eat", b"4000")
    assert b"ENOMEM" in done.part("stdout")
    assert done.spoken.peak_bytes < 300 << 20
    assert_is_served(other)


def test_no_network_and_nothing_else_that_is_not_a_compilers(client: ReplicaClient) -> None:
    told = dict(line.split(b" ", 1) for line in client.run(b"forbidden").part("stdout").splitlines())
    allowed = {word for word, answer in told.items() if answer == b"ok"}
    # The disk of a job has an end whatever its files may be.
    assert allowed <= {b"kill-1", b"socketpair", b"rlimit"}
    assert {b"socket-inet", b"socket-unix", b"mount", b"unshare-user", b"mknod"} <= told.keys()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"program": b"/bin/nothing"}, ErrorCode.UNFIT),
        ({"program": b"/work/dir"}, ErrorCode.UNFIT),
        ({"program": b"/work/dir/input"}, ErrorCode.UNFIT),
        ({"cwd": b"/nowhere"}, ErrorCode.UNFIT),
        ({"cwd": b"/bin/program"}, ErrorCode.UNFIT),
        ({"program": b"bin/program"}, ErrorCode.REFUSED),
        ({"cwd": b"work"}, ErrorCode.REFUSED),
        ({"argv": (b"a\0b",)}, ErrorCode.REFUSED),
        ({"environment": (b"NOEQUALS",)}, ErrorCode.REFUSED),
        ({"environment": (b"=x",)}, ErrorCode.REFUSED),
        ({"returns": (b"/work/../etc",)}, ErrorCode.REFUSED),
        ({"returns": (b"relative",)}, ErrorCode.REFUSED),
    ],
)
def test_a_job_that_cannot_be_run_is_refused_alone(client: ReplicaClient, changes, code) -> None:
    client.put({b"/work/dir/input": b"no program"})
    refused = client.run(b"exit", b"0", **changes)
    assert refused.code == code, refused
    assert refused.refusal.text
    assert_is_served(client)


def test_its_environment_is_the_clients_alone(client: ReplicaClient, server) -> None:
    os.environ["ONLY_HERE"] = "1"
    try:
        done = client.run(b"words", environment=(b"A=1", b"B=two words"))
    finally:
        del os.environ["ONLY_HERE"]
    assert done.status == 0
    assert b"FLEETCC" not in done.part("stdout")


def test_directories_are_there_and_empty(client: ReplicaClient) -> None:
    client.put({b"/empty/one": Directory()})
    assert client.run(b"list", b"/empty/one").part("stdout") == b""
    assert client.run(b"list", b"/empty").part("stdout") == b"one\n"


def test_two_hundred_thousand_entries_hold_nobody_up(program: Path) -> None:
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no file system in memory; a disk takes minutes for so many directories")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        environment = {"FLEETCCD_PATH": "/nonexistent"}
        server = start_fleetccd(Path(folder), "--ping-interval", "60", environment=environment)
        with (
            stopping(server),
            open_replica(server, program) as client,
            open_replica(server, program) as another,
        ):
            for start in range(0, 200_000, 4000):
                numbers = range(start, start + 4000)
                client.say_update({b"/many/%d/%d" % (number % 97, number): Directory() for number in numbers})
            job = client.start(client.job(b"list", b"/many"))
            assert_is_served(another)
            assert len(client.end_of(job).part("stdout").split()) == 97
            assert "Traceback" not in server.log
