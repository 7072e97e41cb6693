"""Directories that belong to one process."""

import os
import stat
import subprocess
import sys

import pytest

from fleetcc.store.owned import claim, claim_empty, give_up, make_private, remove_leftovers, remove_tree


@pytest.fixture
def folder(tmp_path):
    return os.fsencode(tmp_path)


def owned(path):
    """Owned, or the test fails."""
    owner = claim(path)
    assert owner is not None
    return owner


def test_a_directory_has_one_owner(folder):
    path = folder + b"/a"
    owner = owned(path)
    assert claim(path) is None
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    os.close(owner)
    os.close(owned(path))


def test_giving_up_frees_the_name_and_leaves_nothing(folder):
    path = folder + b"/a"
    owner = owned(path)
    os.mkdir(path + b"/inner")
    give_up(path, owner)
    assert os.listdir(folder) == []
    os.close(owned(path))


def test_an_owner_of_a_removed_directory_owns_nothing_of_the_next_one(folder):
    path = folder + b"/a"
    first = owned(path)
    os.rename(path, folder + b"/b")
    second = owned(path)  # the lock of the first is another file's
    assert claim(path) is None
    os.close(first)
    os.close(second)


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(folder):
    living = owned(folder + b"/living")
    script = (
        "import os, sys; from fleetcc.store.owned import claim; claim(sys.argvb[1]); os.kill(os.getpid(), 9)"
    )
    script = script.replace("sys.argvb[1]", "os.fsencode(sys.argv[1])")
    ended = subprocess.run([sys.executable, "-c", script, os.fsdecode(folder + b"/dead")], check=False)
    assert ended.returncode == -9
    os.makedirs(folder + b"/.gone-1234/x")  # its remover was killed
    os.mkdir(folder + b"/half-made")
    with open(folder + b"/a-file", "wb"):
        pass
    remove_leftovers(folder)
    assert sorted(os.listdir(folder)) == [b"a-file", b"living"]
    os.close(living)


def test_an_empty_claim_removes_what_a_dead_owner_left(folder):
    path = folder + b"/a"
    os.makedirs(path + b"/1/usr")
    os.close(owned(path))
    owner = claim_empty(path)
    assert owner is not None
    assert os.listdir(path) == [b"owner"]
    assert claim_empty(path) is None
    os.close(owner)


def test_private_directories_are_made_with_their_parents(folder):
    path = folder + b"/a/b/c"
    make_private(path)
    make_private(path)
    for made in (path, os.path.dirname(path)):
        assert stat.S_IMODE(os.stat(made).st_mode) == 0o700


def test_links_are_removed_and_not_followed(folder):
    os.makedirs(folder + b"/outside")
    with open(folder + b"/outside/kept", "wb"):
        pass
    os.mkdir(folder + b"/tree")
    os.symlink(folder + b"/outside", folder + b"/tree/link")
    remove_tree(folder + b"/tree")
    assert os.listdir(folder) == [b"outside"]
    assert os.listdir(folder + b"/outside") == [b"kept"]
    os.symlink(folder + b"/outside", folder + b"/tree")
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        remove_tree(folder + b"/tree")
    assert os.listdir(folder + b"/outside") == [b"kept"]


def test_a_tree_deeper_than_any_path_is_removed(folder):
    os.mkdir(folder + b"/tree")
    here = os.open(folder + b"/tree", os.O_PATH)
    for _ in range(300):
        os.mkdir(b"a-longer-name", dir_fd=here)
        os.close(os.open(b"f", os.O_CREAT, dir_fd=here))
        inner = os.open(b"a-longer-name", os.O_PATH, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_tree(folder + b"/tree")
    assert os.listdir(folder) == []
