"""Which paths a replica takes."""

import pytest

from fleetcc.store.errors import BadUpdateError
from fleetcc.store.paths import check_path, check_target, parent_of
from fleetcc.wire.files import MAX_PATH_BYTES


@pytest.mark.parametrize(
    "path",
    [b"/a", b"/a/b.h", b"/...", b"/.hidden/..x/x..", b"/\xff\xfe", b"/a\nb", b"/" + b"n" * 255, b"/a/b\n"],
)
def test_plain_absolute_paths_are_taken(path):
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        b"", b"/", b"a", b"a/b", b"//a", b"/a//b", b"/a/", b"/.", b"/..", b"/a/.", b"/a/..", b"/../a",
        b"/a/../b", b"/./a", b"/a\0b", b"/" + b"n" * 256, b"/a/../../etc/passwd",
    ],
)  # fmt: skip
def test_other_paths_are_refused(path):
    with pytest.raises(BadUpdateError, match="expected an absolute one"):
        check_path(path)


def test_a_path_is_as_long_as_linux_takes_and_no_longer():
    longest = b"/a" * 2047 + b"b"
    assert len(longest) == MAX_PATH_BYTES
    check_path(longest)
    with pytest.raises(BadUpdateError, match="4096 bytes"):
        check_path(longest + b"c")


def test_a_link_may_lead_anywhere_that_a_link_can_name():
    check_target(b"/l", b"../../../../etc/passwd")
    for target in (b"", b"a\0b", b"t" * 4096):
        with pytest.raises(BadUpdateError, match="/l"):
            check_target(b"/l", target)


def test_the_parent_of_a_top_level_path_is_the_root():
    assert parent_of(b"/usr/include") == b"/usr"
    assert parent_of(b"/usr") == b""
