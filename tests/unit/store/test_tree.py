"""How far a tree's disk is behind; without a disk."""

import pytest

from fleetcc.store.blobs import BlobStore
from fleetcc.store.desired import Desired
from fleetcc.store.tree import Tree
from fleetcc.store.tree_disk import TreeDisk
from fleetcc.wire.files import Link
from tests.unit.store.pictures import digest_of, file_of

A, B, C = file_of(b"a"), file_of(b"b"), file_of(b"c")


@pytest.fixture
def blobs(tmp_path):
    made = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    yield made
    made.close()


@pytest.fixture
def tree(blobs):
    return Tree(TreeDisk(b"/never/made", blobs), Desired())


def change(tree, number, puts=None, removes=()):
    tree.change(tree.desired.plan(puts or {}, removes, 1 << 40), number)


def do(tree, *lacking, arrived=()):
    """One turn of the worker; the paths that wait now."""
    taken = tree.take()
    return [path for path, _ in tree.settle(taken, [path for path in lacking if path in taken], arrived)]


def test_an_unused_tree_needs_no_directory(tree):
    assert not tree.has_work
    tree.begin()
    assert tree.take() == {b"": None}


def test_an_update_is_complete_when_it_and_all_before_it_are_on_disk(tree):
    change(tree, 1, {b"/a": A})
    change(tree, 2, {b"/b": B})
    assert not tree.ready_for(0)
    assert do(tree, b"/a") == [b"/a"]
    assert [tree.ready_for(number) for number in (0, 1, 2)] == [True, False, False]
    assert not tree.has_work
    tree.arrived(A.digest, 1)
    assert tree.take() == {b"/a": A}


def test_what_a_later_update_took_back_does_not_hold_an_earlier_one_up(tree):
    change(tree, 1, {b"/a": A})
    do(tree, b"/a")
    change(tree, 2, {b"/a": B})
    assert do(tree, b"/a") == [b"/a"]
    assert tree.ready_for(1)
    assert not tree.ready_for(2)
    tree.arrived(A.digest, 1)  # nobody wants it any more
    assert not tree.has_work


def test_other_times_leave_a_path_with_the_update_that_wanted_its_content(tree):
    change(tree, 1, {b"/a": A})
    do(tree, b"/a")
    change(tree, 2, {b"/a": file_of(b"a", 7)})
    do(tree, b"/a")
    assert not tree.ready_for(1)
    tree.arrived(A.digest, 1)
    do(tree)
    assert tree.ready_for(2)


def test_what_changes_during_the_work_is_done_again(tree):
    tree.begin()
    do(tree)
    change(tree, 1, {b"/a": A, b"/b": A})
    taken = tree.take()
    change(tree, 2, {b"/a": B}, (b"/b",))
    assert tree.settle(taken, (), ()) == []
    assert not tree.ready_for(2)
    assert tree.take() == {b"/a": B, b"/b": None}


def test_what_changes_there_and_back_during_the_work_is_right(tree):
    change(tree, 1, {b"/a": A})
    taken = tree.take()
    change(tree, 2, {b"/a": B})
    change(tree, 3, {b"/a": A})
    tree.settle(taken, (), ())
    do(tree)
    assert tree.ready_for(3)


def test_a_blob_that_came_during_the_work_is_not_waited_for(tree):
    change(tree, 1, {b"/a": A})
    assert do(tree, b"/a", arrived={A.digest}) == []
    assert tree.take() == {b"/a": A}


def test_a_blob_of_another_size_than_told_is_as_if_it_had_gone(tree):
    change(tree, 1, {b"/a": A})
    change(tree, 2, {b"/b": A.__class__(A.digest, 7, 0)})
    do(tree, b"/a", b"/b")
    assert tree.arrived(A.digest, 1) == 2
    assert tree.take() == {b"/a": A, b"/b": None}


def test_paths_whose_blobs_are_gone_go(tree):
    change(tree, 1, {b"/a": A})
    change(tree, 2, {b"/b": B, b"/c": C})
    do(tree, b"/b", b"/c")
    assert tree.gone({digest_of(b"x")}) is None
    assert tree.gone({A.digest}) is None  # it is there already
    assert tree.gone({B.digest}) == 2
    assert set(tree.desired.entries) == {b"/a", b"/c"}
    assert not tree.ready_for(2)
    tree.arrived(C.digest, 1)
    do(tree)
    assert tree.ready_for(2)


def test_what_a_fork_is_to_get_from_its_parent_does_not_go(tree, blobs):
    change(tree, 1, {b"/a": A, b"/b": B})
    do(tree, b"/b")
    twin = tree.fork(TreeDisk(b"/never", blobs, tree.disk))
    assert twin.gone({A.digest, B.digest}) == 1
    assert set(twin.desired.entries) == {b"/a"}
    assert set(tree.desired.entries) == {b"/a", b"/b"}
    assert not twin.ready_for(0)
    assert twin.take() == {b"/a": A, b"/b": None}


def test_what_comes_where_something_pending_was_is_a_change(tree):
    change(tree, 1, {b"/a": A})
    do(tree)
    change(tree, 2, removes=(b"/a",))
    change(tree, 3, {b"/a": B})  # and A is on disk still
    assert tree.last_change == 3


def test_a_change_is_what_a_job_could_notice(tree):
    change(tree, 1, {b"/d/a": A, b"/l": Link(b"x")})
    assert tree.last_change == 0
    for number, (puts, removes, notices) in enumerate(
        [
            ({b"/d/b": B}, (), False),
            ({b"/d/a": file_of(b"a", 5)}, (), False),
            ({b"/d/a": file_of(b"a", 5, executable=True)}, (), True),
            ({b"/d/a": B}, (), True),
            ({}, (b"/d/b",), True),
            ({b"/l": Link(b"y")}, (), True),
            ({b"/d": A}, (), True),
        ],
        start=2,
    ):
        do(tree)
        plan = tree.desired.plan(puts, removes, 1 << 40)
        assert tree.would_change(plan) is notices
        tree.change(plan, number)
        assert (tree.last_change == number) is notices
