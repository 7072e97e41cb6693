"""Capacity as one process computes it: figures at most once a second, our own load shared in a file."""

import os
import struct
from pathlib import Path

import pytest

from fleetcc.scheduling.capacity import Memory
from fleetcc.server import machine
from fleetcc.server.meter import Meter

GIB = 1 << 30


@pytest.fixture
def world(monkeypatch):
    """A machine whose figures the test decides."""
    figures = {"load": 0.0, "memory": Memory(8 * GIB, 4 * GIB, 0.0)}
    monkeypatch.setattr(machine, "load_average", lambda: figures["load"])
    monkeypatch.setattr(machine, "memory", lambda: figures["memory"])
    return figures


@pytest.fixture
def meter(tmp_path):
    made = Meter(str(tmp_path / "load"), 8, 10.0, GIB)
    yield made
    made.close()


def test_an_idle_machine_offers_every_slot(world, meter):
    meter.refresh(1.0, 0)
    assert meter.capacity(0) == 8


def test_others_load_shrinks_it_and_it_comes_back(world, meter):
    world["load"] = 7.0
    meter.refresh(1.0, 0)
    assert meter.capacity(0) == 3
    world["load"] = 0.5
    meter.refresh(2.0, 0)
    assert meter.capacity(0) == 8


def test_figures_are_good_for_a_second(world, meter):
    now = 1000.0
    meter.refresh(now, 0)
    assert not meter.needs_refresh(now + 0.9)
    assert meter.needs_refresh(now + 1.0)


def test_short_memory_starts_nothing_more(world, meter):
    world["memory"] = Memory(8 * GIB, GIB // 2, 0.0)
    meter.refresh(1.0, 2)
    assert meter.capacity(2) == 0
    assert meter.capacity(0) == 8  # nothing of ours to wait for


def test_our_own_load_is_known_to_every_process(world, tmp_path):
    one, two = Meter(str(tmp_path / "load"), 8, 10.0, 0), Meter(str(tmp_path / "load"), 8, 10.0, 0)
    for _ in range(6):
        one.started()
    age(tmp_path / "load", 600)
    world["load"] = 6.0
    two.refresh(1.0, 6)
    assert two.capacity(6) == 8
    for meter in (one, two):
        meter.close()


def test_a_killed_process_is_corrected_by_the_next_refresh(world, tmp_path):
    one, two = Meter(str(tmp_path / "load"), 8, 10.0, 0), Meter(str(tmp_path / "load"), 8, 10.0, 0)
    one.started()
    one.close()
    two.refresh(1.0, 0)
    age(tmp_path / "load", 600)
    world["load"] = 9.0
    two.refresh(2.0, 0)
    assert two.capacity(0) == 1
    two.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"short", struct.pack("<ddq", 1e12, 3.0, 3), struct.pack("<ddq", 0.0, -1.0, -5), b"\xff" * 24],
)
def test_a_file_that_makes_no_sense_is_begun_anew(world, tmp_path, content):
    (tmp_path / "load").write_bytes(content)
    meter = Meter(str(tmp_path / "load"), 8, 10.0, 0)
    meter.refresh(1.0, 0)
    assert meter.capacity(0) == 8
    meter.close()


def age(path: Path, seconds: float) -> None:
    """As if the file had last been written so long ago."""
    when, average, count = struct.unpack("<ddq", path.read_bytes())
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, struct.pack("<ddq", when - seconds, average, count), 0)
    os.close(descriptor)


def test_it_says_what_limits_and_what_it_has_read(world, meter):
    meter.refresh(1.0, 0)
    assert (meter.limited_by(0), meter.load, meter.memory.available_bytes) == ("", 0.0, 4 * GIB)
    world["load"] = 7.0
    meter.refresh(2.0, 0)
    assert (meter.limited_by(0), meter.load) == ("load", 7.0)
    world["memory"] = Memory(8 * GIB, GIB // 2, 0.0)
    meter.refresh(3.0, 1)
    assert (meter.limited_by(1), meter.capacity(1)) == ("memory", 0)
