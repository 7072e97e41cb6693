import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.files.disk import MAX_LINKS, RealDisk
from fleetcc.files.trail import Trails
from fleetcc.wire.files import Directory, Entry, Link


@pytest.fixture
def trails() -> Iterator[Trails]:
    disk = RealDisk()
    yield Trails(disk)
    disk.close()


@pytest.fixture
def root(tmp_path) -> bytes:
    return os.fsencode(tmp_path.resolve())


def _below(root: bytes, entries: dict[bytes, Entry]) -> dict[bytes, Entry]:
    return {path[len(root) + 1 :]: entry for path, entry in entries.items() if path.startswith(root + b"/")}


def test_a_plain_path_passes_its_directories(trails, root, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/x.h").touch()
    trail = trails.of(root + b"/a//b/./x.h")
    assert trail.real == root + b"/a/b/x.h"
    assert not trail.is_directory
    assert _below(root, trail.entries) == {b"a": Directory(), b"a/b": Directory()}
    assert {root, root + b"/a", root + b"/a/b", b"/"} <= trail.parents


def test_dot_dot_leaves_what_a_link_led_to(trails, root, tmp_path: Path) -> None:
    """As the kernel takes it: not the directory that holds the link."""
    (tmp_path / "far/deep").mkdir(parents=True)
    (tmp_path / "far/x.h").touch()
    (tmp_path / "link").symlink_to("far/deep")
    trail = trails.of(root + b"/link/../x.h")
    assert trail.real == root + b"/far/x.h"
    assert _below(root, trail.entries) == {
        b"link": Link(b"far/deep"),
        b"far": Directory(),
        b"far/deep": Directory(),
    }


def test_links_of_links_and_of_files_are_all_there(trails, root, tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2/real.h").touch()
    (tmp_path / "v2/x.h").symlink_to("real.h")
    (tmp_path / "current").symlink_to(tmp_path / "latest")
    (tmp_path / "latest").symlink_to("./v2/")
    trail = trails.of(root + b"/current/x.h")
    assert trail.real == root + b"/v2/real.h"
    assert _below(root, trail.entries) == {
        b"current": Link(root + b"/latest"),
        b"latest": Link(b"./v2/"),
        b"v2": Directory(),
        b"v2/x.h": Link(b"real.h"),
    }


def test_what_is_not_there_has_the_way_until_there(trails, root, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").touch()
    (tmp_path / "a/gone").symlink_to("../nowhere/x.h")
    for path in (
        b"/a/none/x.h",
        b"/a/gone",
        b"/a/gone/x.h",
        b"/a/file/x.h",
        b"/a/file/../x.h",
        b"/a/none/..",
    ):
        trail = trails.of(root + path)
        assert trail.real is None
        assert _below(root, trail.entries)[b"a"] == Directory()


def test_links_that_go_in_circles_end(trails, root, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert trails.of(root + b"/a/x.h").real is None
    assert trails.of(root + b"/a").real is None


@pytest.mark.parametrize("links", [MAX_LINKS, MAX_LINKS + 1])
def test_as_many_links_are_followed_as_linux_follows(trails, root, tmp_path: Path, links: int) -> None:
    (tmp_path / "0").touch()
    for number in range(links):
        (tmp_path / str(number + 1)).symlink_to(str(number))
    path = root + b"/%d" % links
    assert (trails.of(path).real is not None) == os.path.exists(path) == (links == MAX_LINKS)


def test_the_root_and_what_is_above_it(trails) -> None:
    for path in (b"/", b"//", b"/..", b"/./../"):
        trail = trails.of(path)
        assert trail.real == b"/"
        assert trail.is_directory
        assert not trail.entries


def test_a_path_of_a_thousand_directories_is_walked(trails) -> None:
    assert trails.of(b"/" + b"usr/../" * 1000 + b"usr").real == b"/usr"
    assert trails.of(b"/none" * 800).real is None
