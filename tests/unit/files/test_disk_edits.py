"""Whatever is done to files, the disk never takes one content for another."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcc.files.disk import RealDisk
from fleetcc.files.trail import Trails
from fleetcc.includes.disk import Listing, Stamp
from fleetcc.wire.files import Link
from tests.support.disk_edits import EDITS, FOLDERS, PATHS, Tree, next_tick

# Names beyond what is edited: links lead there.
_EXTRA = ("a-away/x.h", "b-away/y.h", "outside")

_Edit: TypeAlias = tuple[Callable[[Tree, str, str], None], str, str]
_EDIT = st.tuples(st.sampled_from(EDITS), st.sampled_from(PATHS), st.sampled_from(PATHS))
_ROUNDS = st.lists(st.lists(_EDIT, min_size=1, max_size=4), min_size=1, max_size=6)


class _Watcher:
    """Asks the disk for everything in each moment, and holds its answers against the truth."""

    def __init__(self, disk: RealDisk, root: Path) -> None:
        self.disk = disk
        self.trails = Trails(disk)
        self.files = [os.fsencode(root / path) for path in (*PATHS, *_EXTRA)]
        self.folders = [os.fsencode(root / folder) for folder in (*FOLDERS, "a-away", ".")]
        self.seen: dict[tuple[bytes, Stamp], bytes] = {}
        self.listings: dict[bytes, Listing | None] = {}
        self.last: list[tuple[dict[bytes, Stamp], dict[bytes, Listing | None], dict[bytes, bytes]]] = []

    def look(self) -> None:
        self.disk.begin()
        truth = {path: content for path in self.files if (content := _content(path)) is not None}
        self._check_promises(truth)
        stamps: dict[bytes, Stamp] = {}
        for path in self.files:
            stamp = self.disk.file(path)
            assert (stamp is None) == (path not in truth), path
            if stamp is not None:
                assert self.seen.setdefault((path, stamp), truth[path]) == truth[path], path
                stamps[path] = stamp
        listings = {folder: self.disk.listing(folder) for folder in self.folders}
        for folder, listing in listings.items():
            names = frozenset(os.listdir(folder)) if os.path.isdir(folder) else None
            assert (listing.names if listing else None) == names, folder
            before = self.listings.get(folder)
            assert (before is not None and before.names == names) <= (before is listing), folder
        self.listings = listings
        assert self.disk.still(stamps, listings)
        assert self.disk.still(stamps, listings)
        self.last.append((stamps, listings, truth))
        self._check_trails()

    def _check_promises(self, truth: dict[bytes, bytes]) -> None:
        """`still` of an earlier moment is only said of what is the same now."""
        for stamps, listings, contents in self.last:
            if self.disk.still(stamps, listings):
                assert {path: truth.get(path) for path in stamps} == {path: contents[path] for path in stamps}
                for folder, listing in listings.items():
                    names = frozenset(os.listdir(folder)) if os.path.isdir(folder) else None
                    assert (listing.names if listing else None) == names, folder

    def _check_trails(self) -> None:
        for path in (*self.files, *self.folders):
            trail = self.trails.of(path)
            exists = os.path.exists(path)
            assert trail.real == (os.path.realpath(path) if exists else None), path
            for place, entry in trail.entries.items():
                assert os.path.realpath(os.path.dirname(place)) == os.path.dirname(place)
                assert os.path.islink(place) == isinstance(entry, Link)


def _tree(folder: str) -> Tree:
    root = Path(folder) / "root"
    root.mkdir()
    return Tree(root)


def _content(path: bytes) -> bytes | None:
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("watch", [True, False], ids=["watched", "by stats alone"])
@given(rounds=_ROUNDS)
@settings(deadline=None, max_examples=25)
def test_edits_in_the_same_tick_are_seen(watch: bool, rounds: list[list[_Edit]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = _tree(folder)
        watcher = _Watcher(disk := RealDisk(watch=watch), tree.root)
        watcher.look()
        for edits in rounds:
            for edit in edits:
                tree.edit(*edit)
            watcher.look()
        disk.close()


@pytest.mark.parametrize("watch", [True, False], ids=["watched", "by stats alone"])
@given(rounds=_ROUNDS)
@settings(deadline=None, max_examples=25)
def test_edits_of_old_files_are_seen(watch: bool, rounds: list[list[_Edit]]) -> None:
    """Nothing is young for this disk: what it says rests on its watches, or on ctimes.

    It takes a second look until a directory is not looked at any more, because all on its path are watched.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = _tree(folder)
        next_tick()
        disk = RealDisk(watch=watch, clock=lambda: time.time_ns() + 10**9)
        watcher = _Watcher(disk, tree.root)
        watcher.look()
        watcher.look()
        for edits in rounds:
            next_tick()
            for edit in edits:
                tree.edit(*edit)
            next_tick()
            watcher.look()
            watcher.look()
        disk.close()
