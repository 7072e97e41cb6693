"""All replicas of a process."""

import os
import stat

import pytest

from fleetcc.store.binding import BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import StoreError, StoreFullError
from fleetcc.store.replicas import Replicas
from tests.unit.store.pictures import disk_of, expected, file_of, store, update, work

A, B = file_of(b"a"), file_of(b"b")


@pytest.fixture
def blobs(tmp_path):
    made = BlobStore(str(tmp_path / "state" / "blobs"), 1 << 30)
    store(made, b"a", b"b")
    yield made
    made.close()


@pytest.fixture
def make(tmp_path, blobs):
    made = []

    def build(max_bytes=1 << 30, max_replicas=10):
        made.append(Replicas(str(tmp_path / "state" / "replicas"), blobs, max_bytes, max_replicas))
        return made[-1]

    yield build
    for replicas in made:
        replicas.shut()
    assert os.listdir(tmp_path / "state" / "replicas") == []


def fill(replica, count=1):
    update(replica, {b"/%d" % index: A for index in range(count)})
    work(replica)


def test_a_replica_outlives_its_connection(make):
    replicas = make()
    first = replicas.open(b"secret")
    fill(first)
    replicas.close(first)
    assert replicas.open(b"secret") is first
    assert first.number == 1


def test_what_the_last_connection_did_not_send_is_asked_for(make):
    replicas = make()
    replica = replicas.open(b"secret")
    missing = file_of(b"missing")
    update(replica, {b"/m": missing})
    assert work(replica) == {missing.digest}
    replicas.close(replica)
    assert work(replicas.open(b"secret")) == {missing.digest}


def test_secrets_do_not_share_and_their_names_do_not_tell_them(make, tmp_path):
    replicas = make()
    assert replicas.open(b"one") is not replicas.open(b"two")
    names = os.listdir(tmp_path / "state" / "replicas")
    assert len(names) == 2
    assert all(len(name) == 32 for name in names)
    assert not {"one", "two"} & set(names)


def test_a_second_connection_with_the_same_secret_gets_another_one(make):
    replicas = make()
    first, second = replicas.open(b"secret"), replicas.open(b"secret")
    assert first is not second
    assert first.directory + b".1" == second.directory
    replicas.close(first)
    assert replicas.open(b"secret") is first


def test_so_does_another_process(make):
    first, second = make().open(b"secret"), make().open(b"secret")
    fill(first)
    fill(second, 2)
    assert disk_of(first.current.root) == expected({b"/0": A}, [b"a"])
    assert len(disk_of(second.current.root)) == 2


def test_everything_is_private_but_what_jobs_see(make, tmp_path):
    replica = make().open(b"secret")
    fill(replica)
    private = [tmp_path / "state", tmp_path / "state" / "replicas", replica.directory]
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in private} == {0o700}
    assert stat.S_IMODE(os.stat(replica.current.root).st_mode) == 0o755


def test_the_longest_unused_goes_first_and_whole(make):
    replicas = make(max_bytes=10 * 4096)
    opened = [replicas.open(b"%d" % index) for index in range(4)]
    for replica in opened:
        fill(replica, 3)
        replicas.close(replica)
    job = opened[0].bind(opened[0].id, 1)
    opened[0].release(job)
    replicas.evict()
    assert [os.path.exists(replica.directory) for replica in opened] == [True, False, True, True]
    replicas.evict()
    assert [os.path.exists(replica.directory) for replica in opened] == [True, False, True, True]


def test_one_that_a_job_has_stays(make):
    replicas = make(max_bytes=4096)
    replica = replicas.open(b"secret")
    fill(replica)
    other = replicas.open(b"other")
    fill(other)
    job = replica.bind(replica.id, 1)
    replicas.evict()
    assert job.state is BindingState.READY
    assert replica.number == 1
    assert other.number == 0


def test_one_whose_connection_lasts_is_emptied_and_says_so_by_its_id(make):
    replicas = make(max_bytes=4096)
    replica, other = replicas.open(b"secret"), replicas.open(b"other")
    fill(replica)
    fill(other)
    old = replica.id
    replicas.evict()
    assert replica.id != old
    assert (replica.number, other.number) == (0, 1)
    fill(replica)
    assert disk_of(replica.current.root) == expected({b"/0": A}, [b"a"])


def test_there_are_so_many_and_no_more(make):
    replicas = make(max_replicas=2)
    first, second = replicas.open(b"1"), replicas.open(b"2")
    with pytest.raises(StoreFullError, match="all 2 replicas are in use"):
        replicas.open(b"3")
    with pytest.raises(StoreFullError):
        replicas.open(b"1")
    job = first.bind(first.id, 0)
    replicas.close(first)
    with pytest.raises(StoreFullError):  # a job has it
        replicas.open(b"3")
    first.release(job)
    replicas.open(b"3")
    assert not os.path.exists(first.directory)
    assert os.path.exists(second.directory)


def test_a_blob_goes_to_every_replica_that_waits_for_it(make, blobs):
    replicas = make()
    entry = file_of(b"late")
    jobs = []
    for secret in (b"1", b"2"):
        replica = replicas.open(secret)
        update(replica, {b"/late": entry})
        work(replica)
        jobs.append((replica, replica.bind(replica.id, 1)))
    store(blobs, b"late")
    assert replicas.arrived(entry.digest, 4) == []
    for replica, job in jobs:
        assert replica.write() == [job]


def test_a_directory_that_cannot_be_used_is_told(tmp_path, blobs):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        Replicas(str(tmp_path / "file" / "replicas"), blobs, 1, 1)


def test_replicas_and_those_that_had_to_go_are_counted(make):
    replicas = make(max_bytes=1)
    assert replicas.counts == (0, 0, 0)
    first = replicas.open(b"secret")
    assert replicas.counts.entries == 1
    replicas.close(first)
    other = make(max_replicas=1)
    other.close(other.open(b"red"))
    other.close(other.open(b"blue"))  # red's has to go for it
    assert (other.counts.entries, other.counts.evictions) == (1, 1)
