"""Limits of a machine: figures in, findings out; and a look at this one."""

import errno
import os
from dataclasses import replace

import pytest

from fleetcc.files.kernel import UNKNOWN, FileSystem
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.machine import (
    GB,
    MB,
    Machine,
    Place,
    check_machine,
    judge_machine,
    judge_place,
    look_at,
    size,
)

GOOD = Machine(
    most_descriptors=65536,
    jobs=40,
    watches=500_000,
    inotify_error=0,
    build=FileSystem(watched=True, fine=True),
    memory_available=16 * GB,
    local_slots=8,
)
PLACE = Place("state directory", "/state", 100 * MB, free_bytes=GB, free_files=10_000)


def levels(machine):
    return {finding.title: finding for finding in judge_machine(machine) if finding.level is not Level.OK}


def test_a_machine_with_enough_of_everything_is_in_order():
    assert levels(GOOD) == {}
    assert levels(replace(GOOD, most_descriptors=None, watches=None)) == {}
    assert levels(replace(GOOD, build=FileSystem(watched=False, fine=True))) == {}


@pytest.mark.parametrize(
    ("changes", "title", "remedy"),
    [
        ({"most_descriptors": 500}, "descriptors", "ulimit -Hn 576"),
        ({"watches": 8192}, "inotify", "max_user_watches"),
        ({"inotify_error": errno.EMFILE}, "inotify", "max_user_instances"),
        ({"inotify_error": errno.ENOSYS}, "inotify", "inotify_init1"),
        ({"build": UNKNOWN}, "file system", "local disk"),
        ({"memory_available": 700 * MB}, "memory", "FLEETCC_LOCAL_SLOTS=2,"),
    ],
)
def test_what_there_is_too_little_of_is_a_warning_with_its_remedy(changes, title, remedy):
    ((found, finding),) = levels(replace(GOOD, **changes)).items()
    assert (found, finding.level) == (title, Level.WARNING)
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"free_files": None}, Level.OK),
        ({"free_bytes": None}, Level.OK),
        ({"free_bytes": 50 * MB}, Level.WARNING),
        ({"free_bytes": 5 * MB}, Level.ERROR),
        ({"free_files": 10}, Level.ERROR),
        ({"is_writable": False}, Level.ERROR),
    ],
)
def test_space_to_write_into(changes, level):
    finding = judge_place(replace(PLACE, **changes))
    assert (finding.level, finding.title) == (level, "state directory")
    assert bool(finding.remedy) == (level is not Level.OK)


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path, monkeypatch):
    asked = []
    space = os.statvfs(tmp_path)  # others write meanwhile

    def statvfs(path):
        asked.append(path)
        return space

    monkeypatch.setattr(os, "statvfs", statvfs)
    place = look_at("state directory", str(tmp_path / "a/b"), MB)
    assert asked == [str(tmp_path)]
    assert (place.is_writable, place.free_bytes) == (True, space.f_bavail * space.f_frsize)


def test_this_machine_is_looked_at(tmp_path):
    found = check_machine([("here", str(tmp_path), 1)], jobs=4, local_slots=None)
    assert {"descriptors", "file system", "memory", "here"} <= {finding.title for finding in found}


@pytest.mark.parametrize(
    ("count", "text"), [(5 * MB, "5 MB"), (3 * GB // 2, "1.5 GB"), (99 * GB, "99 GB"), (0, "0 MB")]
)
def test_sizes_for_people(count, text):
    assert size(count) == text
