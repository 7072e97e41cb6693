import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.files.folders import Folder
from fleetcc.files.kernel import Inotify
from fleetcc.files.stamps import stamp_of
from fleetcc.files.watches import Watches


@pytest.fixture
def watches() -> Iterator[Watches]:
    watches = Watches(enabled=True)
    yield watches
    watches.close()


def _folder(watches: Watches, path: Path) -> Folder:
    """A folder as a look leaves it, with one file known."""
    folder = Folder(os.fsencode(path))
    status = os.stat(path)
    folder.device, folder.inode = status.st_dev, status.st_ino
    watches.system(status.st_dev, folder.path)
    watches.add(folder)
    return folder


def _know(watches: Watches, folder: Folder, name: str) -> bytes:
    path = os.path.join(os.fsdecode(folder.path), name)
    Path(path).touch()
    watches.catch_up()
    assert watches.add_file(os.fsencode(path), (folder, name.encode()))
    folder.stamps[name.encode()] = stamp_of(os.stat(path))
    return os.fsencode(path)


def test_only_the_file_that_was_written_is_forgotten(watches, tmp_path) -> None:
    folder = _folder(watches, tmp_path)
    _know(watches, folder, "x.h")
    _know(watches, folder, "y.h")
    token, way = folder.token, folder.way
    assert watches.catch_up()
    assert folder.token is token
    (tmp_path / "y.h").write_text("more")
    assert watches.catch_up()
    assert set(folder.stamps) == {b"x.h"}
    assert folder.token is not token
    assert folder.way is way


def test_names_that_nobody_asked_for_change_nothing(watches, tmp_path) -> None:
    folder = _folder(watches, tmp_path)
    _know(watches, folder, "x.h")
    folder.steps[b"sub"] = None
    token, way = folder.token, folder.way
    (tmp_path / "object.o").write_text("object")
    (tmp_path / "object.o").rename(tmp_path / "other.o")
    assert watches.catch_up()
    assert (folder.token, folder.way) == (token, way)
    (tmp_path / "sub").mkdir()
    assert watches.catch_up()
    assert folder.way is not way


def test_all_spellings_of_a_directory_are_told(watches, tmp_path) -> None:
    (tmp_path / "link").symlink_to(".")
    folders = [_folder(watches, tmp_path), _folder(watches, tmp_path / "link")]
    assert folders[0].watch == folders[1].watch is not None
    for folder in folders:
        _know(watches, folder, "x.h")
    watches.remove(folders[0])
    folders[0].stamps.clear()
    (tmp_path / "x.h").unlink()
    assert watches.catch_up()
    assert not folders[1].stamps


def test_a_directory_that_is_deleted_is_forgotten_and_may_be_watched_again(watches, tmp_path) -> None:
    (tmp_path / "a").mkdir()
    folder = _folder(watches, tmp_path / "a")
    folder.steps[b"none"] = None
    (tmp_path / "a").rmdir()
    assert watches.catch_up()
    assert (folder.watch, folder.unwatchable, folder.steps) == (None, False, {})


def test_without_watches_nothing_is_watched(tmp_path) -> None:
    watches = Watches(enabled=False)
    folder = _folder(watches, tmp_path)
    assert folder.watch is None
    assert folder.unwatchable
    assert watches.catch_up()
    watches.restart()
    watches.close()


def test_a_system_without_inotify_lives_by_looks(tmp_path, monkeypatch) -> None:
    def none(self: Inotify) -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(Inotify, "__init__", none)
    watches = Watches(enabled=True)
    assert _folder(watches, tmp_path).watch is None
    watches.close()


def test_a_file_system_whose_changes_come_from_elsewhere_is_not_watched(watches) -> None:
    folder = _folder(watches, Path("/proc/self"))
    assert folder.watch is None
    assert folder.unwatchable
