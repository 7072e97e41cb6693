"""Clients that lie about their files, or vanish: their connection ends with a clear error, others go on."""

import os
import struct
from hashlib import sha256
from pathlib import Path

import pytest

from fleetcc.wire.files import Contents, Directory, Entry, File, FileJob, Gone, Link, Update
from fleetcc.wire.fleet import HEADER, Blob, ErrorCode, encode
from tests.interop.file_jobs import assert_is_served, client, other, program, server
from tests.support.fleet_client import connect
from tests.support.replica_client import PROGRAM, WORK, ReplicaClient, file, open_replica

__all__ = ["client", "other", "program", "server"]  # fixtures

NO_REPLICA = bytes(16)


@pytest.fixture(autouse=True)
def others_are_served_all_the_while(other: ReplicaClient) -> None:
    """See `other`."""


def assert_broken(client: ReplicaClient, word: str) -> None:
    """The server tells why and closes."""
    client.fleet.wait_closed()
    fatal = client.fleet.fatal
    assert fatal.code == ErrorCode.BAD_FRAME
    assert word in fatal.text


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (b"/work/../etc/passwd", "path"),
        (b"/..", "path"),
        (b"/a/./b", "path"),
        (b"relative", "path"),
        (b"/a//b", "path"),
        (b"/a/", "path"),
        (b"/nul\0", "path"),
        (b"/" + b"n" * 256, "path"),
        (b"/" + b"/".join([b"d" * 200] * 21), "length"),
        (b"/", "path"),
    ],
    ids=range(10),
)
def test_a_path_that_is_none_breaks_the_protocol(client: ReplicaClient, path: bytes, word: str) -> None:
    client.fleet.send(raw_update(client, {path: file(b"x")}))
    assert_broken(client, word)


def raw_update(client: ReplicaClient, puts: dict[bytes, Entry]) -> bytes:
    """The next update, whatever is in it."""
    return encode(0, Update(client.replica, client.number + 1, puts))


@pytest.mark.parametrize("step", [-1, 0, 2, 1000])
def test_updates_without_gaps(client: ReplicaClient, step: int) -> None:
    client.fleet.say(Update(client.replica, client.number + step, {b"/a": Directory()}))
    assert_broken(client, "after update")


def test_an_update_of_a_replica_that_is_nobodys(client: ReplicaClient) -> None:
    client.fleet.say(Update(NO_REPLICA, 1, {b"/a": Directory()}))
    assert_broken(client, "replica")


def test_another_clients_replica_is_out_of_reach(client: ReplicaClient, server, program: Path) -> None:
    with open_replica(server, program) as thief:
        thief.fleet.demand(1)
        thief.fleet.wait_for_grants()
        thief.fleet.run_files(thief.job(b"list", b"/", replica=client.replica))
        assert_broken(thief, "replica")
    assert_is_served(client)


def test_a_second_connection_with_a_secret_gets_a_replica_of_its_own(server, program: Path) -> None:
    secret = os.urandom(16)
    with open_replica(server, program, secret) as one, open_replica(server, program, secret) as two:
        assert one.replica != two.replica
        one.put({b"/work/dir/mine": b"x"})
        assert one.run(b"list", WORK).part("stdout") == b"mine\n"
        assert two.run(b"list", WORK).part("stdout") == b""


def test_a_job_before_its_update(client: ReplicaClient) -> None:
    client.fleet.demand(1)
    client.fleet.wait_for_grants()
    client.fleet.run_files(client.job(b"exit", b"0", update=client.number + 1))
    assert_broken(client, "update")


def test_a_job_of_files_without_a_secret(server) -> None:
    with connect(server.connect()) as client:
        client.demand(1)
        client.wait_for_grants()
        job = FileJob(NO_REPLICA, 0, PROGRAM, (b"x",), (), WORK, 0o022, (WORK,))
        assert client.wait_for(client.run_files(job)).code == ErrorCode.UNSUPPORTED
        client.say(Update(NO_REPLICA, 1))
        client.wait_closed()
        assert "replica" in client.fatal.text


def ask_for(client: ReplicaClient, *contents: bytes) -> int:
    """A job that needs these, until the server has asked for them."""
    client.put({b"/work/dir/" + sha256(one).hexdigest().encode(): one for one in contents})
    job = client.start(client.job(b"exit", b"0"))
    wanted = {sha256(one).digest() for one in contents}

    def are_asked_for() -> bool:
        for digest in client.fleet.missing.keys() - wanted:
            client.fleet.contents(client.known[digest])
        return wanted <= client.fleet.missing.keys()

    client.fleet.wait_until(are_asked_for)
    return job


def test_a_blob_with_another_digest(client: ReplicaClient) -> None:
    content = os.urandom(100)
    ask_for(client, content)
    client.fleet.say(Contents(((sha256(content).digest(), 100),), 100))
    client.fleet.blobs(0, bytes(100))
    assert_broken(client, "digest")


