"""`fleetcc scan` beside what the real compilers list themselves."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleetcc.cli.scan import command
from fleetcc.files.disk import RealDisk
from fleetcc.toolchain.search import Searches, question
from fleetcc.toolchain.search_dependencies import dependencies
from tests.support.launcher import write_program

COMPILERS = ("gcc", "g++", "clang", "clang++")

# Each directory has a `which.h` of its own, and one of a name that only it has.
FOLDERS = ("a", "b", "c", "system", "after", "root/usr/include", "prefix/with", "odd name/$dir#", "quote")

OPTIONS = (
    "-Ia -Ib",
    "-I a -I b -isystem system -idirafter after",
    "-isystem b -Ia -Ib",
    "-iquote quote -Ib",
    "-iquotequote -Ia",
    "-idirafter after",
    "-isystem system -I none -I also/none",
    "-Ia/../b -Ilink -Ic",
    "-Ilink -isystem a -Ib",
    "-nostdinc -Ia -idirafter empty",
    "-nostdinc -isystem system -iquote quote -idirafter empty",
    "--sysroot=root -isystem system",
    "--sysroot root",
    "-isysroot root",
    "-iprefix prefix/ -iwithprefix with",
    "-iprefix prefix/ -iwithprefixbefore with -Ia",
    "-Bprefix",
    "-m32 -Ia",
    "-I. -include b/only_b.h",
    "-imacros c/only_c.h -Ia",
    "-ansi -Ia" ,
    "-DHEADER=<only_c.h> -Ic -Ia",
    "-Xpreprocessor -Ib -Wp,-Ia",
)  # fmt: skip
VARIABLES = (
    {"CPATH": "a:b"},
    {"CPATH": ":b"},
    {"C_INCLUDE_PATH": "a", "CPLUS_INCLUDE_PATH": "b"},
    {"CPATH": "c", "C_INCLUDE_PATH": "a", "CPLUS_INCLUDE_PATH": "a"},
)

CHAINED = """\
#if __has_include_next(<which.h>)
#include_next <which.h>
#endif
"""
SOURCE = """\
#if __has_include("which.h")
#include "which.h"
#endif
#if __has_include(<only_a.h>)
#include <only_a.h>
#endif
#ifdef HEADER
#include HEADER
#endif
int unit;
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch) -> Path:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "which.h").write_text(CHAINED)
        (tmp_path / folder / f"only_{folder[0]}.h").touch()
    (tmp_path / "root/usr/include/which.h").write_text("/* the last one */\n")
    (tmp_path / "after/which.h").write_text("/* the last one */\n")
    (tmp_path / "which.h").write_text("/* beside the source */\n")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "unit.c").write_text(SOURCE)
    (tmp_path / "far").mkdir()
    (tmp_path / "empty").mkdir()  # gcc refuses #include_next in the last directory
    (tmp_path / "far/unit.c").write_text(SOURCE.replace('"which.h"', "<which.h>"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _scan(*words: str, as_json: bool = False) -> Result:
    options = ["--json"] if as_json else []
    return CliRunner().invoke(command, [*options, "--", *words])


def _listed(compiler: str, *words: str) -> set[str]:
    """What the compiler lists itself."""
    program = shutil.which(compiler)
    assert program is not None
    argv = [os.fsencode(word) for word in (compiler, *words, "-M")]
    found = dependencies(os.fsencode(program), argv, os.environb, os.fsencode(Path.cwd()))
    assert found.paths is not None, found.error
    return {os.path.join(Path.cwd(), os.fsdecode(path)) for path in found.paths}


def _same_files(paths: set[str]) -> set[str]:
    """The files, however they are spelled: gcc shortens some paths with `..`."""
    return {os.path.realpath(path) for path in paths}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("source", ["unit.c", "far/unit.c"])
def test_what_a_compiler_lists_is_found(tree, compiler: str, options: str, source: str) -> None:
    words = [*options.split(), source]
    expected = _listed(compiler, *words)
    answer = _scan(compiler, *words, "-c")
    assert answer.exit_code == 0, answer.output
    assert _same_files(expected) <= _same_files(set(answer.stdout.splitlines()))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("variables", VARIABLES)
def test_directories_that_variables_name_are_looked_into(tree, compiler, variables, monkeypatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for options in ([], ["-Ic"], ["-nostdinc", "-idirafter", "empty"]):
        expected = _listed(compiler, *options, "far/unit.c")
        answer = _scan(compiler, *options, "-c", "far/unit.c")
        assert answer.exit_code == 0, answer.output
        assert _same_files(expected) <= _same_files(set(answer.stdout.splitlines()))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_lists_are_the_compilers_own(tree, compiler: str) -> None:
    """With options that take every rule: order, duplicates, what does not exist, what is a file."""
    program = shutil.which(compiler)
    assert program is not None
    words = "-Ib -I none -Ilink -I unit.c -isystem a -isystem system -iquote quote -idirafter after -I."
    disk = RealDisk()
    cwd = os.fsencode(tree)
    asked = question(
        os.fsencode(program), os.fsencode(compiler), os.environb, b"c", words.encode().split(), cwd
    )
    search = Searches(disk).find(asked, os.environb, cwd)
    assert search.quote == (b"quote",)
    assert search.angled[:2] == (b"b", b".") or search.angled[:3] == (b"b", b"link", b".")
    assert search.angled[-1] == b"after"
    assert b"none" not in search.angled
    assert b"unit.c" not in search.angled
    disk.close()


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_directory_that_comes_to_exist_is_looked_into(tree, compiler: str) -> None:
    before = set(_scan(compiler, "-Inone", "-Ia", "-c", "far/unit.c").stdout.splitlines())
    assert f"{tree}/none/which.h" not in before
    shutil.copytree("b", "none")
    after = set(_scan(compiler, "-Inone", "-Ia", "-c", "far/unit.c").stdout.splitlines())
    assert f"{tree}/none/which.h" in after


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_what_only_the_compiler_knows_is_asked_from_it(tree, compiler: str) -> None:
    version = subprocess.run([compiler, "-dumpversion"], capture_output=True, text=True, check=True)
    major = version.stdout.strip().split(".")[0] if compiler == "gcc" else "4"  # clang says that it is gcc 4
    (tree / "a" / f"only_{major}.h").touch()
    (tree / "computed.c").write_text(
        "#define QUOTED(x) #x\n#define NAME(x) QUOTED(only_ ## x.h)\n#define FOR(x) NAME(x)\n"
        "#include FOR(__GNUC__)\n"
    )
    answer = _scan(compiler, "-Ia", "-c", "computed.c", as_json=True)
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.stdout)
    reasons = {file["path"]: file["from"] for file in said["files"]}
    assert reasons[f"{tree}/computed.c"] == "source"
    assert reasons.get(f"{tree}/a/only_{major}.h") in {"cc -M", "scan"}
    if said["unresolved"]:
        assert said["asked"] == [{"error": None}]
        assert "-M was asked" in answer.stderr


def test_json_has_counts_and_times(tree) -> None:
    said = json.loads(_scan("gcc", "-Ia", "-c", "unit.c", as_json=True).stdout)
    assert said["counts"]["files"] == len(said["files"])
    assert said["counts"]["directories"] > 3
    assert set(said["seconds"]) == {"search", "scan", "again"}


def test_files_that_options_name_are_in_the_list(tree) -> None:
    (tree / "words").write_text("-Ia -c unit.c")
    lines = _scan("gcc", "@words").stdout.splitlines()
    assert f"{tree}/words" in lines
    assert f"{tree}/a/only_a.h" in lines


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["gcc", "unit.c"], "linking"),
        (["gcc", "-v"], "not-a-compile"),
        (["cat", "unit.c"], "unknown-compiler"),
    ],
)
def test_what_compiles_nothing_is_refused_with_a_reason(tree, words: list[str], reason: str) -> None:
    answer = _scan(*words)
    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert f"nothing to scan ({reason})" in answer.stderr


def test_the_launcher_is_no_compiler(tree, monkeypatch) -> None:
    """Neither when it is typed, nor when PATH has it first under the compiler's name."""
    masked = tree / "masked"
    masked.mkdir()
    write_program(tree / "fleetcc", "#!/bin/sh\nexit 1\n")
    (masked / "gcc").symlink_to(tree / "fleetcc")
    plain = _scan("gcc", "-Ia", "-c", "unit.c").stdout
    monkeypatch.setenv("PATH", str(masked), prepend=os.pathsep)

    assert "which.h" in plain
    for words in (["gcc"], ["fleetcc", "gcc"], [str(tree / "fleetcc"), "gcc"]):
        assert _scan(*words, "-Ia", "-c", "unit.c").stdout == plain


def test_a_compiler_that_is_not_there_is_said(tree) -> None:
    answer = _scan("no-such-gcc\x1b", "-c", "unit.c")
    assert answer.exit_code != 0
    assert str(answer.exception) == "no-such-gcc\\x1b: command not found"
