"""The blobs of a server."""

import errno
import os
import resource
import stat
import time

import pytest

from fleetcc.store.blobs import BlobStore, Linking
from fleetcc.store.errors import StoreError, StoreFullError, WrongDigestError
from tests.unit.store.pictures import BIG, MTIME, digest_of

DATA = b"int x;\n"
DIGEST = digest_of(DATA)


@pytest.fixture
def blobs(tmp_path):
    store = BlobStore(str(tmp_path / "state" / "blobs"), 1 << 30)
    yield store
    store.close()


@pytest.fixture
def file(tmp_path):
    """Where the one blob of these tests lies."""
    return tmp_path / "state" / "blobs" / DIGEST.hex()[:2] / f"{DIGEST.hex()[2:]}.{len(DATA)}"


def temporaries(tmp_path):
    return [
        name for _, _, names in os.walk(tmp_path / "state/blobs/tmp") for name in names if name != "owner"
    ]


def test_a_blob_is_there_after_it_was_added(blobs, file):
    assert not blobs.has(DIGEST, len(DATA))
    assert blobs.read(DIGEST, len(DATA)) is None
    assert blobs.open(DIGEST, len(DATA)) is None
    blobs.add(DIGEST, DATA)
    blobs.add(DIGEST, DATA)
    assert blobs.has(DIGEST, len(DATA))
    assert blobs.read(DIGEST, len(DATA)) == DATA
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o444


def test_everything_is_private(blobs, tmp_path):
    blobs.add(DIGEST, DATA)
    for folder, _, _ in os.walk(tmp_path / "state"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_another_process_sees_it(blobs, tmp_path):
    blobs.add(DIGEST, DATA)
    other = BlobStore(str(tmp_path / "state" / "blobs"), 1 << 30)
    assert other.read(DIGEST, len(DATA)) == DATA
    other.close()
    blobs.add(digest_of(b"more"), b"more")  # the other one has not removed what this one writes to


def test_a_blob_that_is_not_its_digest_is_refused(blobs, tmp_path):
    with pytest.raises(WrongDigestError, match=DIGEST.hex()):
        blobs.add(DIGEST, b"something else")
    assert not blobs.has(DIGEST, len(DATA))
    assert temporaries(tmp_path) == []


def test_the_empty_blob_is_always_there(blobs):
    assert blobs.has(digest_of(b""), 0)
    assert blobs.read(digest_of(b""), 0) == b""
    assert not blobs.has(DIGEST, 0)
    assert blobs.read(DIGEST, 0) is None


def test_another_size_is_another_blob(blobs):
    blobs.add(DIGEST, DATA)
    assert not blobs.has(DIGEST, len(DATA) + 1)
    assert blobs.has(DIGEST, len(DATA))


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"x"])
def test_a_blob_of_a_wrong_length_is_missing_and_goes(blobs, file, damage):
    for look in (blobs.has, blobs.open, blobs.read):
        blobs.add(DIGEST, DATA)
        os.chmod(file, 0o600)
        file.write_bytes(damage)
        assert not look(DIGEST, len(DATA))
        assert not file.exists()


def test_a_rotten_blob_is_missing_when_it_is_read_and_goes(blobs, file):
    blobs.add(DIGEST, DATA)
    os.chmod(file, 0o600)
    file.write_bytes(b"int y;\n")
    assert blobs.read(DIGEST, len(DATA)) is None
    assert not file.exists()


def test_a_blob_in_pieces(blobs, tmp_path):
    with blobs.begin(DIGEST, len(DATA)) as writer:
        writer.write(DATA[:3])
        assert not blobs.has(DIGEST, len(DATA))
        writer.write(DATA[3:])
    assert blobs.read(DIGEST, len(DATA)) == DATA
    assert temporaries(tmp_path) == []


def test_a_blob_that_nobody_may_have_is_too_big(blobs):
    with pytest.raises(StoreFullError, match="the most is"):
        blobs.begin(DIGEST, 3 << 30)


def test_a_full_disk_is_told_and_leaves_nothing(blobs, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(StoreFullError, match="File too large"):
            blobs.add(digest_of(BIG), BIG)
        writer = blobs.begin(digest_of(BIG), len(BIG))
        writer.write(BIG[:4])
        with pytest.raises(StoreFullError):
            writer.write(BIG[4:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert temporaries(tmp_path) == []
    assert not blobs.has(digest_of(BIG), len(BIG))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(errno.ENOSPC, StoreFullError), (errno.EDQUOT, StoreFullError), (errno.EIO, StoreError)],
)
def test_a_disk_that_fails_at_the_rename_is_told_and_leaves_nothing(
    blobs, tmp_path, monkeypatch, reason, kind
):
    def fail(*_arguments):
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail)
        with pytest.raises(kind, match=os.strerror(reason)):
            blobs.add(DIGEST, DATA)
    assert temporaries(tmp_path) == []
    blobs.add(DIGEST, DATA)


def test_a_directory_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        BlobStore(str(tmp_path / "file" / "blobs"), 1)


