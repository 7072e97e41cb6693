"""One blob on its way into the store."""

import os

import pytest

from fleetcc.store.blob_writer import BlobWriter
from fleetcc.store.errors import StoreError, WrongDigestError
from tests.unit.store.pictures import digest_of

DATA = b"0123456789"


@pytest.fixture
def added():
    return []


@pytest.fixture
def writer(tmp_path, added):
    folder = os.fsencode(tmp_path)
    blob = BlobWriter(
        digest_of(DATA), len(DATA), folder + b"/temporary", folder + b"/ab/c", 0o444, added.append
    )
    yield blob
    blob.abandon()


def test_it_has_its_name_when_it_is_whole_and_not_before(writer, added, tmp_path):
    for start in range(0, 10, 3):
        writer.write(DATA[start : start + 3])
        assert os.listdir(tmp_path) == ["temporary"]
    writer.finish()
    assert (tmp_path / "ab/c").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["ab"]
    assert added == [10]


@pytest.mark.parametrize("pieces", [[], [DATA[:9]], [DATA[:9], b"x"]])
def test_what_is_short_or_else_is_refused_at_the_end(writer, added, tmp_path, pieces):
    for piece in pieces:
        writer.write(piece)
    with pytest.raises(WrongDigestError):
        writer.finish()
    assert os.listdir(tmp_path) == []
    assert added == []


def test_what_is_long_is_refused_at_once(writer, tmp_path):
    with pytest.raises(WrongDigestError, match="longer than the 10 bytes"):
        writer.write(DATA + b"x")
    assert os.listdir(tmp_path) == []


def test_a_client_that_vanishes_leaves_nothing(writer, tmp_path):
    def vanish():
        with writer:
            writer.write(DATA[:5])
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        vanish()
    assert os.listdir(tmp_path) == []


def test_what_was_put_into_the_file_directly_is_compared(writer, tmp_path):
    os.write(writer.file, DATA[:-1] + b"x")
    writer.verify_all()
    with pytest.raises(WrongDigestError):
        writer.finish()
    assert os.listdir(tmp_path) == []


def test_a_temporary_name_that_is_taken_is_an_error(writer, tmp_path, added):
    folder = os.fsencode(tmp_path)
    with pytest.raises(StoreError, match="File exists"):
        BlobWriter(digest_of(DATA), 10, folder + b"/temporary", folder + b"/x", 0o444, added.append)
