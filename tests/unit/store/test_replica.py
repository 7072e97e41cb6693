"""The replica of one agent, on a real disk."""

import errno
import os

import pytest

from fleetcc.store.binding import BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import BadUpdateError, ReplicaFullError, ReplicaGoneError
from fleetcc.store.replica import Replica
from fleetcc.wire.files import File, Link, Update
from tests.unit.store.pictures import BIG, digest_of, disk_of, expected, file_of, store, update, work

A, B = file_of(b"a"), file_of(b"b")
CONTENTS = (b"a", b"b", BIG)
WAITING, READY, CHANGED, BROKEN = BindingState


@pytest.fixture
def blobs(tmp_path):
    made = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    yield made
    made.close()


@pytest.fixture
def replica(tmp_path, blobs):
    os.mkdir(tmp_path / "replica", 0o700)
    return Replica(os.fsencode(tmp_path / "replica"), blobs, 1 << 30)


def bind(replica, number=None):
    return replica.bind(replica.id, replica.number if number is None else number)


def is_as(tree, entries):
    return disk_of(tree.root) == expected(entries, CONTENTS)


def test_a_job_without_updates_gets_an_empty_tree(replica):
    assert not replica.has_work
    job = bind(replica)
    assert job.state is WAITING
    assert replica.write() == [job]
    assert job.state is READY
    assert is_as(job.tree, {})


def test_an_update_of_another_replica_is_told_so(replica):
    with pytest.raises(ReplicaGoneError, match=replica.id.hex()):
        replica.accept(Update(b"x" * 16, 1))
    with pytest.raises(ReplicaGoneError):
        replica.bind(b"x" * 16, 0)


@pytest.mark.parametrize("number", [0, 2, 7])
def test_updates_come_one_by_one(replica, number):
    with pytest.raises(BadUpdateError, match=f"update {number} where 1 was expected"):
        replica.accept(Update(replica.id, number))
    update(replica)
    with pytest.raises(BadUpdateError, match="a job needs update 2; the last one was 1"):
        bind(replica, 2)


def test_a_bad_update_changes_nothing(replica):
    with pytest.raises(BadUpdateError):
        update(replica, {b"/a": A, b"/x/../y": B})
    assert replica.number == 0
    assert not replica.has_work


def test_a_replica_has_no_more_bytes_than_it_may(tmp_path, blobs):
    replica = Replica(os.fsencode(tmp_path), blobs, 8192)
    update(replica, {b"/a": A, b"/b": B})
    with pytest.raises(ReplicaFullError, match="12288 bytes"):
        update(replica, {b"/c": A})


def test_a_job_starts_when_its_blobs_have_come(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A, b"/b": B})
    job = bind(replica)
    assert replica.look_up() == (B.digest,)
    assert replica.write() == []
    assert not replica.has_work
    assert is_as(job.tree, {b"/a": A})
    store(blobs, b"b")
    assert replica.arrived(B.digest, 1) == []
    assert replica.write() == [job]
    assert is_as(job.tree, {b"/a": A, b"/b": B})


