"""Keeping the blobs below their limit."""

import fcntl
import os

import pytest

from fleetcc.store.blobs import BlobStore
from tests.unit.store.pictures import digest_of

BLOCK = 4096


@pytest.fixture
def blobs(tmp_path):
    store = BlobStore(str(tmp_path), 10 * BLOCK)
    yield store
    store.close()


def path_of(tmp_path, data):
    name = digest_of(data).hex()
    return tmp_path / name[:2] / f"{name[2:]}.{len(data)}"


def fill(blobs, tmp_path, count):
    """Blobs of a block each, the first one the longest unwanted."""
    contents = [b"%d" % index for index in range(count)]
    for index, data in enumerate(contents):
        blobs.add(digest_of(data), data)
        os.utime(path_of(tmp_path, data), (index, 0))
    return contents


def present(blobs, contents):
    return [data for data in contents if blobs.has(digest_of(data), len(data))]


def test_the_longest_unwanted_go_until_there_is_some_room(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 12)
    assert blobs.trim() == 3 * BLOCK
    assert present(blobs, contents) == contents[3:]


def test_nothing_goes_below_the_limit(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 10)
    assert blobs.trim() == 0
    assert present(blobs, contents) == contents
    assert blobs.trim(5 * BLOCK) == 6 * BLOCK
    assert present(blobs, contents) == contents[6:]


def test_a_blob_that_was_wanted_lately_stays(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 12)
    blobs.has(digest_of(contents[0]), 1)
    blobs.trim()
    assert present(blobs, contents) == [contents[0], *contents[4:]]


def test_a_blob_that_a_tree_has_stays_because_its_removal_frees_nothing(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 12)
    os.link(path_of(tmp_path, contents[0]), tmp_path / "tree")
    blobs.trim()
    assert present(blobs, contents) == [contents[0], *contents[4:]]


def test_a_damaged_blob_goes_and_what_is_no_blob_stays(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 2)
    damaged = path_of(tmp_path, contents[0])
    os.truncate(damaged, 0)
    beside = damaged.parent / "notes"
    beside.touch()
    blobs.trim()
    assert not damaged.exists()
    assert beside.exists()
    assert (tmp_path / "own-files").exists()


def test_one_process_is_at_it_at_a_time(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 12)
    with open(tmp_path / "trimming", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert blobs.trim() == 0
    assert present(blobs, contents) == contents
    assert blobs.trim() > 0


def test_it_is_due_at_first_and_when_enough_was_added(blobs, tmp_path):
    assert blobs.is_trim_due
    blobs.trim()
    assert not blobs.is_trim_due
    blobs.add(digest_of(b"x" * BLOCK), b"x" * BLOCK)
    assert blobs.is_trim_due


def test_what_is_there_and_what_went_is_counted(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 12)
    assert blobs.counts == (sum(map(len, contents)), 12, 0, 0)
    blobs.trim()
    assert blobs.counts == (9 * BLOCK, 9, 3, 3 * BLOCK)
    blobs.add(digest_of(b"new"), b"new")
    assert blobs.counts == (9 * BLOCK + 3, 10, 3, 3 * BLOCK)


def test_the_first_look_counts_what_was_there_before(blobs, tmp_path):
    contents = fill(blobs, tmp_path, 3)
    later = BlobStore(str(tmp_path), 10 * BLOCK)
    assert later.counts == (0, 0, 0, 0)
    later.trim()
    assert later.counts == (3 * BLOCK, len(contents), 0, 0)
    later.close()
