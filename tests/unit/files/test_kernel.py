import os
import sys
from collections.abc import Iterator

import pytest

from fleetcc.files import kernel
from fleetcc.files.kernel import (
    IN_IGNORED,
    NAME_EVENTS,
    UNKNOWN,
    FileSystem,
    Inotify,
    file_system_of,
    most_watches,
)


@pytest.fixture
def inotify() -> Iterator[Inotify]:
    inotify = Inotify()
    yield inotify
    inotify.close()


def _watch(inotify: Inotify, path: bytes) -> int | None:
    status = os.stat(path)
    return inotify.add_directory(path, status.st_dev, status.st_ino)


def test_names_of_a_watched_directory_come_with_what_happened(inotify, tmp_path) -> None:
    folder = os.fsencode(tmp_path)
    watch = _watch(inotify, folder)
    assert list(inotify.events()) == []
    (tmp_path / "a").touch()
    (tmp_path / ("b" * 255)).mkdir()
    (tmp_path / "a").rename(tmp_path / "c")
    events = list(inotify.events())
    assert {event.watch for event in events} == {watch}
    assert [event.name for event in events if event.mask & NAME_EVENTS] == [b"a", b"b" * 255, b"a", b"c"]


def test_a_file_is_told_of_by_whatever_name_it_is_written_to(inotify, tmp_path) -> None:
    (tmp_path / "a").touch()
    watch = inotify.add_file(os.fsencode(tmp_path / "a"))
    os.link(tmp_path / "a", tmp_path / "b")
    list(inotify.events())
    with open(tmp_path / "b", "ab") as file:
        file.write(b"more")
    assert {(event.watch, event.name) for event in inotify.events()} == {(watch, b"")}


def test_a_watch_ends_with_what_it_watches(inotify, tmp_path) -> None:
    (tmp_path / "a").mkdir()
    watch = _watch(inotify, os.fsencode(tmp_path / "a"))
    (tmp_path / "a").rmdir()
    assert any(event.mask & IN_IGNORED and event.watch == watch for event in inotify.events())


def test_a_watch_that_was_removed_is_silent(inotify, tmp_path) -> None:
    watch = _watch(inotify, os.fsencode(tmp_path))
    assert watch is not None
    inotify.remove(watch)
    inotify.remove(watch)
    (tmp_path / "a").touch()
    assert all(event.mask & IN_IGNORED for event in inotify.events())


def test_another_directory_than_the_expected_one_is_not_watched(inotify, tmp_path) -> None:
    assert inotify.add_directory(os.fsencode(tmp_path), 0, 0) is None
    with pytest.raises(FileNotFoundError):
        inotify.add_directory(os.fsencode(tmp_path / "none"), 0, 0)
    with pytest.raises(FileNotFoundError):
        inotify.add_file(os.fsencode(tmp_path / "none"))


def test_thousands_of_events_are_all_read(inotify, tmp_path) -> None:
    _watch(inotify, os.fsencode(tmp_path))
    for number in range(4000):
        os.mkdir(tmp_path / f"{number:0200}")
    assert len({event.name for event in inotify.events()}) == 4000


def test_file_systems_are_told_apart() -> None:
    assert file_system_of(b"/proc") == UNKNOWN
    assert file_system_of(b"/none") == UNKNOWN
    if os.path.ismount("/dev/shm"):
        assert file_system_of(b"/dev/shm") == FileSystem(watched=True, fine=True)


def test_elsewhere_there_is_no_inotify(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "freebsd14")
    with pytest.raises(OSError, match="not implemented"):
        Inotify()
    assert file_system_of(b"/tmp") == UNKNOWN


def test_half_of_the_watches_are_left_to_others() -> None:
    assert most_watches() == kernel.most_watches() > 0
