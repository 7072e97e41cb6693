"""What is collected of what a program has left."""

import os

import pytest

from fleetcc.sandbox.scratch import Collected, Scratch, TooMuch


@pytest.fixture
def upper(tmp_path):
    """The program's upper layer."""
    (tmp_path / "upper").mkdir()
    return tmp_path / "upper"


@pytest.fixture
def tree(tmp_path):
    """The tree below it."""
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


@pytest.fixture
def collect(upper, tree):
    """Collect from them. The descriptor is older than whatever the program does to modes."""
    scratch = Scratch(os.open(upper, os.O_RDONLY | os.O_DIRECTORY))

    def collected(*returns, existing=(), **limits):
        return scratch.collect(os.fsencode(tree), returns, existing, **limits)

    yield collected
    scratch.close()


def write(path, text="x", mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def paths(left):
    assert isinstance(left, Collected), left
    return sorted(file.path for file in left.files)


def test_files_come_with_mode_size_and_content(upper, collect):
    write(upper / "a/b/x.o", "object", 0o640)
    write(upper / "a/b/run", "text", 0o4755)

    left = collect(b"/a")

    assert isinstance(left, Collected)
    found = {file.path: (file.mode, file.size_bytes, file.read()) for file in left.files}
    assert found == {b"/a/b/x.o": (0o640, 6, b"object"), b"/a/b/run": (0o755, 4, b"text")}


def test_only_what_is_below_the_directories_is_left(upper, collect):
    for name in ("a/x", "ab/x", "b/x", "tmp/x", "dev/x"):
        write(upper / name)

    assert paths(collect(b"/a", b"/c/d")) == [b"/a/x"]


def test_the_root_gives_all_but_devices_and_processes(upper, collect):
    for name in ("a/x", "x", "dev/null", "proc/x", "a/dev/x"):
        write(upper / name)

    assert paths(collect(b"/")) == [b"/a/dev/x", b"/a/x", b"/x"]


def test_each_file_is_left_once(upper, collect):
    write(upper / "a/b/x")

    assert paths(collect(b"/a/b", b"/a", b"/a/", b"/a/../a/b")) == [b"/a/b/x"]


def test_paths_are_as_the_directory_was_spelled(upper, collect):
    write(upper / "a/b/x")

    assert paths(collect(b"/a/./b/")) == [b"/a/./b/x"]


def test_links_of_the_tree_are_resolved_within_it(upper, tree, collect):
    write(upper / "real/x")
    write(upper / "etc/x")
    (tree / "real").mkdir()
    (tree / "link").symlink_to("/real")
    (tree / "up").symlink_to("../../../real/./")
    (tree / "chain").symlink_to("link")

    for name in (b"/link", b"/up", b"/chain"):
        assert paths(collect(name)) == [name + b"/x"]


def test_links_of_the_program_count_before_those_of_the_tree(upper, tree, collect):
    write(upper / "new/x")
    (upper / "link").symlink_to("new")
    (tree / "link").symlink_to("old")

    assert paths(collect(b"/link")) == [b"/link/x"]


def test_a_link_does_not_lead_out(upper, tmp_path, collect):
    write(tmp_path / "outside/secret")
    (upper / "a").mkdir()
    (upper / "a/file").symlink_to(tmp_path / "outside/secret")
    (upper / "a/folder").symlink_to(tmp_path / "outside")
    (upper / "b").symlink_to(tmp_path / "outside")
    (upper / "c").symlink_to("../outside")

    left = collect(b"/a", b"/b", b"/c", b"/a/folder")

    assert isinstance(left, Collected)
    assert (left.files, left.others) == ((), 2)


def test_a_loop_of_links_leads_nowhere(upper, tree, collect):
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    (upper / "me").symlink_to("me/me")

    assert paths(collect(b"/a", b"/me", b"/me/" * 1000)) == []


def test_what_is_no_file_is_counted(upper, collect):
    (upper / "a").mkdir()
    os.mkfifo(upper / "a/pipe")
    (upper / "a/link").symlink_to("pipe")

    left = collect(b"/a")

    assert left == Collected((), 2)


def test_a_file_where_a_directory_was_asked_for_is_nothing(upper, collect):
    write(upper / "a")

    assert paths(collect(b"/a", b"/a/b")) == []


def test_modes_do_not_stop_it(upper, collect):
    write(upper / "a/b/x", "text", 0)
    (upper / "a/b").chmod(0)
    (upper / "a").chmod(0)
    upper.chmod(0)

    left = collect(b"/a/b")

    assert isinstance(left, Collected)
    assert [(file.mode, file.read()) for file in left.files] == [(0, b"text")]


def test_what_lies_too_deep_is_counted(upper, collect):
    write(upper / "d/x")
    (upper / "d/d").joinpath(*["d"] * 250).mkdir(parents=True)

    left = collect(b"/d")

    assert paths(left) == [b"/d/x"]
    assert isinstance(left, Collected)
    assert left.others == 1


def test_what_has_too_long_a_path_is_counted(upper, collect):
    write(upper / "d/x")

    assert collect(b"/d" + b"/./" * 2000) == Collected((), 1)


def test_too_many_files_are_told(upper, collect):
    for number in range(4):
        write(upper / f"a/{number}")

    assert isinstance(collect(b"/a", max_files=4), Collected)
    assert isinstance(collect(b"/a", max_files=3), TooMuch)


def test_too_many_bytes_are_told_even_of_holes(upper, collect):
    write(upper / "a/x")
    os.truncate(upper / "a/x", 1 << 31)

    left = collect(b"/a")

    assert isinstance(left, TooMuch)
    assert "locally" in left.sentence


def test_outputs_that_were_there_are_untouched_written_or_removed(upper, tree, collect):
    for name in ("untouched.o", "written.o", "replaced.o"):
        write(upper / "w" / name)
        os.utime(upper / "w" / name, ns=(0, 1))
    write(upper / "w/written.o")
    (upper / "w/replaced.o").unlink()
    (upper / "w/replaced.o").mkdir()
    write(tree / "w/of-the-tree.o")
    write(tree / "w/gone.o")
    if os.geteuid() == 0:
        os.mknod(upper / "w/gone.o", 0o20000, 0)  # the overlay's mark
    names = ("untouched.o", "written.o", "replaced.o", "of-the-tree.o", "gone.o", "removed.o", "none/x.o")

    left = collect(b"/w", existing=[b"/w/" + name.encode() for name in names])

    assert paths(left) == [b"/w/written.o"]
    assert isinstance(left, Collected)
    gone = [b"/w/gone.o"] if os.geteuid() == 0 else []
    assert left.removed == (*gone, b"/w/removed.o", b"/w/none/x.o")


def test_a_closed_scratch_stays_closed(upper):
    scratch = Scratch(os.open(upper, os.O_RDONLY))
    scratch.close()
    scratch.close()