def test_a_job_does_not_wait_for_updates_that_it_does_not_need(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    update(replica, {b"/b": B})
    job = bind(replica, 1)
    replica.write()
    assert job.state is READY


def test_a_change_that_came_before_the_job_is_made_before_it_runs(replica, blobs):
    store(blobs, b"a", b"b")
    update(replica, {b"/a": A})
    work(replica)
    update(replica, {b"/a": B})
    job = bind(replica, 1)
    assert job.state is WAITING
    replica.write()
    assert job.state is READY
    assert is_as(job.tree, {b"/a": B})


def test_what_was_removed_before_the_job_is_not_seen_though_something_else_is_to_come_there(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    work(replica)
    update(replica, removes=(b"/a",))
    update(replica, {b"/a": B})
    job = bind(replica, 2)
    assert job.state is WAITING
    work(replica)
    assert is_as(job.tree, {})


def test_additions_go_into_the_tree_that_jobs_have(replica, blobs):
    store(blobs, b"a", b"b")
    update(replica, {b"/a": A})
    job = bind(replica)
    update(replica, {b"/b": B})
    work(replica)
    assert replica.current is job.tree
    assert is_as(job.tree, {b"/a": A, b"/b": B})


@pytest.mark.parametrize(
    ("puts", "removes", "fork", "after"),
    [
        ({b"/d/a": B}, (), False, {b"/d/a": B}),
        ({}, (b"/d",), False, {}),
        ({b"/d": Link(b"x")}, (), False, {b"/d": Link(b"x")}),
        ({b"/new": B}, (), True, {b"/d/a": A, b"/new": B}),
    ],
)
def test_changes_make_another_tree_while_a_job_has_the_old_one(replica, blobs, puts, removes, fork, after):
    store(blobs, b"a", b"b")
    update(replica, {b"/d/a": A, b"/h": file_of(BIG)})
    store(blobs, BIG)
    work(replica)
    job = bind(replica)
    before = disk_of(job.tree.root)
    update(replica, puts, removes, fork=fork)
    later = bind(replica)
    work(replica)
    assert later.tree is not job.tree
    assert disk_of(job.tree.root) == before
    assert later.state is READY
    assert {path: what for path, what in disk_of(later.tree.root).items() if path in after} == expected(
        after, CONTENTS
    )
    replica.release(job)
    work(replica)
    assert not os.path.exists(job.tree.root)
    assert os.path.exists(later.tree.root)


def test_an_update_that_changes_nothing_forks_nothing(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    job = bind(replica)
    update(replica, {b"/a": A}, (b"/absent",), fork=True)
    assert replica.current is job.tree
    assert replica.number == 2


def test_other_times_fork_nothing(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    job = bind(replica)
    work(replica)
    update(replica, {b"/a": file_of(b"a", 5)})
    work(replica)
    assert replica.current is job.tree
    assert is_as(job.tree, {b"/a": file_of(b"a", 5)})


def test_a_blob_goes_to_the_old_tree_and_the_new_one(replica, blobs):
    update(replica, {b"/a": A, b"/b": B})
    old = bind(replica)
    assert work(replica) == {A.digest, B.digest}
    update(replica, removes=(b"/b",))
    new = bind(replica)
    assert work(replica) == set()
    store(blobs, b"a")
    replica.arrived(A.digest, 1)
    assert replica.write() == [new]
    store(blobs, b"b")
    replica.arrived(B.digest, 1)
    assert replica.write() == [old]
    assert is_as(old.tree, {b"/a": A, b"/b": B})
    assert is_as(new.tree, {b"/a": A})


def test_a_fork_of_a_fork_that_was_never_written_is_linked_from_the_first(replica, blobs):
    store(blobs, b"a", b"b")
    update(replica, {b"/a": A})
    work(replica)
    first = bind(replica)
    update(replica, {b"/b": B}, fork=True)
    second = bind(replica)
    update(replica, removes=(b"/b",))
    replica.release(first)
    replica.release(second)
    third = bind(replica)
    inode = os.stat(first.tree.root + b"/a").st_ino
    work(replica)
    assert third.state is READY
    assert os.stat(third.tree.root + b"/a").st_ino == inode
    assert os.listdir(replica.directory) == [os.path.basename(third.tree.root)]


def test_jobs_that_wait_for_what_is_gone_will_not_run(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    update(replica, {b"/b": B})
    update(replica, {b"/c": A})
    work(replica)
    unconcerned, concerned, later = bind(replica, 1), bind(replica, 2), bind(replica, 3)
    assert replica.gone([B.digest, digest_of(b"unknown")]) == [concerned, later]
    assert (unconcerned.state, concerned.state, later.state) == (READY, CHANGED, CHANGED)
    work(replica)
    assert is_as(replica.current, {b"/a": A, b"/c": A})
    assert bind(replica, 3).state is READY


def test_jobs_that_wait_for_a_file_of_a_wrong_size_will_not_run(replica, blobs):
    update(replica, {b"/a": File(A.digest, 5, 0)})
    job = bind(replica)
    assert work(replica) == {A.digest}
    store(blobs, b"a")
    assert replica.arrived(A.digest, 1) == [job]
    assert job.state is CHANGED
    assert work(replica) == set()
    assert is_as(replica.current, {})


def test_also_when_the_right_one_is_found_here(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": File(A.digest, 5, 0)})
    job = bind(replica)
    replica.write()
    update(replica, {b"/b": A})
    # Looked for at both sizes: the store has one of them.
    replica.look_up()
    assert job in replica.write()
    assert job.state is CHANGED


def test_a_blob_that_was_trimmed_meanwhile_is_asked_for_again(replica, blobs, tmp_path):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    assert replica.look_up() == ()
    blobs.trim(0)
    replica.write()
    assert replica.has_work
    assert replica.look_up() == (A.digest,)


def test_a_new_connection_is_asked_again(replica, blobs):
    update(replica, {b"/a": A, b"/b": B})
    assert work(replica) == {A.digest, B.digest}
    store(blobs, b"a")
    replica.arrived(A.digest, 1)
    replica.resume()
    assert work(replica) == {B.digest}


def test_a_full_disk_ends_the_replica_and_no_running_job(replica, blobs, monkeypatch):
    store(blobs, b"a", b"b")
    update(replica, {b"/a": A})
    work(replica)
    running = bind(replica)
    update(replica, {b"/b": B}, fork=True)
    waiting = bind(replica)
    old = replica.id

    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", fail)
        assert replica.write() == [waiting]
        assert not replica.has_work
    assert waiting.state is BROKEN
    assert "No space left" in waiting.reason
    assert (replica.id != old, replica.number) == (True, 0)
    assert is_as(running.tree, {b"/a": A})
    replica.release(running)
    replica.release(waiting)
    work(replica)
    assert os.listdir(replica.directory) == []
    update(replica, {b"/b": B})
    work(replica)
    assert is_as(replica.current, {b"/b": B})


def test_a_second_release_does_nothing(replica):
    job, other = bind(replica), bind(replica)
    replica.release(job)
    replica.release(job)
    assert not replica.is_idle
    replica.release(other)
    assert replica.is_idle
    replica.write()
    assert os.path.exists(replica.current.root)


def test_a_released_job_is_not_told_to_start(replica):
    replica.release(bind(replica))
    assert replica.write() == []


def test_it_is_evicted_whole_and_only_while_no_job_has_it(replica, blobs):
    store(blobs, b"a")
    update(replica, {b"/a": A})
    job = bind(replica)
    work(replica)
    old = replica.id
    assert replica.copied_bytes == 4096
    assert not replica.evict()
    assert replica.id == old
    replica.release(job)
    assert replica.evict()
    assert replica.copied_bytes == 0
    assert os.listdir(replica.directory) == []
    with pytest.raises(ReplicaGoneError):
        replica.accept(Update(old, 2))
    update(replica, {b"/a": A})
