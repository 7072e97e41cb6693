"""`fleetcc run` with real servers, agents, launchers and tools: compiles travel, tokens follow the hosts."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.build_tools import NEW_NINJA, OLD_MAKE, needs_new_ninja, needs_old_make
from tests.support.fleet import Client, client, eventually, installed, write_project
from tests.support.launcher import write_program
from tests.support.servers import Fleetccd, start_fleetccd, stopping

__all__ = ["client", "installed"]  # fixtures

PROCESSORS = len(os.sched_getaffinity(0))

# A recipe that is told by files how many tokens to wait for, one after the other, and says when it sees them.
WAIT_FOR_TOKENS = """\
import fcntl, os, struct, sys, termios, time
word = os.environ["MAKEFLAGS"].partition("--jobserver-auth=")[2].split()[0]
form, _, path = word.partition(":")
descriptor = os.open(path, os.O_RDWR) if path else int(word.partition(",")[0])
while not os.path.exists("enough"):
    free = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0]
    with open("free.new", "w") as file:
        file.write(str(free))
    os.rename("free.new", "free")
    time.sleep(0.01)
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Fleetccd]]:
    """Two, with three slots and with two."""
    started = [start_fleetccd(tmp_path / f"server{jobs}", "--jobs", str(jobs)) for jobs in (3, 2)]
    with stopping(*started):
        yield started


@pytest.fixture
def user(client: Client, servers: list[Fleetccd]) -> Iterator[Client]:
    """A client of both hosts."""
    client.environment["FLEETCC_HOSTS"] = " ".join(f"127.0.0.1:{server.port},lzo" for server in servers)
    yield client
    shutil.rmtree(client.folder / "names", ignore_errors=True)  # they stay, for build folders that name them


def counts(user: Client) -> dict[str, int]:
    return dict(user.idle_status()["by_reason"])


def test_a_makefile_that_sets_its_own_compiler_is_built_by_the_fleet(user: Client) -> None:
    objects = write_project(user, 12)  # CC = gcc
    wanted = {}
    assert user.plain("make").status == 0
    for name in objects:
        wanted[name] = (user.work / name).read_bytes()
        (user.work / name).unlink()
    done = user.run("run", "--summary", "--", "make")
    assert done.status == 0
    assert {name: (user.work / name).read_bytes() for name in objects} == wanted
    assert counts(user) == {"remote": 12}
    assert done.stderr == b"fleetcc: 12 jobs: 12 on hosts, 0 here\n"


def test_a_failing_build_fails_as_it_does_alone(user: Client) -> None:
    user.write("Makefile", "all:\n\tgcc -c wrong.c\n")
    user.write("wrong.c", "int f(void) { return nothing; }\n")
    alone = user.plain("make")
    done = user.run("run", "--", "make")
    assert done.spoken == alone.spoken
    assert done.status == 2


def test_compilers_by_variables(user: Client) -> None:
    user.write("a.c", "int a;\n")
    user.write("b.cc", "int b;\n")
    user.write("Makefile", "all: a.o b.o\n")
    assert user.run("run", "--variables", "--", "make").status == 0
    assert counts(user) == {"remote": 2}


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_cmake_is_set_up_and_built(user: Client, generator: str) -> None:
    user.write(
        "CMakeLists.txt", "cmake_minimum_required(VERSION 3.17)\nproject(p C)\nadd_library(p a.c b.c)\n"
    )
    for name in ("a", "b"):
        user.write(f"{name}.c", f"int {name};\n")
    set_up = user.run("run", "--", "cmake", "-G", generator, "-S", ".", "-B", "out")
    assert set_up.status == 0, set_up
    cache = (user.work / "out/CMakeCache.txt").read_text()
    assert "CMAKE_C_COMPILER_LAUNCHER:STRING=fleetcc" in cache
    assert str(user.folder) not in cache
    before = counts(user).get("remote", 0)
    built = user.run("run", "--", "cmake", "--build", "out")
    assert built.status == 0, built
    assert counts(user)["remote"] == before + 2


