"""What a tree is to hold."""

import pytest

from fleetcc.store import desired as module
from fleetcc.store.desired import DIRECTORY, Desired, is_same_content, taken_bytes
from fleetcc.store.errors import BadUpdateError, ReplicaFullError
from fleetcc.wire.files import Directory, Link
from tests.unit.store.pictures import file_of

LIMIT = 1 << 40
A, B = file_of(b"a"), file_of(b"b")


def holding(**puts):
    """Entries by name, `_` for a slash."""
    return built({b"/" + name.replace("_", "/").encode(): entry for name, entry in puts.items()})


def built(puts):
    found = Desired()
    found.apply(found.plan(puts, (), LIMIT))
    return found


def change(tree, puts=None, removes=()):
    changes = tree.plan(puts or {}, removes, LIMIT)
    tree.apply(changes)
    return changes


def test_parents_are_made_as_directories_and_stay():
    tree = holding(a_b_c=A)
    assert tree.entries == {b"/a": DIRECTORY, b"/a/b": DIRECTORY, b"/a/b/c": A}
    change(tree, removes=(b"/a/b/c",))
    assert tree.entries == {b"/a": DIRECTORY, b"/a/b": DIRECTORY}


def test_a_removal_takes_everything_below_and_nothing_beside():
    tree = holding(a_b_c=A, a_b_d=A, ab=B)
    tree.apply(tree.plan({b"/a.h": B}, (b"/a",), LIMIT))
    assert tree.entries == {b"/ab": B, b"/a.h": B}
    assert change(tree, removes=(b"/a",)) == {}


def test_a_removal_comes_before_the_puts():
    tree = holding(a_b=A, a_c=A)
    assert change(tree, {b"/a/b": A}, (b"/a",)) == {b"/a/c": None}


@pytest.mark.parametrize(("over", "word"), [(Link(b"/etc"), "a symbolic link"), (A, "a file")])
def test_nothing_is_put_below_a_link_or_a_file(over, word):
    tree = holding(a=over)
    with pytest.raises(BadUpdateError, match=rf"b'/a/b/passwd' is below b'/a', which is {word}"):
        change(tree, {b"/a/b/passwd": A})
    assert tree.entries == {b"/a": over}


@pytest.mark.parametrize("puts", [{b"/a": Link(b"x"), b"/a/b": A}, {b"/a/b": A, b"/a": Link(b"x")}])
def test_nor_in_one_update_in_any_order(puts):
    with pytest.raises(BadUpdateError, match="below"):
        change(Desired(), puts)
    with pytest.raises(BadUpdateError, match="below"):
        change(holding(a_b=A), puts)


def test_a_directory_becomes_a_file_and_a_file_a_directory():
    tree = holding(a_b_c=A, d=A)
    change(tree, {b"/a": B, b"/d": Directory(), b"/d/e": B})
    assert tree.entries == {b"/a": B, b"/d": DIRECTORY, b"/d/e": B}
    change(tree, {b"/a/x": A}, removes=(b"/a",))
    assert tree.entries == {b"/a": DIRECTORY, b"/a/x": A, b"/d": DIRECTORY, b"/d/e": B}


def test_what_is_as_it_was_is_no_change():
    tree = holding(a_b=A, l=Link(b"a"))
    assert change(tree, {b"/a/b": A, b"/l": Link(b"a"), b"/a": Directory()}) == {}


def test_the_root_is_a_directory_and_nothing_else():
    tree = Desired()
    assert change(tree, {b"/": Directory()}) == {}
    for puts, removes in (({b"/": A}, ()), ({}, (b"/",))):
        with pytest.raises(BadUpdateError):
            change(tree, puts, removes)


def test_a_bad_path_or_target_anywhere_refuses_all_of_it():
    tree = holding(a=A)
    bad = [({b"/x": B, b"/../y": B}, ()), ({b"/x": B}, (b"/a/..",)), ({b"/x": B, b"/l": Link(b"a\0")}, ())]
    for puts, removes in bad:
        with pytest.raises(BadUpdateError):
            change(tree, puts, removes)
    assert tree.entries == {b"/a": A}


def test_names_that_differ_in_case_are_two():
    assert change(holding(a=A), {b"/A": B}) == {b"/A": B}


def test_there_are_limits_for_entries_and_bytes(monkeypatch):
    monkeypatch.setattr(module, "MAX_REPLICA_ENTRIES", 4)
    tree = holding(a_b_c=A)
    change(tree, {b"/d": A})
    with pytest.raises(ReplicaFullError, match="5 entries"):
        change(tree, {b"/e": A})
    change(tree, {b"/e": A}, (b"/d",))
    monkeypatch.setattr(module, "MAX_PATHS_BYTES", 100)
    with pytest.raises(ReplicaFullError, match="bytes of paths"):  # before all parents are made
        change(tree, {b"/x" * 2000: A})
    with pytest.raises(ReplicaFullError, match="101 bytes of paths"):
        change(tree, {b"/" + b"n" * 88: A}, (b"/e",))
    with pytest.raises(ReplicaFullError, match="bytes in a replica"):
        tree.plan({b"/e": file_of(b"x" * 5000)}, (), 5 * 4096 - 1)


def test_bytes_are_whole_blocks_and_go_with_what_took_them():
    tree = holding(a=file_of(b"x" * 4097), l=Link(b"a"), e=file_of(b""))
    assert tree.bytes == 4 * 4096
    change(tree, {b"/a": A}, (b"/l", b"/e"))
    assert tree.bytes == taken_bytes(A) == 4096
    change(tree, removes=(b"/a",))
    assert tree.bytes == 0


def test_a_copy_is_another_one():
    tree = holding(a_b=A)
    twin = tree.copy()
    change(twin, removes=(b"/a",))
    change(tree, {b"/a/c": A})
    assert twin.entries == {}
    assert twin.bytes == 0
    change(tree, removes=(b"/a",))
    assert tree.entries == {}


def test_times_alone_are_the_same_content():
    assert is_same_content(A, file_of(b"a", 5))
    assert not is_same_content(A, file_of(b"a", executable=True))
    assert not is_same_content(A, B)
    assert not is_same_content(A, None)
    assert is_same_content(Link(b"a"), Link(b"a"))
    assert not is_same_content(Link(b"a"), Link(b"b"))
    assert not is_same_content(Directory(), A)
