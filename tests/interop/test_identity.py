"""The identities of the real compilers of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetcc.command.names import parse_compiler_name
from fleetcc.toolchain.contents import Contents
from fleetcc.toolchain.identity import Identity, examine

CONTENTS = Contents()  # so that each big library is read once in all tests


def which(name: str) -> bytes:
    path = os.environ["PATH"].split(":")
    plain = ":".join(folder for folder in path if not folder.endswith(("ccache", "distcc")))
    found = shutil.which(name, path=plain)
    assert found is not None, name
    return os.fsencode(found)


def identity(program: bytes) -> Identity:
    found = examine(program, os.environb, CONTENTS)
    assert isinstance(found, Identity), found
    return found


def names_of(program: bytes) -> list[bytes]:
    """Every compiler's name beside this program that leads to the same file."""
    folder = os.path.dirname(program)
    names = filter(parse_compiler_name, sorted(os.listdir(folder)))
    links = (os.path.join(folder, name) for name in names)
    return [link for link in links if os.path.realpath(link) == os.path.realpath(program)]


@pytest.mark.parametrize("driver", ["gcc", "g++", "clang", "clang++"])
def test_a_compiler_is_the_same_under_all_its_names(driver):
    program = which(driver)
    kind = driver.endswith("++")
    names = [name for name in names_of(program) if b"clang" not in name or (b"++" in name) == kind]

    assert program in names
    assert {identity(name).digest for name in names} == {identity(program).digest}


def test_the_drivers_are_four_compilers():
    drivers = ("gcc", "g++", "clang", "clang++")
    assert len({identity(which(driver)).digest for driver in drivers}) == len(drivers)


def test_the_compilers_own_programs_and_libraries_are_watched():
    watched = {os.path.basename(path).split(b".")[0] for path, _ in identity(which("gcc")).files}
    assert watched >= {b"gcc", b"cc1", b"cc1plus", b"as", b"libmpfr", b"libgmp"}
    assert not watched & {b"libc", b"libm", b"libstdc++"}


def test_a_copy_of_the_driver_that_finds_the_same_cc1_is_the_same_compiler(tmp_path):
    """gcc looks for its cc1 from where it stands, so the copy needs the same neighbourhood."""
    copy = copied_gcc(tmp_path)
    (tmp_path / "lib").symlink_to("/usr/lib")

    assert identity(copy).digest == identity(which("gcc")).digest


def test_a_copy_of_the_driver_without_cc1_is_another_compiler(tmp_path):
    assert identity(copied_gcc(tmp_path)).digest != identity(which("gcc")).digest


def test_a_rebuilt_driver_is_another_compiler(tmp_path):
    copy = copied_gcc(tmp_path)
    (tmp_path / "lib").symlink_to("/usr/lib")
    with open(copy, "ab") as file:
        file.write(b"\0")

    assert identity(copy).digest != identity(which("gcc")).digest


def test_the_clang_behind_a_script_is_watched(tmp_path):
    script = tmp_path / "clang"
    script.write_text(f'#!/bin/sh\nexec {os.fsdecode(which("clang"))} "$@"\n')
    script.chmod(0o755)
    real = os.path.realpath(which("clang"))

    found = identity(os.fsencode(script))

    assert real in {os.path.realpath(path) for path, _ in found.files}


def test_the_environment_of_a_job_does_not_change_what_the_compiler_is(tmp_path):
    plain = identity(which("gcc")).digest
    localised = {**os.environb, b"LANG": b"de_DE.UTF-8", b"CPATH": os.fsencode(tmp_path), b"GCC_COLORS": b"x"}

    found = examine(which("gcc"), localised, CONTENTS)

    assert isinstance(found, Identity)
    assert found.digest == plain


def test_the_benchmarks_compiler_that_costs_nothing_has_an_identity(tmp_path):
    source = Path(__file__).parents[2] / "bench" / "free_compiler.c"
    subprocess.run(["gcc", "-O1", source, "-o", tmp_path / "gcc"], check=True)

    assert identity(os.fsencode(tmp_path / "gcc")).digest


def copied_gcc(folder: Path) -> bytes:
    (folder / "bin").mkdir()
    return os.fsencode(shutil.copy(os.path.realpath(which("gcc")), os.fsencode(folder / "bin" / "gcc")))
