import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.files.disk import RealDisk
from fleetcc.files.stamps import FileStamp, Young
from fleetcc.files.watches import Watches
from tests.support.disk_edits import FOLDERS, PATHS, Tree, next_tick


def _old() -> int:
    """A clock for which no file of a test is young."""
    return time.time_ns() + 10**9


@pytest.fixture
def disk() -> Iterator[RealDisk]:
    disk = RealDisk(clock=_old)
    yield disk
    disk.close()


def _path(path: Path) -> bytes:
    return os.fsencode(path)


def _record_looks(disk: RealDisk, monkeypatch) -> list[bytes]:
    looked: list[bytes] = []
    real_stat, real_lstat = os.stat, os.lstat

    def stat(path, **options):
        if isinstance(path, bytes):
            looked.append(path)
        return real_stat(path, **options)

    def lstat(path, **options):
        if isinstance(path, bytes):
            looked.append(path)
        return real_lstat(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "lstat", lstat)
    return looked


def test_an_old_watched_file_is_not_looked_at_again(tmp_path, disk, monkeypatch) -> None:
    Tree(tmp_path)
    files = {_path(tmp_path / path): disk.file(_path(tmp_path / path)) for path in PATHS[::2]}
    listings = {_path(tmp_path / folder): disk.listing(_path(tmp_path / folder)) for folder in FOLDERS}
    assert disk.still(files, listings)
    disk.begin()
    assert disk.still(files, listings)  # watched now, directories are looked at for the last time
    disk.begin()
    looked = _record_looks(disk, monkeypatch)
    assert disk.still(files, listings)
    assert not looked


def test_a_directory_behind_one_that_nobody_watches_is_looked_at(tmp_path, disk, monkeypatch) -> None:
    Tree(tmp_path)
    real = Watches.add
    monkeypatch.setattr(Watches, "add", lambda own, one: one.path != _path(tmp_path) and real(own, one))
    files = {_path(tmp_path / path): disk.file(_path(tmp_path / path)) for path in PATHS[::2]}
    for _ in range(2):
        assert disk.still(files, {})
        disk.begin()
    looked = _record_looks(disk, monkeypatch)
    assert disk.still(files, {})
    assert {_path(tmp_path / folder) for folder in FOLDERS} <= set(looked)


def test_a_path_is_looked_at_once_in_a_moment(tmp_path, monkeypatch) -> None:
    Tree(tmp_path)
    disk = RealDisk(watch=False)
    disk.begin()
    looked = _record_looks(disk, monkeypatch)
    first = [disk.file(_path(tmp_path / path)) for path in PATHS]
    assert [disk.file(_path(tmp_path / path)) for path in PATHS] == first
    assert len(looked) == len(set(looked))
    disk.close()


def test_a_file_written_beside_headers_costs_no_look_at_them(tmp_path, disk, monkeypatch) -> None:
    """What a build in the source directory does all the time."""
    tree = Tree(tmp_path)
    files = {_path(tmp_path / path): disk.file(_path(tmp_path / path)) for path in PATHS[::2]}
    assert disk.still(files, {})
    disk.begin()
    assert disk.still(files, {})
    next_tick()
    tree.write("a/object.o", "")
    disk.begin()
    looked = _record_looks(disk, monkeypatch)
    assert disk.still(files, {})
    assert _path(tmp_path / "a") in looked
    assert not {*files, _path(tmp_path / "b"), _path(tmp_path / "a/in")}.intersection(looked)


def test_a_file_of_this_very_moment_has_no_stamp_that_lasts(tmp_path) -> None:
    path = tmp_path / "x.h"
    disk = RealDisk()
    disk.begin()
    path.write_bytes(b"1")
    stamp = disk.file(_path(path))
    assert isinstance(stamp, Young)
    assert disk.file(_path(path)) is stamp
    assert disk.still({_path(path): stamp}, {})
    disk.begin()
    assert not disk.still({_path(path): stamp}, {})
    disk.close()


def test_only_regular_files_are_files(tmp_path, disk) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nothing")
    for name in (b"fifo", b"link", b"", b".", b"..", b"nul\0", b"x" * 300, b"fifo/x"):
        assert disk.file(_path(tmp_path) + b"/" + name) is None
    assert disk.file(b"/dev/null") is None
    assert isinstance(disk.file(b"/proc/self/../../etc/passwd"), FileStamp)


def test_a_directory_has_the_same_listing_by_all_its_names(tmp_path, disk) -> None:
    Tree(tmp_path)
    listing = disk.listing(_path(tmp_path / "a"))
    assert listing is not None
    assert listing.names == {b"x.h", b"z.h", b"in"}
    assert disk.listing(_path(tmp_path / "b/../a")) is listing
    assert disk.listing(_path(tmp_path / "a/x.h")) is None
    assert disk.listing(_path(tmp_path / "c")) is None


def test_a_listing_is_the_same_object_while_the_names_are(tmp_path, disk) -> None:
    tree = Tree(tmp_path)
    listing = disk.listing(_path(tmp_path / "a"))
    next_tick()
    tree.replace("a/x.h", "")
    disk.begin()
    assert disk.listing(_path(tmp_path / "a")) is listing
    tree.write("a/new.h", "")
    disk.begin()
    assert disk.listing(_path(tmp_path / "a")) is not listing


def test_reads_whole_files(tmp_path, disk) -> None:
    for size in (0, 1, 65535, 65536, 65537, 3_000_000):
        content = os.urandom(size)
        (tmp_path / "file").write_bytes(content)
        assert disk.read(_path(tmp_path / "file")) == content
    with pytest.raises(FileNotFoundError):
        disk.read(_path(tmp_path / "none"))


def test_an_overflowed_queue_is_survived(tmp_path, disk) -> None:
    tree = Tree(tmp_path)
    path = _path(tmp_path / "a/x.h")
    stamp = disk.file(path)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    noise = tmp_path / "a/noise", tmp_path / "a/other"
    noise[0].touch()
    for number in range(limit // 2 + 1):  # two events each, and no two alike in a row
        noise[number % 2].rename(noise[1 - number % 2])
    next_tick()
    tree.write("a/x.h", "")
    next_tick()
    disk.begin()
    assert disk.file(path) not in {stamp, None}


def test_a_closed_disk_still_answers_right(tmp_path) -> None:
    tree = Tree(tmp_path)
    path = _path(tmp_path / "a/x.h")
    disk = RealDisk(clock=_old)
    stamp = disk.file(path)
    disk.close()
    disk.begin()
    assert disk.file(path) == stamp
    next_tick()
    tree.write("a/x.h", "")
    next_tick()
    disk.begin()
    assert disk.file(path) != stamp


def test_without_room_for_watches_it_looks_every_time(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr("fleetcc.files.watches.most_watches", lambda: 2)
    tree = Tree(tmp_path)
    disk = RealDisk(clock=_old)
    with caplog.at_level(logging.WARNING):
        files = {_path(tmp_path / path): disk.file(_path(tmp_path / path)) for path in PATHS[::2]}
        disk.begin()
        assert disk.still(files, {})
    assert len(caplog.records) == 1
    assert "max_user_watches" in caplog.text
    next_tick()
    tree.write(PATHS[-1], "")
    disk.begin()
    assert not disk.still(files, {})
    disk.close()
