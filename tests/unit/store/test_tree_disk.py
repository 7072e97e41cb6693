"""One tree on disk."""

import errno
import os

import pytest

from fleetcc.store.blobs import BlobStore
from fleetcc.store.desired import DIRECTORY
from fleetcc.store.errors import StoreError
from fleetcc.store.tree_disk import TreeDisk
from fleetcc.wire.files import MAX_PATH_BYTES, Entry, Link
from tests.unit.store.pictures import BIG, MTIME, disk_of, expected, file_of, store

A, B = file_of(b"a"), file_of(b"b", executable=True)
HUGE = file_of(BIG)


@pytest.fixture
def blobs(tmp_path):
    made = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    store(made, b"a", b"b", BIG)
    yield made
    made.close()


@pytest.fixture
def root(tmp_path):
    return os.fsencode(tmp_path / "1")


@pytest.fixture
def tree(root, blobs):
    return TreeDisk(root, blobs)


def is_as(tree, entries):
    return disk_of(tree.root) == expected(entries, (b"a", b"b", BIG))


def test_every_kind_of_entry_is_as_the_client_has_it(tree):
    entries = {b"/d": DIRECTORY, b"/d/a": A, b"/d/b": B, b"/d/l": Link(b"../../x"), b"/d/e": DIRECTORY}
    assert tree.apply(dict(reversed(entries.items()))) == []
    assert is_as(tree, entries)


def test_modes_are_not_the_umasks(tree):
    before = os.umask(0o077)
    try:
        tree.apply({b"/d": DIRECTORY, b"/d/a": A, b"/d/b": B})
    finally:
        os.umask(before)
    assert is_as(tree, {b"/d": DIRECTORY, b"/d/a": A, b"/d/b": B})
    assert os.stat(tree.root).st_mode & 0o777 == 0o755


def test_equal_files_have_inodes_of_their_own(tree):
    tree.apply({b"/1": A, b"/2": A, b"/3": HUGE, b"/4": HUGE})
    assert len({os.stat(tree.root + name).st_ino for name in (b"/1", b"/2", b"/3", b"/4")}) == 4
    assert os.stat(tree.root + b"/3").st_nlink == 2  # a link to the blob
    assert os.stat(tree.root + b"/4").st_nlink == 1
    assert is_as(tree, {b"/1": A, b"/2": A, b"/3": HUGE, b"/4": HUGE})


def test_a_big_file_is_linked_again_when_its_link_has_gone(tree):
    tree.apply({b"/3": HUGE})
    tree.apply({b"/3": A})
    tree.apply({b"/4": HUGE})
    assert os.stat(tree.root + b"/4").st_nlink == 2
    tree.apply({b"/4": None, b"/5": HUGE})
    assert os.stat(tree.root + b"/5").st_nlink == 2


def test_big_files_of_several_trees_share_the_blob_and_differ_in_time_if_they_must(root, blobs):
    one, two, three = (TreeDisk(root + suffix, blobs) for suffix in (b"1", b"2", b"3"))
    for tree, entry in ((one, HUGE), (two, HUGE), (three, file_of(BIG, 7))):
        tree.apply({b"/x": entry})
        assert is_as(tree, {b"/x": entry})
    assert os.stat(two.root + b"/x").st_nlink == 3
    assert three.copied_bytes > one.copied_bytes == 0


def test_what_is_replaced_is_never_half_there(tree):
    tree.apply({b"/x": A, b"/l": Link(b"1"), b"/f": A})
    with open(tree.root + b"/x", "rb") as reading:
        tree.apply({b"/x": B, b"/l": Link(b"2"), b"/f": HUGE})
        assert reading.read() == b"a"  # another inode
    assert is_as(tree, {b"/x": B, b"/l": Link(b"2"), b"/f": HUGE})
    assert not os.path.exists(tree.root + b".new")


@pytest.mark.parametrize("old", [A, HUGE, Link(b"/etc"), DIRECTORY])
@pytest.mark.parametrize("new", [B, HUGE, Link(b"/usr"), DIRECTORY, None])
def test_every_kind_becomes_every_other(tree, old, new):
    tree.apply({b"/p": DIRECTORY, b"/p/x": old})
    tree.apply({b"/p/x": new})
    assert is_as(tree, {b"/p": DIRECTORY} | ({b"/p/x": new} if new else {}))


def test_a_full_directory_becomes_a_file_and_back(tree):
    tree.apply({b"/d": DIRECTORY, b"/d/e": DIRECTORY, b"/d/e/a": A, b"/d/l": Link(b"x")})
    tree.apply({b"/d": B, b"/d/e": None, b"/d/e/a": None, b"/d/l": None})
    assert is_as(tree, {b"/d": B})
    tree.apply({b"/d": DIRECTORY, b"/d/e": A})
    assert is_as(tree, {b"/d": DIRECTORY, b"/d/e": A})


def test_a_path_whose_blob_is_not_here_is_absent_and_told(tree):
    missing, huge = file_of(b"missing"), file_of(BIG + b"x")
    assert tree.apply({b"/a": A, b"/m": missing, b"/h": huge}) == [b"/h", b"/m"]
    assert is_as(tree, {b"/a": A})
    assert tree.apply({b"/a": missing}) == [b"/a"]
    assert is_as(tree, {})