@pytest.mark.skipif(not os.path.isdir("/usr/lib/ccache"), reason="ccache is not installed")
def test_ccache_that_comes_first_calls_us_on_a_miss(user: Client) -> None:
    user.environment["CCACHE_DIR"] = str(user.root / "ccache")
    path = user.environment["PATH"]
    user.environment["PATH"] = f"/usr/lib/ccache:{path}"
    objects = write_project(user, 3)
    for remote in (3, 3):
        done = user.run("run", "--", "make")
        assert done.status == 0, done
        assert counts(user)["remote"] == remote
        for name in objects:
            (user.work / name).unlink()


@pytest.mark.skipif(shutil.which("ccache") is None, reason="ccache is not installed")
def test_ccache_in_a_makefile_sees_the_compiler_and_not_our_link(user: Client) -> None:
    user.environment["CCACHE_DIR"] = str(user.root / "ccache")
    tools = user.root / "tools"  # before it there are only our links
    real = shutil.which("gcc", path=user.environment["PATH"])
    write_program(tools / "gcc", f'#!/bin/sh\nexec {real} "$@"\n')
    user.environment["PATH"] = f"{tools}:{user.environment['PATH']}"
    user.write("a.c", "int a;\n")
    user.write("Makefile", "all:\n\tccache gcc -c a.c\n")
    for misses in (1, 1, 2):
        if misses == 2:  # another compiler of the same name
            write_program(tools / "gcc", f'#!/bin/sh\n# newer\nexec {real} "$@"\n')
        assert user.run("run", "--", "make").status == 0
        said = user.plain("ccache", "--print-stats").stdout.decode()
        assert f"cache_miss\t{misses}\n" in said


def test_a_tool_that_reads_no_jobserver_gets_the_slots_of_the_hosts_that_answer(user: Client) -> None:
    user.environment["FLEETCC_HOSTS"] += " 127.0.0.1:1/50 localhost/9"
    tool = write_program(user.work / "samu", '#!/bin/sh\n[ "$1" = --version ] || echo "$@"\n')
    done = user.run("run", "--", tool, "all")
    assert done.spoken == (0, f"-j{PROCESSORS + 3 + 2} all\n".encode(), b"")
    cmake = write_program(user.work / "cmake", '#!/bin/sh\necho "$CMAKE_BUILD_PARALLEL_LEVEL"\n')
    (user.work / "CMakeCache.txt").write_text("CMAKE_MAKE_PROGRAM:FILEPATH=/opt/nothing\n")
    assert user.run("run", "--", cmake, "--build", ".").stdout == f"{PROCESSORS + 3 + 2}\n".encode()


@needs_new_ninja
@needs_old_make
def test_ninja_that_calls_an_old_make(user: Client) -> None:
    write_project(user, 6)
    user.write("build.ninja", "rule m\n  command = make\nbuild all: m\n")
    done = user.run("run", "--", NEW_NINJA)
    assert done.status == 0, done
    assert counts(user) == {"remote": 6}


@needs_old_make
def test_tokens_follow_hosts_that_come_and_go(user: Client, servers: list[Fleetccd]) -> None:
    user.write("wait.py", WAIT_FOR_TOKENS)
    user.write("a.c", "int a;\n")
    # `+`: make leaves this recipe its pipe. One after the other, so that all the tokens lie there.
    user.write("Makefile", f"all: a.o\n\t+{sys.executable} wait.py\na.o: a.c\n\tgcc -c a.c\n")
    with user.building(user.launcher, "run", "--", OLD_MAKE) as process:
        wait_for_free(user, PROCESSORS + 3 + 2 - 1)
        servers[0].stop()
        wait_for_free(user, PROCESSORS + 2 - 1)
        (user.work / "enough").touch()
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
    assert counts(user) == {"remote": 1}


def wait_for_free(user: Client, count: int) -> None:
    """Until so many tokens lie in the pipe of the build."""

    def free() -> int:
        path = user.work / "free"
        return int(path.read_text()) if path.exists() else -1

    eventually(lambda: free() == count)
