"""Compilers of this machine, judged from what was found out, and the real gcc."""

import os
import shutil

import pytest

from fleetcc.model import Compiler, Family
from fleetcc.monitor.doctor.compilers import (
    Examined,
    Named,
    check_compiler,
    check_presence,
    compiler_word,
    judge,
    named_compilers,
)
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.paths import Candidate
from fleetcc.toolchain.files import CannotShip, Toolchain
from fleetcc.toolchain.identify import UNKNOWN
from fleetcc.toolchain.identity_cache import IdentityCache

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
FILES = Toolchain(b"/usr/bin/gcc", b"gcc", (b"/usr/bin/gcc", b"/usr/lib/cc1"))
FOUND = Candidate(b"/usr/bin/gcc")


def test_a_compiler_that_can_travel_and_be_named_is_in_order():
    (finding,) = judge("gcc", FOUND, Examined(GCC, FILES, "ab" * 32, ""))
    assert finding.level is Level.OK
    assert finding.text == (
        "gcc 12.2.0 for x86_64-linux-gnu, /usr/bin/gcc; travels as 2 files and folders; "
        "identity abababababababab"
    )


@pytest.mark.parametrize(
    ("examined", "words"),
    [
        (Examined(GCC, CannotShip("its linker is a script", 1), "ab" * 32, ""), "its linker is a script"),
        (Examined(GCC, FILES, None, "cc1 cannot be read"), "identity cannot be told: cc1 cannot be read"),
        (Examined(UNKNOWN, CannotShip("", 0), None, ""), "does not answer to -v as gcc and clang do"),
    ],
)
def test_a_compiler_of_which_something_is_unknown_is_a_warning(examined, words):
    (finding,) = judge("gcc", FOUND, examined)
    assert finding.level is Level.WARNING
    assert words in finding.text
    assert finding.remedy


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (b"gcc", b"gcc"),
        (b"ccache /usr/bin/fleetcc g++ -m32", b"g++"),
        (b"env=1 clang", b"clang"),
        (b"'unfinished", b"'unfinished"),
        (b"", b""),
    ],
)
def test_the_compiler_in_a_command(command, word):
    assert compiler_word(command) == word


def programs(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return {b"PATH": bytes(folder)}


def test_names_that_lead_to_one_compiler_are_one(tmp_path):
    environment = programs(tmp_path, "gcc", "g++")
    (tmp_path / "cc").symlink_to("gcc")

    named = named_compilers({**environment, b"CC": b"ccache gcc", b"CXX": b"missing-g++"})

    assert [(one.titles, bool(one.found)) for one in named] == [
        (("cc", "gcc", "$CC"), True),
        (("g++",), True),
        (("$CXX",), False),
    ]


def test_clang_and_its_link_for_cpp_are_two(tmp_path):
    environment = programs(tmp_path, "clang")
    (tmp_path / "clang++").symlink_to("clang")
    assert [one.titles for one in named_compilers(environment)] == [("clang",), ("clang++",)]


def test_a_variable_that_names_nothing_is_an_error(tmp_path):
    named = Named(("$CC",), b"gcc-99", ())
    (finding,) = check_compiler(named, {}, IdentityCache(None), is_quick=False)
    assert (finding.level, finding.title) == (Level.ERROR, "$CC")
    assert "gcc-99" in finding.text


def test_no_compiler_at_all_is_an_error(tmp_path):
    environment = {b"PATH": bytes(tmp_path)}
    (finding,) = check_presence(named_compilers(environment))
    assert finding.level is Level.ERROR
    assert check_presence(named_compilers(programs(tmp_path, "gcc"))) == []


def test_a_quick_look_runs_nothing(tmp_path):
    environment = programs(tmp_path, "gcc")
    (tmp_path / "gcc").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (named,) = named_compilers(environment)

    (finding,) = check_compiler(named, environment, IdentityCache(None), is_quick=True)

    assert finding.level is Level.OK
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_the_gcc_of_this_machine_is_in_order(tmp_path):
    environment = {b"PATH": b"/usr/bin:/bin", b"TMPDIR": bytes(tmp_path)}
    named = next(one for one in named_compilers(environment) if "gcc" in one.titles)
    cache = IdentityCache(None)

    (finding,) = check_compiler(named, environment, cache, is_quick=False)

    identity = cache.lookup(named.found[0].path, environment)
    assert finding.level is Level.OK
    assert identity is not None
    assert identity.digest[:16] in finding.text


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_gcc_with_foreign_code_cannot_travel(tmp_path):
    environment = {b"PATH": b"/usr/bin:/bin", b"TMPDIR": bytes(tmp_path), b"LD_PRELOAD": b"/nonexistent.so"}
    named = next(one for one in named_compilers(environment) if "gcc" in one.titles)
    (finding,) = check_compiler(named, environment, IdentityCache(None), is_quick=False)
    assert finding.level is Level.WARNING
    assert "LD_PRELOAD" in finding.text
    assert os.listdir(tmp_path) == []
