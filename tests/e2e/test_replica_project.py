"""A project is built as files, its headers change in every way, and it is built again: as it is here."""

import os
import shutil

import pytest

from tests.support.cxx_project import MODULES, Project
from tests.support.fleet import installed
from tests.support.replica import BUILDERS, helper, replica_place

__all__ = ["helper", "installed"]  # fixtures

UNITS = 150
OF_ONE_MODULE = UNITS // MODULES


@pytest.mark.parametrize(("tool", "user"), [("make", BUILDERS[0]), ("ninja", BUILDERS[-1])])
def test_a_project_is_edited_step_by_step(tool, user, installed, helper):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    with replica_place(installed, helper, user) as place:
        place.add_server()
        place.add_server()
        project = Project(place.client, UNITS, tool)
        # The generated header comes in the middle of the first build.
        assert project.is_as_built_here() == UNITS
        for edit in (change, delete, shadow, link, move, generate, add_optional):
            compiled = edit(project)
            assert project.is_as_built_here() == compiled, edit.__name__
        status = place.client.idle_status()
        assert status["by_reason"] == {"remote": status["total"]}
        assert len(status["by_host"]) == 2


# Each edits the sources and says how many units that concerns.


def change(project: Project) -> int:
    project.client.write("second/mod3.h", "#pragma once\nstruct m3 { long more = 1, value = 30; };\n")
    return OF_ONE_MODULE


def delete(project: Project) -> int:
    """A header goes, and the text of another takes its place."""
    (project.client.work / "second/mod4.h").unlink()
    for unit in range(4, UNITS, MODULES):
        source = project.client.work / f"src/unit{unit}.cc"
        source.write_text(
            "struct m4 { int value = 4; };\n" + source.read_text().replace('"mod4.h"', '"mod5.h"')
        )
    return OF_ONE_MODULE


def shadow(project: Project) -> int:
    """A new file is found earlier on the path; no build system notices."""
    project.client.write("first/mod6.h", "#pragma once\nstruct m6 { int value = 600; };\n")
    for unit in range(6, UNITS, MODULES):
        project.forget_unit(unit)
    return OF_ONE_MODULE


def link(project: Project) -> int:
    """A link to another header takes the place of one."""
    project.client.write("elsewhere/seven.h", "#pragma once\nstruct m7 { int value = 7, other = 8; };\n")
    header = project.client.work / "second/mod7.h"
    header.unlink()
    header.symlink_to("../elsewhere/seven.h")
    return OF_ONE_MODULE


def move(project: Project) -> int:
    """The same header is in another folder of the path now, with the time stamp that it had."""
    work = project.client.work
    os.rename(work / "second/mod8.h", work / "first/mod8.h")
    for unit in range(8, UNITS, MODULES):
        project.forget_unit(unit)
    return OF_ONE_MODULE


def generate(project: Project) -> int:
    """What the generated header is made of; all units include it."""
    project.client.write("version.txt", "22\n")
    for unit in range(20, UNITS):  # a few are enough
        source = project.client.work / f"src/unit{unit}.cc"
        source.write_text(source.read_text().replace('#include "version.h"', "#define VERSION 0"))
    return UNITS


def add_optional(project: Project) -> int:
    """A header appears that units have asked for with __has_include."""
    project.client.write("second/extra.h", "#define EXTRA 5\n")
    for unit in range(10):
        project.forget_unit(unit)
    return 10
