"""Copies between open files."""

import errno
import os

import pytest

from fleetcc.store.copying import copy_between, write_all


@pytest.fixture
def pair(tmp_path):
    with open(tmp_path / "source", "w+b", buffering=0) as source, open(tmp_path / "target", "w+b") as target:
        source.write(b"0123456789" * 300_000)
        yield source.fileno(), target.fileno()


def test_a_copy_begins_at_the_start_wherever_the_source_stands(pair):
    source, target = pair
    assert copy_between(source, target, 3_000_000) == 3_000_000
    assert os.pread(target, 4_000_000, 0) == b"0123456789" * 300_000


def test_a_source_that_is_shorter_is_told(pair):
    source, target = pair
    assert copy_between(source, target, 3_000_001) == 3_000_000


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EINVAL, errno.ENOSYS])
def test_where_the_kernel_cannot_copy_it_is_done_by_hand(pair, monkeypatch, reason):
    def unable(*_arguments, **_options):
        raise OSError(reason, "no")

    monkeypatch.setattr(os, "copy_file_range", unable)
    source, target = pair
    assert copy_between(source, target, 3_000_001) == 3_000_000
    assert os.pread(target, 4_000_000, 0) == b"0123456789" * 300_000


def test_a_full_disk_is_an_error(pair):
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        write_all(full.fileno(), b"x")


def test_a_write_that_takes_a_part_is_gone_on_with():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytes(200_000)
    with pytest.raises(BlockingIOError):  # the second write says why the first one was short
        write_all(writer, data)
    assert len(os.read(reader, 300_000)) < 200_000
    os.close(reader)
    os.close(writer)