def test_other_times_and_modes_need_no_blob(root, blobs, tmp_path):
    tree = TreeDisk(root, blobs)
    tree.apply({b"/a": A, b"/h": HUGE, b"/b": B})
    for folder, _, names in os.walk(tmp_path / "blobs"):
        for name in names:
            os.unlink(os.path.join(folder, name))
    changed = {b"/a": file_of(b"a", 7), b"/h": file_of(BIG, 8), b"/b": file_of(b"b", 9)}
    assert tree.apply(changed) == []
    assert is_as(tree, changed)


def test_times_before_1970_and_far_away_are_kept_or_clamped(tree):
    tree.apply({b"/a": file_of(b"a", -1_500_000_001)})
    assert os.stat(tree.root + b"/a").st_mtime_ns == -1_500_000_001
    assert tree.apply({b"/a": file_of(b"a", -(1 << 63)), b"/b": file_of(b"b", (1 << 63) - 1)}) == []


def test_a_tree_made_of_another_shares_its_files_and_not_its_changes(root, blobs):
    old = TreeDisk(root, blobs)
    entries: dict[bytes, Entry] = {
        b"/d": DIRECTORY,
        b"/d/a": A,
        b"/b": B,
        b"/h": HUGE,
        b"/i": HUGE,
        b"/l": Link(b"x"),
    }
    old.apply(entries)
    changed: dict[bytes, Entry] = entries | {b"/b": A, b"/d/a": file_of(b"a", 5)}
    new = TreeDisk(root + b"2", blobs, old)
    assert list(new.ancestors()) == [old]
    new.apply(changed)
    assert list(new.ancestors()) == []
    assert is_as(old, entries)
    assert is_as(new, changed)
    assert os.stat(old.root + b"/i").st_ino == os.stat(new.root + b"/i").st_ino
    new.apply({b"/i": file_of(BIG, 3), b"/h": None})
    assert is_as(old, entries)
    old.remove()
    assert not os.path.exists(old.root)
    assert is_as(new, {**{k: v for k, v in changed.items() if k != b"/h"}, b"/i": file_of(BIG, 3)})


def test_a_tree_that_was_never_made_is_passed_over(root, blobs):
    first = TreeDisk(root, blobs)
    first.apply({b"/m": file_of(b"a")})
    unmade = TreeDisk(root + b"2", blobs, first)
    third = TreeDisk(root + b"3", blobs, unmade)
    third.apply({b"/m": file_of(b"a")})
    assert os.stat(third.root + b"/m").st_ino == os.stat(first.root + b"/m").st_ino


def test_a_file_with_as_many_links_as_there_may_be_is_copied(root, blobs, monkeypatch):
    old = TreeDisk(root, blobs)
    old.apply({b"/a": A, b"/h": HUGE})

    def fail(*_arguments, **_options):
        raise OSError(errno.EMLINK, "too many")

    monkeypatch.setattr(os, "link", fail)
    new = TreeDisk(root + b"2", blobs, old)
    new.apply({b"/a": A, b"/h": HUGE})
    assert is_as(new, {b"/a": A, b"/h": HUGE})
    assert new.copied_bytes >= len(BIG)


def test_bytes_are_counted_and_uncounted(tree):
    tree.apply({b"/d": DIRECTORY, b"/d/a": A, b"/h": HUGE})
    assert tree.copied_bytes == 2 * 4096
    tree.apply({b"/d/a": B})
    assert tree.copied_bytes == 2 * 4096
    tree.apply({b"/d/a": None, b"/d": None, b"/h": None})
    assert tree.copied_bytes == 0


def test_the_longest_path_and_the_longest_name(tree):
    name = b"/" + b"n" * 255
    longest = name * 15 + name[:-1]
    assert len(longest) == MAX_PATH_BYTES
    parents = {name * depth: DIRECTORY for depth in range(1, 16)}
    entries = {**parents, longest: A, b"/m" + name[2:]: B}
    assert tree.apply(entries) == []
    root = os.open(tree.root, os.O_PATH)
    assert os.stat(longest[1:], dir_fd=root).st_mtime_ns == MTIME
    os.close(root)
    tree.apply({longest: None} | dict.fromkeys(parents))
    assert os.listdir(tree.root) == [b"m" + name[2:]]


def test_paths_of_devices_hold_plain_files(tree):
    entries = {b"/dev": DIRECTORY, b"/dev/null": A, b"/proc": DIRECTORY, b"/proc/1": Link(b"/dev/sda")}
    tree.apply(entries)
    assert is_as(tree, entries)


def test_names_that_differ_in_case_are_two(tree):
    tree.apply({b"/a.h": A, b"/A.h": B})
    assert is_as(tree, {b"/a.h": A, b"/A.h": B})


@pytest.mark.parametrize("call", ["write", "mkdir", "symlink", "link", "rename"])
def test_a_disk_that_fails_is_told(tree, monkeypatch, call):
    tree.apply({b"/r": A})

    def fail(*_arguments, **_options):
        raise FileExistsError if call == "link" else OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises((OSError, StoreError)):
        tree.apply({b"/r": B, b"/d": DIRECTORY, b"/l": Link(b"x"), b"/h": HUGE})


def test_a_blob_that_shrinks_while_it_is_copied_is_told(tree, monkeypatch):
    monkeypatch.setattr("fleetcc.store.tree_disk.copy_between", lambda *_: 5)
    with pytest.raises(OSError, match="became shorter"):
        tree.apply({b"/1": HUGE, b"/2": HUGE})