def test_a_wanted_blob_is_touched_once_an_hour_and_keeps_its_mtime(blobs, file):
    blobs.add(DIGEST, DATA)
    old, recent = time.time_ns() - 7200 * 10**9, time.time_ns() - 60 * 10**9
    os.utime(file, ns=(recent, MTIME))
    blobs.has(DIGEST, len(DATA))
    assert os.stat(file).st_atime_ns == recent
    os.utime(file, ns=(old, MTIME))
    blobs.has(DIGEST, len(DATA))
    assert os.stat(file).st_atime_ns > recent
    assert os.stat(file).st_mtime_ns == MTIME


@pytest.fixture
def folder(tmp_path):
    descriptor = os.open(tmp_path, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def test_a_link_shares_the_blob_and_sets_its_mtime(blobs, folder, tmp_path):
    blobs.add(digest_of(BIG), BIG)
    assert blobs.link(digest_of(BIG), len(BIG), MTIME, b"one", folder) is Linking.DONE
    assert blobs.link(digest_of(BIG), len(BIG), MTIME, b"two", folder) is Linking.DONE
    status = os.stat(tmp_path / "one")
    assert (status.st_nlink, status.st_mtime_ns, stat.S_IMODE(status.st_mode)) == (3, MTIME, 0o555)


def test_a_linked_blob_does_not_get_another_mtime(blobs, folder, tmp_path):
    blobs.add(digest_of(BIG), BIG)
    assert blobs.link(digest_of(BIG), len(BIG), MTIME, b"one", folder) is Linking.DONE
    assert blobs.link(digest_of(BIG), len(BIG), 5, b"two", folder) is Linking.UNFIT
    assert not (tmp_path / "two").exists()
    assert os.stat(tmp_path / "one").st_mtime_ns == MTIME
    os.unlink(tmp_path / "one")
    assert blobs.link(digest_of(BIG), len(BIG), 5, b"two", folder) is Linking.DONE
    assert os.stat(tmp_path / "two").st_mtime_ns == 5


def test_a_missing_blob_is_not_linked(blobs, folder):
    assert blobs.link(DIGEST, len(DATA), MTIME, b"one", folder) is Linking.MISSING


@pytest.mark.parametrize("reason", [errno.EMLINK, errno.EXDEV, errno.EPERM])
def test_a_blob_that_cannot_be_linked_is_to_be_copied(blobs, folder, monkeypatch, reason):
    def fail(*_arguments, **_options):
        raise OSError(reason, os.strerror(reason))

    blobs.add(DIGEST, DATA)
    monkeypatch.setattr(os, "link", fail)
    assert blobs.link(DIGEST, len(DATA), MTIME, b"one", folder) is Linking.UNFIT


def test_a_blob_replaced_at_the_moment_of_linking_is_not_taken(blobs, folder, file, tmp_path, monkeypatch):
    blobs.add(DIGEST, DATA)
    link = os.link

    def replaced(source, *arguments, **options):
        os.unlink(file)
        blobs.add(DIGEST, DATA)
        link(source, *arguments, **options)

    monkeypatch.setattr(os, "link", replaced)
    with open(file, "rb"):  # so that its inode is not given away again
        assert blobs.link(DIGEST, len(DATA), MTIME, b"one", folder) is Linking.UNFIT
    assert not (tmp_path / "one").exists()


def test_a_target_that_exists_is_an_error(blobs, folder, tmp_path):
    blobs.add(DIGEST, DATA)
    (tmp_path / "one").touch()
    with pytest.raises(FileExistsError):
        blobs.link(DIGEST, len(DATA), MTIME, b"one", folder)


def test_this_machines_own_file_is_taken(tmp_path):
    usr = tmp_path / "usr"
    usr.mkdir()
    (usr / "x.h").write_bytes(DATA)
    (usr / "big").write_bytes(BIG)
    for path in (tmp_path, *tmp_path.parents):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30, [os.fsencode(usr)])
    assert not blobs.adopt(digest_of(b"else"), len(DATA), os.fsencode(usr / "x.h"))
    assert not blobs.adopt(DIGEST, len(DATA), b"/etc/passwd")
    assert blobs.adopt(DIGEST, len(DATA), os.fsencode(usr / "x.h"))
    assert blobs.adopt(DIGEST, len(DATA), os.fsencode(usr / "x.h"))
    assert blobs.adopt(digest_of(BIG), len(BIG), os.fsencode(usr / "big"))
    assert blobs.read(DIGEST, len(DATA)) == DATA
    assert blobs.read(digest_of(BIG), len(BIG)) == BIG
    assert os.stat(usr / "x.h").st_nlink == 1
    blobs.close()


def test_an_own_file_for_which_there_is_no_room_is_not_taken(tmp_path, monkeypatch):
    (tmp_path / "x.h").write_bytes(DATA)
    blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30, [os.fsencode(tmp_path)])

    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", fail)
    assert not blobs.adopt(DIGEST, len(DATA), os.fsencode(tmp_path / "x.h"))
    assert temporaries(tmp_path) == []
    blobs.close()


def test_closing_leaves_the_blobs_and_nothing_else(tmp_path):
    blobs = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    blobs.add(DIGEST, DATA)
    blobs.begin(digest_of(b"never"), 5)
    blobs.close()
    assert os.listdir(tmp_path / "blobs/tmp") == []
    assert sorted(os.listdir(tmp_path / "blobs")) == sorted([DIGEST.hex()[:2], "own-files", "tmp"])
