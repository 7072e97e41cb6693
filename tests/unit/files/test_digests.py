import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.files.digests import ChangedError, Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.stamps import FileStamp, Young
from tests.support.disk_edits import next_tick


def _old() -> int:
    return time.time_ns() + 10**9


@pytest.fixture
def disk() -> Iterator[RealDisk]:
    disk = RealDisk(watch=False, clock=_old)
    yield disk
    disk.close()


def _sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _write(folder: Path, name: str, content: bytes) -> bytes:
    (folder / name).write_bytes(content)
    return os.fsencode(folder / name)


@pytest.mark.parametrize("size", [0, 1, 100_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_digests_files_of_all_sizes(tmp_path, disk, size: int) -> None:
    content = os.urandom(size)
    path = _write(tmp_path, "x", content)
    digests = Digests()
    stamp = disk.file(path)
    assert digests.lookup(path, stamp) is None
    assert digests.digest(path, stamp) == _sha(content)
    assert digests.lookup(path, stamp) == _sha(content)
    assert digests.content(_sha(content)) == content


def test_a_file_that_is_another_one_by_now_is_named(tmp_path, disk) -> None:
    path = _write(tmp_path, "x", b"one")
    stamp = disk.file(path)
    next_tick()
    _write(tmp_path, "x", b"two")
    with pytest.raises(ChangedError, match=r"/x changes while it is read"):
        Digests().digest(path, stamp)
    (tmp_path / "x").unlink()
    with pytest.raises(FileNotFoundError):
        Digests().digest(path, stamp)


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, disk, monkeypatch) -> None:
    path = _write(tmp_path, "x", b"1" * (3 << 20))
    stamp = disk.file(path)
    next_tick()
    real_read = os.read

    def read(descriptor: int, size: int) -> bytes:
        with open(path, "ab") as file:
            file.write(b"2")
        return real_read(descriptor, size)

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", read)
        digests = Digests()
        with pytest.raises(ChangedError):
            digests.digest(path, stamp)
    assert digests.lookup(path, stamp) is None


def test_a_content_is_read_from_whichever_file_still_has_it(tmp_path, disk) -> None:
    digests = Digests()
    paths = [_write(tmp_path, name, b"content") for name in "abc"]
    for path in paths:
        digests.digest(path, disk.file(path))
    (tmp_path / "c").write_bytes(b"another")
    (tmp_path / "a").unlink()
    assert digests.content(_sha(b"content")) == b"content"
    (tmp_path / "b").write_bytes(b"CONTENT")
    assert digests.content(_sha(b"content")) is None
    assert digests.content(_sha(b"never seen")) is None


def test_a_later_process_knows_what_an_earlier_one_computed(tmp_path, disk) -> None:
    kept = os.fspath(tmp_path / "digests")
    path = _write(tmp_path, "x", b"content")
    stamp = disk.file(path)
    first = Digests()
    first.digest(path, stamp)
    first.save(kept)
    second = Digests()
    second.load(kept)
    assert second.lookup(path, stamp) == _sha(b"content")
    assert second.content(_sha(b"content")) == b"content"
    assert second.lookup(path, stamp._replace(size=8)) is None
    other = _write(tmp_path, "y", b"other")
    second.digest(other, disk.file(other))
    second.save(kept)
    third = Digests()
    third.load(kept)
    assert third.lookup(path, stamp) == _sha(b"content")
    assert third.lookup(other, disk.file(other)) == _sha(b"other")


def test_a_young_file_is_only_known_in_its_moment(tmp_path) -> None:
    kept = os.fspath(tmp_path / "digests")
    disk = RealDisk(watch=False)
    path = _write(tmp_path, "x", b"content")
    disk.begin()
    stamp = disk.file(path)
    assert isinstance(stamp, Young)
    digests = Digests()
    assert digests.digest(path, stamp) == _sha(b"content")
    assert digests.lookup(path, stamp) == _sha(b"content")
    disk.begin()
    later_stamp = disk.file(path)
    assert later_stamp is not None
    assert digests.lookup(path, later_stamp) is None
    digests.save(kept)
    later = Digests()
    later.load(kept)
    assert later.lookup(path, stamp.status) is None
    disk.close()


def test_nothing_new_writes_nothing(tmp_path, disk) -> None:
    kept = tmp_path / "digests"
    digests = Digests()
    digests.save(os.fspath(kept))
    assert not kept.exists()
    path = _write(tmp_path, "x", b"content")
    digests.digest(path, disk.file(path))
    digests.save(os.fspath(kept))
    kept.unlink()
    digests.save(os.fspath(kept))
    assert not kept.exists()


def test_what_cannot_be_written_is_tried_again(tmp_path, disk) -> None:
    digests = Digests()
    path = _write(tmp_path, "x", b"content")
    digests.digest(path, disk.file(path))
    with pytest.raises(OSError, match="No such file"):
        digests.save(os.fspath(tmp_path / "none/digests"))
    digests.save(os.fspath(tmp_path / "digests"))
    assert (tmp_path / "digests").exists()


def test_threads_come_to_the_same_digests(tmp_path, disk) -> None:
    contents = {_write(tmp_path, str(number), b"%d" % number): b"%d" % number for number in range(200)}
    files = [(path, disk.file(path)) for path in contents]
    digests = Digests()
    threads = [threading.Thread(target=digests.compute, args=(files,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path: digests.lookup(path, stamp) for path, stamp in files} == {
        path: _sha(content) for path, content in contents.items()
    }


def test_a_stamp_is_of_numbers_that_all_count(tmp_path, disk) -> None:
    stamp = disk.file(_write(tmp_path, "x", b"content"))
    assert isinstance(stamp, FileStamp)
    assert stamp.size == 7
    for field in FileStamp._fields:
        assert stamp._replace(**{field: getattr(stamp, field) + 1}) != stamp
