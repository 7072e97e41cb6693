"""The store under what no honest client sends, and on a disk that is full."""

import hashlib
import os
import resource
import subprocess
import time

import pytest

from fleetcc.store.binding import BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import BadUpdateError, ReplicaFullError, StoreFullError
from fleetcc.store.replica import Replica
from fleetcc.store.replicas import Replicas
from fleetcc.wire.files import MAX_DIGESTS, Entry, File, Link, Update

LIMIT = 1 << 40


def file_of(data):
    return File(hashlib.sha256(data).digest(), len(data), 0)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB of its own."""
    point = tmp_path / "disk"
    point.mkdir()
    options = ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", os.fspath(point)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root and the right to mount")
    yield point
    subprocess.run(["umount", os.fspath(point)], check=True)


def test_a_store_on_a_full_disk_says_so_and_works_again_after_a_trim(small_disk):
    blobs = BlobStore(str(small_disk / "blobs"), LIMIT)
    contents = [b"%d" % index * 200_000 for index in range(10, 100)]
    stored = []

    def fill():
        for data in contents:
            blobs.add(hashlib.sha256(data).digest(), data)
            stored.append(data)

    with pytest.raises(StoreFullError, match="No space left"):
        fill()
    assert len(stored) > 5
    assert all(blobs.read(hashlib.sha256(data).digest(), len(data)) == data for data in stored)
    assert [name for _, _, names in os.walk(small_disk / "blobs" / "tmp") for name in names] == ["owner"]
    blobs.trim(1 << 20)
    blobs.add(hashlib.sha256(contents[-1]).digest(), contents[-1])
    blobs.close()


def test_a_replica_on_a_full_disk_begins_again_and_other_clients_go_on(small_disk):
    blobs = BlobStore(str(small_disk / "blobs"), LIMIT)
    replicas = Replicas(str(small_disk / "replicas"), blobs, LIMIT, 10)
    other = replicas.open(b"other")
    data = b"x" * 500_000
    blobs.add(hashlib.sha256(data).digest(), data)
    other.accept(Update(other.id, 1, {b"/x": file_of(data)}))
    other.write()
    running = other.bind(other.id, 1)
    greedy = replicas.open(b"greedy")
    old = greedy.id
    greedy.accept(Update(greedy.id, 1, {b"/many/%d" % index: file_of(data) for index in range(100)}))
    job = greedy.bind(greedy.id, 1)
    greedy.look_up()
    assert greedy.write() == [job]
    assert job.state is BindingState.BROKEN
    assert "No space left" in job.reason
    greedy.release(job)
    greedy.write()
    assert greedy.id != old
    assert os.listdir(greedy.directory) == [b"owner"]
    assert running.state is BindingState.READY
    with open(running.tree.root + b"/x", "rb") as file:
        assert file.read() == data
    other.accept(Update(other.id, 2, {b"/y": file_of(data)}))
    other.write()
    assert os.path.exists(running.tree.root + b"/y")
    replicas.shut()
    blobs.close()


@pytest.fixture
def replica(tmp_path):
    blobs = BlobStore(str(tmp_path / "blobs"), LIMIT)
    os.mkdir(tmp_path / "replica")
    yield Replica(os.fsencode(tmp_path / "replica"), blobs, LIMIT)
    blobs.close()


def test_nothing_gets_out_of_a_tree(replica, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    empty = file_of(b"")
    target = os.fsencode(outside)
    bad = [
        {b"/../outside/x": empty},
        {b"/a/../../outside/x": empty},
        {b"relative": empty},
        {b"/out": Link(target), b"/out/x": empty},
        {b"/out": Link(b"../outside"), b"/out/deep/x": empty},
    ]
    for puts in bad:
        with pytest.raises(BadUpdateError):
            replica.accept(Update(replica.id, 1, puts))
    replica.accept(Update(replica.id, 1, {b"/out": Link(target), b"/etc": Link(b"/etc")}))
    replica.write()
    for puts in ({b"/out/x": empty}, {b"/etc/passwd": empty}):
        with pytest.raises(BadUpdateError, match="which is a symbolic link"):
            replica.accept(Update(replica.id, 2, puts))
    # A directory in the place of the link, in the same update, is a directory.
    replica.accept(Update(replica.id, 2, {b"/out/x": empty}, (b"/out",)))
    replica.write()
    assert os.listdir(outside) == []
    assert os.path.isfile(replica.current.root + b"/out/x")


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_a_manifest_of_200000_files_is_known_in_seconds_and_some_memory(replica):
    count = 200_000
    entries = {b"/src/part%d/file%d.h" % (i // 20, i): file_of(b"%d" % i) for i in range(count)}
    items = list(entries.items())
    before, began = resident_bytes(), time.process_time()
    for start in range(0, count, MAX_DIGESTS):
        replica.accept(Update(replica.id, replica.number + 1, dict(items[start : start + MAX_DIGESTS])))
    assert time.process_time() - began < 30  # measured: 1.2 s
    assert resident_bytes() - before < 1000 * count  # measured: 250 bytes for each
    assert len(replica.current.desired.entries) == count + 10_001
    replica.accept(Update(replica.id, replica.number + 1, {}, (b"/src",)))
    assert replica.current.desired.entries == {}


def test_paths_that_would_fill_the_memory_with_their_parents_are_refused(replica):
    puts: dict[bytes, Entry] = {b"/%d" % index + b"/d" * 2000: Link(b"x") for index in range(MAX_DIGESTS)}
    with pytest.raises(ReplicaFullError, match="bytes of paths"):
        replica.accept(Update(replica.id, 1, puts))
    assert replica.current.desired.entries == {}
