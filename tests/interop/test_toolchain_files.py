"""Compilers of this machine run from their files alone, and leave the same bytes as here."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from fleetcc.toolchain.files import CannotShip, Toolchain
from fleetcc.toolchain.files_cache import ToolchainCache
from fleetcc.toolchain.files_search import toolchain_files
from fleetcc.toolchain.native import replaced
from tests.interop.toolchain_root import (
    Outcome,
    Pool,
    can_change_root,
    copied,
    environment,
    found,
    headers,
    prepare,
    run,
)

C_SOURCE = """#include <stdio.h>
#include <math.h>
#ifdef BROKEN
int broken(void) { return undeclared; }
#endif
const char *when = __TIMESTAMP__ __DATE__;
const char *name = "\\u00fc" "\xfc";
double sum(const double *x, int n) {
    double s = 0;
    int spare;
    for (int i = 0; i < n; i++) s += sin(x[i]);
    return s;
}
int main(int argc, char **argv) { printf("%s\\n", when); return argc > 2 ? sum(0, 0) : 0; }
"""
CXX_SOURCE = """#include <string>
#include <vector>
#include <algorithm>
#ifdef BROKEN
int broken() { return std::string("x"); }
#endif
std::string when = __TIMESTAMP__;
int sum(std::vector<int> &v) {
    int spare, s = 0;
    std::sort(v.begin(), v.end());
    for (int i : v) s += i * i;
    return s;
}
"""
ASSEMBLER_SOURCE = """#include <features.h>
.globl f
f:
    nop
