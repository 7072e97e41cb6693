"""The store among processes: shared, killed at any point, vanished from."""

import hashlib
import os
import random
import subprocess
import sys

import pytest

from fleetcc.store.blobs import BlobStore
from fleetcc.store.replicas import Replicas

# Adds blobs for ever, tells of each one, and of the replica that it keeps.
WRITER = """
import hashlib, os, sys
from fleetcc.store.blobs import BlobStore
from fleetcc.store.replicas import Replicas
from fleetcc.wire.files import File, Update

directory, seed = sys.argv[1], int(sys.argv[2])
blobs = BlobStore(directory + "/blobs", 1 << 30)
replica = Replicas(directory + "/replicas", blobs, 1 << 30, 10).open(b"secret")
number = seed
while True:
    number += 1
    data = b"%d" % number * (20_000 if number % 3 else 5_000)
    digest = hashlib.sha256(data).digest()
    with blobs.begin(digest, len(data)) as writer:
        for start in range(0, len(data), 4096):
            writer.write(data[start : start + 4096])
    puts = {b"/d/%d" % (number % 7): File(digest, len(data), 0)}
    replica.accept(Update(replica.id, replica.number + 1, puts))
    replica.look_up()
    replica.write()
    os.write(1, b"%d\\n" % number)
"""


def start(directory, seed):
    command = [sys.executable, "-c", WRITER, os.fspath(directory), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def kill(process):
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def content_of(number):
    return b"%d" % number * (20_000 if number % 3 else 5_000)


def blob_files(directory):
    for folder, _, names in os.walk(directory / "blobs"):
        if len(os.path.basename(folder)) == 2:
            for name in names:
                yield os.path.join(folder, name), os.path.basename(folder) + name.partition(".")[0]


def assert_every_blob_is_whole(directory):
    count = 0
    for path, digest in blob_files(directory):
        with open(path, "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest
        count += 1
    return count


@pytest.mark.parametrize("seed", range(6))
def test_a_process_killed_at_any_point_leaves_whole_blobs_and_no_rubbish(tmp_path, seed):
    chance = random.Random(seed)
    told = []
    for turn in range(2):
        process = start(tmp_path, seed * 10_000 + turn * 1000)
        assert process.stdout is not None
        told += [int(process.stdout.readline()) for _ in range(chance.randrange(1, 40))]
        kill(process)
        assert assert_every_blob_is_whole(tmp_path) >= len(told)
    blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    replicas = Replicas(str(tmp_path / "replicas"), blobs, 1 << 30, 10)
    assert len(os.listdir(tmp_path / "blobs" / "tmp")) == 1  # of this process
    assert os.listdir(tmp_path / "replicas") == []
    for number in told:
        data = content_of(number)
        assert blobs.read(hashlib.sha256(data).digest(), len(data)) == data
    replica = replicas.open(b"secret")
    assert not replica.directory.endswith(b".1")
    replicas.shut()
    blobs.close()


def test_two_processes_add_the_same_blobs_and_keep_their_own_replicas(tmp_path):
    first, second = start(tmp_path, 0), start(tmp_path, 0)
    try:
        numbers = [[int(process.stdout.readline()) for _ in range(50)] for process in (first, second)]
        assert numbers[0] == numbers[1]
        names = sorted(os.listdir(tmp_path / "replicas"))
        assert len(names) == 2
        assert names[1] == names[0] + ".1"
        blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30)  # a third one takes nothing away from them
        blobs.trim(0)
        Replicas(str(tmp_path / "replicas"), blobs, 1 << 30, 10)
        assert sorted(os.listdir(tmp_path / "replicas")) == names
        for process in (first, second):
            assert [int(process.stdout.readline()) for _ in range(20)] == list(range(51, 71))
            assert process.poll() is None
        blobs.close()
    finally:
        kill(first)
        kill(second)
    assert_every_blob_is_whole(tmp_path)


def test_a_client_that_vanishes_in_the_middle_leaves_nothing(tmp_path):
    blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    data = content_of(1)
    writer = blobs.begin(hashlib.sha256(data).digest(), len(data))
    writer.write(data[:10])
    writer.abandon()
    assert list(blob_files(tmp_path)) == []
    assert [name for _, _, names in os.walk(tmp_path / "blobs" / "tmp") for name in names] == ["owner"]
    blobs.close()
