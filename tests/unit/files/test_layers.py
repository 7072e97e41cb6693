import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcc.files.digests import ChangedError, Digests
from fleetcc.files.disk import RealDisk
from fleetcc.files.layers import Layers
from fleetcc.includes.disk import Stamp
from fleetcc.wire.files import Directory, File, Link
from tests.support.disk_edits import next_tick


@dataclass(frozen=True, eq=False)
class _Closure:
    files: Mapping[bytes, Stamp]
    directories: frozenset[bytes]


class _World:
    """A project of two headers, one of them behind a link."""

    def __init__(self, root: Path, *, watch: bool) -> None:
        self.root = root
        (root / "v1").mkdir()
        (root / "v1/x.h").write_bytes(b"x")
        (root / "current").symlink_to("v1")
        (root / "unit.c").write_bytes(b"unit")
        (root / "tool").write_bytes(b"#!")
        (root / "tool").chmod(0o755)
        self.disk = RealDisk(watch=watch, clock=lambda: time.time_ns() + 10**9)
        self.digests = Digests()
        self.layers = Layers(self.disk, self.digests)

    def path(self, name: str) -> bytes:
        return os.fsencode(self.root / name)

    def closure(self, *names: str, directories: tuple[str, ...] = ()) -> _Closure:
        files = {self.path(name): self.disk.file(self.path(name)) for name in names}
        return _Closure(files, frozenset(map(self.path, directories)))

    def edit(self) -> None:
        next_tick()
        self.disk.begin()


@pytest.fixture(params=[True, False], ids=["watched", "by stats alone"])
def world(request, tmp_path) -> Iterator[_World]:
    world = _World(tmp_path.resolve(), watch=request.param)
    yield world
    world.disk.close()


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def test_a_layer_has_files_links_and_directories_at_real_paths(world) -> None:
    layer = world.layers.of(world.closure("unit.c", "current/../current/x.h", "tool"))
    root = world.path("").rstrip(b"/") + b"/"
    below = {path[len(root) :]: entry for path, entry in layer.entries.items() if path.startswith(root)}
    mtime_ns = os.stat(world.path("v1/x.h")).st_mtime_ns
    assert below.pop(b"v1/x.h") == File(_digest(b"x"), 1, mtime_ns, executable=False)
    tool, unit = below.pop(b"tool"), below.pop(b"unit.c")
    assert isinstance(tool, File)
    assert tool.executable
    assert isinstance(unit, File)
    assert not unit.executable
    assert below == {b"v1": Directory(), b"current": Link(b"v1")}
    above = {path: entry for path, entry in layer.entries.items() if not path.startswith(root)}
    assert set(above) == {os.fsencode(parent) for parent in [world.root, *world.root.parents][:-1]}
    assert set(above.values()) == {Directory()}


def test_directories_that_were_consulted_are_told_by_their_real_paths(world) -> None:
    closure = world.closure("unit.c", directories=("current", "none", "current/none", "v1/x.h"))
    layer = world.layers.of(closure)
    told = {world.path(name) for name in ("v1", "none", "current/none", "v1/x.h")}
    assert layer.directories == {*told, os.fsencode(world.root)}  # where the way to what is missing ended
    assert layer.entries[world.path("v1")] == Directory()
    assert layer.entries[world.path("current")] == Link(b"v1")
    assert world.path("none") not in layer.entries


def test_what_needs_hashing_is_told_once(world) -> None:
    closure = world.closure("unit.c", "v1/x.h")
    missing = world.layers.missing(closure)
    assert [path for path, _ in missing] == list(closure.files)
    world.digests.compute(missing)
    assert world.layers.missing(closure) == []
    layer = world.layers.of(closure)
    assert world.layers.missing(closure) == []
    assert world.layers.missing(world.closure("v1/x.h", "unit.c")) == []
    assert world.layers.of(closure) is layer


def test_a_layer_is_the_same_object_until_something_changes(world) -> None:
    closure = world.closure("current/x.h", directories=("current",))
    layer = world.layers.of(closure)
    for change in (lambda: None, (world.root / "v1/object.o").touch):
        change()
        world.edit()
        assert world.layers.of(closure) is layer


def test_another_way_to_the_same_file_is_another_layer(world) -> None:
    """The files' stamps stay what they were, so the closure is the same."""
    closure = world.closure("current/x.h")
    layer = world.layers.of(closure)
    (world.root / "v1").rename(world.root / "v2")
    (world.root / "v1").symlink_to("v2")
    world.edit()
    changed = world.layers.of(closure)
    assert changed is not layer
    assert changed.entries[world.path("v1")] == Link(b"v2")
    assert isinstance(changed.entries[world.path("v2/x.h")], File)
    assert world.path("v1/x.h") not in changed.entries
    (world.root / "current").unlink()
    (world.root / "current").symlink_to("./v2")
    world.edit()
    assert world.layers.of(closure).entries[world.path("current")] == Link(b"./v2")


def test_a_changed_file_has_another_entry(world) -> None:
    before = world.layers.of(world.closure("v1/x.h"))
    next_tick()
    (world.root / "v1/x.h").write_bytes(b"y")
    world.edit()
    after = world.layers.of(world.closure("v1/x.h"))
    one, other = before.entries[world.path("v1/x.h")], after.entries[world.path("v1/x.h")]
    assert isinstance(one, File)
    assert isinstance(other, File)
    assert (one.digest, other.digest) == (_digest(b"x"), _digest(b"y"))


def test_a_file_that_has_gone_since_is_named(world) -> None:
    closure = world.closure("current/x.h")
    world.layers.missing(closure)
    (world.root / "v1/x.h").unlink()
    world.disk.begin()
    with pytest.raises(FileNotFoundError, match=r"x\.h"):
        world.layers.of(closure)
    (world.root / "v1/x.h").mkdir()
    world.disk.begin()
    with pytest.raises(ChangedError, match=r"x\.h"):
        world.layers.of(closure)


def test_a_list_of_paths_makes_a_layer_too(world) -> None:
    names = ("tool", "current", "current/x.h", "none")
    layer = world.layers.of_paths(tuple(map(world.path, names)))
    assert isinstance(layer.entries[world.path("tool")], File)
    assert isinstance(layer.entries[world.path("v1/x.h")], File)
    assert layer.entries[world.path("current")] == Link(b"v1")
    assert world.path("none") not in layer.entries
    assert layer.directories == {world.path("v1"), world.path("none"), os.fsencode(world.root)}
    world.edit()
    assert world.layers.of_paths(tuple(map(world.path, names))) is layer
    (world.root / "none").touch()
    world.edit()
    assert isinstance(world.layers.of_paths(tuple(map(world.path, names))).entries[world.path("none")], File)