.file "x.S"
"""
OBJC_SOURCE = "@interface A { int x; }\n- (int) x;\n@end\n@implementation A\n- (int) x { return x; }\n@end\n"

SOURCES = {"c": C_SOURCE, "cc": CXX_SOURCE, "S": ASSEMBLER_SOURCE, "m": OBJC_SOURCE, "mm": OBJC_SOURCE}
LANGUAGES = {"c": b"c", "cc": b"c++", "S": b"assembler-with-cpp", "m": b"objective-c", "mm": b"objective-c++"}

needs_root = pytest.mark.skipif(not can_change_root(), reason="no root directory of its own for this user")


def which(name: str) -> bytes:
    program = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    return os.fsencode(program)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return Pool(tmp_path_factory.mktemp("pool"))


def sources(folder: Path) -> Path:
    folder.mkdir()
    for ending, text in SOURCES.items():
        (folder / f"x.{ending}").write_bytes(text.encode("latin-1"))
    return folder


def both(
    program: bytes, ending: str, words: str, variables, tmp_path: Path, pool: Pool
) -> tuple[Outcome, Outcome]:
    """What a compile comes to here, and with nothing but its files."""
    cwd = sources(tmp_path / "work")
    argv = [os.fsencode(word) for word in (*words.split(), f"x.{ending}")]
    toolchain = found(program, variables, LANGUAGES[ending], argv, cwd)
    here = run(toolchain.program, [toolchain.argv0, *argv], variables, cwd)
    root = tmp_path / "root"
    prepare(root)
    copied(root, [*toolchain.paths, *headers(toolchain, variables, argv, cwd)], pool)
    there = run(
        toolchain.program, [toolchain.argv0, *replaced(argv, toolchain.expansions)], variables, cwd, root
    )
    return here, there


GCC_CASES = [
    "-c -O2 -g -MD",
    "-c -Wall",
    "-c -DBROKEN",
    "-S -O1",
    "-c -flto -O2 -frandom-seed=x",
    "-c -O2 -march=native -g -ftree-vectorize",
    "-c -O2 -mtune=native -g",
    "-c -O2 -march=native -mtune=native -mno-avx2 -g",
    "-c -g -march=native -save-temps",
    "-c -g -gsplit-dwarf",
    "-c -g3 -gz -pipe",
    "-c -finput-charset=latin1 -fexec-charset=iso-8859-15",
    "-c -fsanitize=address,undefined",
    "-c -m32 -ffreestanding -DBROKEN -nostdinc",
]
CLANG_CASES = [
    *GCC_CASES[:-3],
    "-c -fsanitize=address",
    "-c -fno-integrated-as -g",
    "-c -emit-llvm -march=native",
]


@needs_root
@pytest.mark.parametrize("words", GCC_CASES)
@pytest.mark.parametrize(("driver", "ending"), [("gcc", "c"), ("g++", "cc")])
def test_gcc_from_its_files_does_as_here(driver, ending, words, tmp_path, pool):
    here, there = both(which(driver), ending, words, environment(LANG="C.UTF-8"), tmp_path, pool)
    assert there == here
    assert here.files or "BROKEN" in words


@needs_root
@pytest.mark.parametrize("words", CLANG_CASES)
@pytest.mark.parametrize(("driver", "ending"), [("clang", "c"), ("clang++", "cc")])
def test_clang_from_its_files_does_as_here(driver, ending, words, tmp_path, pool):
    here, there = both(which(driver), ending, words, environment(LANG="C.UTF-8"), tmp_path, pool)
    assert there == here
    assert here.files or "BROKEN" in words


@needs_root
@pytest.mark.parametrize("words", ["-c -O2 -g -MD", "-c -Wall", "-c -DBROKEN", "-S", "-c -gsplit-dwarf -g"])
@pytest.mark.parametrize(
    ("driver", "ending"), [("aarch64-linux-gnu-gcc", "c"), ("aarch64-linux-gnu-g++", "cc")]
)
def test_a_cross_compiler_from_its_files_does_as_here(driver, ending, words, tmp_path, pool):
    here, there = both(which(driver), ending, words, environment(), tmp_path, pool)
    assert there == here


@needs_root
@pytest.mark.parametrize("driver", ["gcc", "clang"])
@pytest.mark.parametrize("ending", ["S", "m", "mm"])
def test_other_languages_from_files_are_as_here(driver, ending, tmp_path, pool):
    program = which(driver)
    if ending != "S" and b"/" not in subprocess.check_output(["gcc", "-print-prog-name=cc1obj"]):
        pytest.skip("no Objective-C here")
    here, there = both(program, ending, "-c -g", environment(), tmp_path, pool)
    assert there == here
    assert here.status == 0, here.stderr


CIRCUMSTANCES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "de_DE.UTF-8"},
    {"LC_ALL": "de_DE.ISO-8859-1"},
    {"LANG": "C.UTF-8", "LANGUAGE": "de:fr"},
    {"LANG": "no_such.UTF-8"},
    {"TZ": "America/New_York"},
    {"TZ": ":Asia/Tokyo"},
    {"TZ": ""},
    {"TZ": "XYZ-3"},
]


@needs_root
@pytest.mark.parametrize("driver", ["gcc", "clang"])
@pytest.mark.parametrize("variables", CIRCUMSTANCES, ids=str)
def test_messages_and_times_are_those_of_the_clients_environment(driver, variables, tmp_path, pool):
    here, there = both(which(driver), "c", "-c -Wall", environment(**variables), tmp_path, pool)
    assert there == here


@needs_root
def test_a_compiler_behind_a_link_of_another_folder_is_shipped(tmp_path, pool):
    link = tmp_path / "opt/x/bin/cc"
    link.parent.mkdir(parents=True)
    link.symlink_to(os.fsdecode(which("gcc")))

    here, there = both(os.fsencode(link), "c", "-c -g", environment(), tmp_path, pool)

    assert there == here
    assert b"x.o" in here.files


@needs_root
def test_a_relocated_compiler_is_shipped_with_its_own_parts(tmp_path, pool):
    gcc = which("gcc")
    cc1 = os.fsdecode(subprocess.check_output([gcc, "-print-prog-name=cc1"]).strip())
    place = tmp_path / "opt/gcc"
    copy = place / os.path.relpath(os.path.dirname(cc1), "/usr")
    (place / "bin").mkdir(parents=True)
    shutil.copytree(os.path.join(os.path.dirname(cc1), "include"), copy / "include")
    shutil.copy(cc1, copy / "cc1")
    shutil.copy(os.path.realpath(gcc), place / "bin/gcc")

    here, there = both(os.fsencode(place / "bin/gcc"), "c", "-c -g", environment(), tmp_path, pool)

    assert there == here
    assert b"x.o" in here.files


# Read here, and not there: the loader finds the same without its cache, the archive lacks this locale, and of
# a CUDA or ROCm installation only -v tells.
NO_MATTER = re.compile(rb"^/etc/ld\.so\.cache$|/locale-archive$|/cuda|/rocm|/proc/")


def opened(log: Path) -> set[bytes]:
    """The regular files that were opened or run, by their real paths."""
    calls = re.findall(
        rb'(?:openat\(AT_FDCWD, |open\(|execve\()"([^"]+)".* = \d+$', log.read_bytes(), re.MULTILINE
    )
    return {os.path.realpath(path) for path in calls if os.path.isfile(path)}


@pytest.mark.parametrize(
    "words", ["-c -O2 -g -MD -Wall", "-c -flto", "-S -march=native", "-c -g -gsplit-dwarf"]
)
@pytest.mark.parametrize(
    ("driver", "ending"),
    [("gcc", "c"), ("g++", "cc"), ("clang", "c"), ("clang++", "cc"), ("aarch64-linux-gnu-gcc", "c")],
)
def test_nothing_else_is_opened(driver, ending, words, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if "native" in words and driver.startswith("aarch64"):
        pytest.skip("this machine is no such processor")
    variables, program = environment(LANG="C.UTF-8"), which(driver)
    cwd = sources(tmp_path / "work")
    argv = [os.fsencode(word) for word in (*words.split(), f"x.{ending}")]
    toolchain = found(program, variables, LANGUAGES[ending], argv, cwd)
    listed = {
        os.path.realpath(path) for path in (*toolchain.paths, *headers(toolchain, variables, argv, cwd))
    }
    log = tmp_path / "log"

    traced = ["strace", "-f", "-o", log, "-e", "trace=open,openat,execve", program, *argv]
    subprocess.run(traced, env=variables, cwd=cwd, check=True, capture_output=True)

    extra = opened(log) - listed
    assert not {
        path for path in extra if not path.startswith(os.fsencode(cwd)) and not NO_MATTER.search(path)
    }


def test_gcc_is_told_the_processor_and_asks_nobody(tmp_path):
    toolchain = found(which("gcc"), environment(), b"c", [b"-march=native"], tmp_path)

    word, specs = toolchain.expansions[b"-march=native"]

    assert word == b"-march=native"
    path = specs.removeprefix(b"-specs=")
    assert path in toolchain.paths
    with open(path, "rb") as file:
        rule = file.read()
    assert b"-march=" in rule
    assert b"local_cpu_detect" not in rule


def test_clang_is_told_the_processor_in_words(tmp_path):
    toolchain = found(which("clang"), environment(), b"c", [b"-march=native"], tmp_path)

    words = toolchain.expansions[b"-march=native"]

    assert words[0].startswith(b"-march=")
    assert not any(b"native" in word for word in words)


def test_ccache_in_the_way_is_passed_by(tmp_path):
    masquerade = tmp_path / "lib/ccache"
    masquerade.mkdir(parents=True)
    (masquerade / "gcc").symlink_to(os.fsdecode(which("ccache")))
    variables = environment(PATH=f"{masquerade}:/usr/bin:/bin")

    toolchain = found(os.fsencode(masquerade / "gcc"), variables, b"c", [], tmp_path)

    assert (toolchain.program, toolchain.argv0) == (which("gcc"), which("gcc"))
    named = {**variables, b"CCACHE_COMPILER": which("clang")}
    assert found(os.fsencode(masquerade / "gcc"), named, b"c", [], tmp_path).program == which("clang")


@pytest.mark.parametrize(
    ("words", "variables", "why"),
    [
        ([b"-fplugin=x.so"], {}, "-fplugin"),
        ([], {"LD_PRELOAD": "/x.so"}, "LD_PRELOAD"),
        ([], {"LD_LIBRARY_PATH": "lib"}, "not absolute"),
        ([b"-march=no-such-processor"], {}, "no-such-processor"),
        ([b"-specs=/no/such/file"], {}, "no/such/file"),
    ],
)
def test_what_cannot_be_shipped_says_why(words, variables, why):
    answer = toolchain_files(which("gcc"), b"gcc", environment(**variables), b"c", words)

    assert isinstance(answer, CannotShip)
    assert why in answer.reason


def test_a_script_around_a_compiler_is_not_shipped(tmp_path):
    script = tmp_path / "gcc"
    script.write_text('#!/bin/sh\nexec /usr/bin/gcc "$@"\n')
    script.chmod(0o755)

    answer = toolchain_files(os.fsencode(script), b"gcc", environment(), b"c")

    assert isinstance(answer, CannotShip)
    assert "script" in answer.reason


def test_a_toolchain_is_remembered_until_one_of_its_files_changes(tmp_path, monkeypatch):
    place = tmp_path / "bin"
    place.mkdir()
    (tmp_path / "lib").symlink_to("/usr/lib")
    driver = shutil.copy(os.path.realpath(which("gcc")), os.fsencode(place / "gcc"))
    cache, variables, now = ToolchainCache(None), environment(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    asked = (driver, b"gcc", variables, b"c", [b"-O2", b"-c", b"x.c"], b"/")
    assert cache.lookup(*asked) is None

    known = cache.find(*asked)

    assert isinstance(known, Toolchain)
    assert cache.lookup(*asked) is cache.find(*asked) is known
    assert cache.lookup(driver, b"gcc", variables, b"c", [b"-O3", b"y.c"], b"/tmp") is known
    assert cache.lookup(driver, b"gcc", variables, b"c", [b"-m32"], b"/") is None
    os.utime(driver)
    assert cache.lookup(*asked) is known  # not looked at yet
    now[0] += 0.3
    assert cache.lookup(*asked) is None
    assert cache.find(*asked) is not known
