"""Which sources gave diagnostics: by version, output and time."""

import os

import pytest

from fleetcc.agent.spoke import SPOKE_SECONDS, SpokeMemory


@pytest.fixture
def cwd(tmp_path):
    (tmp_path / "a.c").write_text("int x;\n")
    return os.fsencode(tmp_path)


def test_what_spoke_is_remembered_for_its_output_only(cwd):
    memory = SpokeMemory()
    memory.remember(cwd, b"a.c", b"a.o", 0.0)

    assert memory.spoke_lately(cwd, b"a.c", b"a.o", 1.0)
    assert not memory.spoke_lately(cwd, b"a.c", b"pic/a.o", 1.0)


def test_an_edited_source_gets_a_new_chance(cwd, tmp_path):
    memory = SpokeMemory()
    memory.remember(cwd, b"a.c", b"a.o", 0.0)

    (tmp_path / "a.c").write_text("int x, y;\n")

    assert not memory.spoke_lately(cwd, b"a.c", b"a.o", 1.0)


def test_after_an_hour_it_gets_a_new_chance(cwd):
    memory = SpokeMemory()
    memory.remember(cwd, b"a.c", b"a.o", 0.0)

    assert not memory.spoke_lately(cwd, b"a.c", b"a.o", SPOKE_SECONDS)


def test_a_source_that_has_gone_is_not_remembered(cwd):
    memory = SpokeMemory()
    memory.remember(cwd, b"gone.c", b"a.o", 0.0)

    assert not memory.spoke_lately(cwd, b"gone.c", b"a.o", 1.0)
