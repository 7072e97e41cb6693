"""Temporary folders: private, reused, and removed after the dead."""

import os
import stat
import subprocess
import sys

import pytest

from fleetcc.server.workspace import PREFIX, Workspace, remove_leftovers


def test_folders_are_private_and_go_with_the_process(tmp_path):
    workspace = Workspace(str(tmp_path))
    folder = workspace.take_folder()
    for path in (workspace.path, folder):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    workspace.close()
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be made in .*/file: Not a directory; set TMPDIR"):
        Workspace(str(tmp_path / "file"))


def test_a_folder_that_comes_again_is_empty(tmp_path):
    workspace = Workspace(str(tmp_path))
    first, second = workspace.take_folder(), workspace.take_folder()
    assert first != second
    with open(os.path.join(first, b"x.o"), "w") as file:
        file.write("secret")
    workspace.give_back(first)
    assert workspace.take_folder() == first
    assert os.listdir(first) == []
    workspace.close()


def test_a_folder_with_folders_in_it_does_not_come_again(tmp_path):
    workspace = Workspace(str(tmp_path))
    folder = workspace.take_folder()
    os.mkdir(os.path.join(folder, b"cache"))
    workspace.give_back(folder)
    assert not os.path.exists(folder)
    assert workspace.take_folder() != folder
    workspace.close()


def test_a_folder_that_is_gone_is_no_fault(tmp_path):
    workspace = Workspace(str(tmp_path))
    folder = workspace.take_folder()
    os.rmdir(folder)
    workspace.give_back(folder)
    workspace.close()


def test_what_a_dead_process_left_is_removed_and_what_lives_is_kept(tmp_path):
    living = Workspace(str(tmp_path))
    dead = tmp_path / f"{PREFIX}1-dead"
    dead.mkdir()
    (dead / "owner").touch()
    (dead / "1").mkdir()
    (dead / "1" / "x.i").touch()
    (tmp_path / f".{PREFIX}2-new").mkdir()  # made a moment ago, it is locked and renamed next
    (tmp_path / f"{PREFIX}4-other").mkdir()  # not made by us
    old = tmp_path / f".{PREFIX}3-old"
    old.mkdir()
    os.utime(old, (1, 1))
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / f"{PREFIX}link").symlink_to("/etc")
    (tmp_path / "mine").mkdir()
    remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(
        [
            os.path.basename(living.path),
            f".{PREFIX}2-new",
            f"{PREFIX}4-other",
            f"{PREFIX}file",
            f"{PREFIX}link",
            "mine",
        ]
    )
    living.close()


def test_a_temporary_directory_that_does_not_exist_has_no_leftovers():
    remove_leftovers("/no/such/folder")


def test_many_processes_that_start_at_once_keep_their_folders(tmp_path):
    script = (
        "import sys; from fleetcc.server.workspace import Workspace\n"
        "for _ in range(30):\n"
        "    workspace = Workspace(sys.argv[1]); workspace.take_folder(); workspace.close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    starters = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], env=environment) for _ in range(6)
    ]
    assert [starter.wait(60) for starter in starters] == [0] * len(starters)
    assert os.listdir(tmp_path) == []