def test_a_big_blob_with_another_digest(client: ReplicaClient) -> None:
    content = os.urandom(3 << 20)
    ask_for(client, content)
    client.fleet.say(Contents(((sha256(content).digest(), len(content)),), len(content)))
    client.fleet.blobs(0, bytes([content[0] ^ 1]) + content[1:])
    assert_broken(client, "bytes that are not")


@pytest.mark.parametrize("size", [99, 101, 0, 1 << 30])
def test_a_blob_of_another_size(client: ReplicaClient, size: int) -> None:
    content = os.urandom(100)
    ask_for(client, content)
    sent = content[:size].ljust(min(size, 200), b"x")
    client.fleet.say(Contents(((sha256(content).digest(), size),), len(sent)))
    client.fleet.blobs(0, sent)
    client.fleet.wait_closed()
    assert client.fleet.fatal.code == ErrorCode.BAD_FRAME


def test_contents_that_nobody_asked_for(client: ReplicaClient) -> None:
    content = os.urandom(100)
    client.fleet.say(Contents(((sha256(content).digest(), 100),), 100))
    client.fleet.blobs(0, content)
    assert_broken(client, "not asked for")


def test_what_is_gone_and_nobody_asked_for(client: ReplicaClient) -> None:
    client.fleet.say(Gone((bytes(32),)))
    assert_broken(client, "not asked for")


def test_a_blob_that_belongs_to_nothing(client: ReplicaClient) -> None:
    client.fleet.say(Blob(b"x"))
    assert_broken(client, "Blob")


def test_contents_that_are_not_zstd(client: ReplicaClient) -> None:
    content = os.urandom(100)
    ask_for(client, content)
    client.fleet.say(Contents(((sha256(content).digest(), 100),), 50, "zstd"))
    client.fleet.blobs(0, os.urandom(50))
    client.fleet.wait_closed()
    assert client.fleet.fatal.code == ErrorCode.BAD_FRAME


def test_what_is_gone_fails_the_jobs_that_need_it_alone(client: ReplicaClient) -> None:
    content = os.urandom(100)
    job = ask_for(client, content)
    client.fleet.gone(sha256(content).digest())
    assert client.end_of(job).code == ErrorCode.CHANGED
    assert_is_served(client)


def test_a_client_that_vanishes_in_the_middle_of_an_upload(client: ReplicaClient, server) -> None:
    content = os.urandom(4 << 20)
    ask_for(client, content)
    client.fleet.say(Contents(((sha256(content).digest(), len(content)),), len(content)))
    client.fleet.blobs(0, content[: 1 << 20])
    client.fleet.barrier()
    client.close()
    server.wait_until_idle()
    # Nothing of it was kept under its name.
    blobs = server.state_dir / "blobs"
    assert [path for path in blobs.rglob("*") if sha256(content).hexdigest()[2:] in path.name] == []


def test_a_client_that_stalls_in_the_middle_of_an_upload(client: ReplicaClient) -> None:
    content = os.urandom(1000)
    ask_for(client, content)
    client.fleet.say(Contents(((sha256(content).digest(), 1000),), 1000))
    client.fleet.blobs(0, content[:10])
    client.fleet.wait_closed()
    assert client.fleet.fatal.code == ErrorCode.TIMED_OUT


LINKS_OUT = {
    b"/etc": b"/work",
    b"/up": b"../../../../../..",
    b"/proc-root": b"/proc/1/root",
    b"/absolute": b"/root",
}


@pytest.mark.parametrize("name", LINKS_OUT)
def test_a_link_out_of_the_replica_leads_nowhere_else(client: ReplicaClient, name: bytes) -> None:
    client.put({name: Link(LINKS_OUT[name])})
    done = client.run(b"list", name)
    assert b"home" not in done.part("stdout").split()
    # A file below a link: no honest client has one, and nothing is written behind it.
    client.put({name + b"/fleetcc-test-file": b"written"})
    assert_broken(client, "")
    assert not os.path.lexists(os.path.join(LINKS_OUT[name], b"fleetcc-test-file"))


def test_the_names_of_devices_and_of_the_kernel_are_not_the_clients(client: ReplicaClient) -> None:
    client.put({b"/dev/null": b"mine", b"/dev/sda": b"mine", b"/proc/version": b"mine", b"/sys/x": b"mine"})
    devices = client.run(b"list", b"/dev").part("stdout").split()
    assert {b"null", b"zero"} <= set(devices)
    assert client.run(b"devices").status == 0
    assert_is_served(client)


def test_an_update_with_an_entry_of_no_kind(client: ReplicaClient) -> None:
    body = bytearray(raw_update(client, {b"/a": Link(b"target")})[HEADER.size :])
    at = bytes(body).index(b"\xa1l")
    body[at + 1 : at + 2] = b"z"
    client.fleet.send(struct.pack(">IBI", len(body), 16, 0) + bytes(body))
    assert_broken(client, "Update")


def test_a_file_of_a_size_that_no_file_has(client: ReplicaClient) -> None:
    client.fleet.say(Update(client.replica, client.number + 1, {b"/a": File(bytes(32), 1 << 40, 0)}))
    assert_broken(client, "Update")
