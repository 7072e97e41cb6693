"""Slot files: shared by processes, freed by the kernel."""

import json
import os
import subprocess
import sys

import pytest

from fleetcc.server.slots import Slot, SlotFiles


def take(slots: SlotFiles, limit: int = 99) -> Slot:
    """A slot that must be free."""
    slot = slots.take(limit)
    assert slot is not None
    return slot


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "slots")


def test_slots_are_taken_from_the_lowest(directory):
    slots = SlotFiles(directory, 3)
    assert [take(slots, 3).index for _ in range(3)] == [0, 1, 2]
    assert slots.take(3) is None
    assert slots.held == 3


def test_a_smaller_capacity_leaves_the_high_ones_free(directory):
    slots = SlotFiles(directory, 3)
    first = take(slots, 1)
    assert slots.take(1) is None
    slots.release(first)
    assert slots.take(1) is not None


def test_a_slot_is_held_against_every_other_process(directory):
    mine, theirs = SlotFiles(directory, 2), SlotFiles(directory, 2)
    slot = take(mine, 2)
    assert take(theirs, 2).index == 1
    assert theirs.take(2) is None
    mine.release(slot)
    assert take(theirs, 2).index == 0


def test_a_held_slot_says_who_holds_it(directory):
    mine, theirs = SlotFiles(directory, 2), SlotFiles(directory, 2)
    slot = take(mine, 2)
    mine.describe(slot, "10.0.0.7", 1234.5678, "g++ long-name.cc" * 500)
    mine.release(slot)
    mine.describe(take(mine), "10.0.0.8", 1234.5678, "gcc a.c")
    assert theirs.held_elsewhere() == ["10.0.0.8"]
    with open(os.path.join(directory, "0")) as file:
        facts = json.loads(file.read())
    assert facts == {"pid": os.getpid(), "client": "10.0.0.8", "since": 1234.568, "command": "gcc a.c"}


def test_nonsense_in_a_held_slot_is_an_unknown_client(directory):
    mine, theirs = SlotFiles(directory, 1), SlotFiles(directory, 1)
    os.pwrite(take(mine, 1).descriptor, b"\xff{", 0)
    assert theirs.held_elsewhere() == [""]


def test_looking_at_free_slots_leaves_them_free(directory):
    mine, theirs = SlotFiles(directory, 2), SlotFiles(directory, 2)
    assert theirs.held_elsewhere() == []
    assert mine.take(2) is not None
    assert mine.take(2) is not None


def test_an_orphaned_compiler_keeps_its_slot_until_it_ends(directory):
    mine, theirs = SlotFiles(directory, 1), SlotFiles(directory, 1)
    slot = take(mine, 1)
    compiler = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=[slot.descriptor],
    )
    mine.close()  # what the kernel does when the server is killed
    assert theirs.take(1) is None
    compiler.communicate()
    assert theirs.take(1) is not None


def test_a_state_directory_for_a_group_gets_files_for_the_group(tmp_path):
    tmp_path.chmod(0o2770)
    SlotFiles(str(tmp_path / "slots"), 1).take(1)
    assert (tmp_path / "slots").stat().st_mode & 0o070 == 0o070
    assert (tmp_path / "slots" / "0").stat().st_mode & 0o060 == 0o060


def test_a_private_state_directory_stays_private(tmp_path):
    tmp_path.chmod(0o700)
    SlotFiles(str(tmp_path / "slots"), 1).take(1)
    assert (tmp_path / "slots").stat().st_mode & 0o077 == 0
    assert (tmp_path / "slots" / "0").stat().st_mode & 0o077 == 0
