"""The ways in which builds call us: masquerade, ccache, CMake, make, ninja, wrappers of wrappers."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Client, client, installed, objects_made_by, write_project
from tests.support.launcher import write_program
from tests.support.scripted_server import ScriptedServer, compile_honestly
from tests.support.servers import start_fleetccd, stopping

__all__ = ["client", "installed"]  # fixtures

SOURCE = "int twice(int x) { return x * 2; }\n"


@pytest.fixture
def host() -> Iterator[ScriptedServer]:
    with ScriptedServer(compile_honestly) as server:
        yield server


@pytest.fixture
def user(client: Client, host: ScriptedServer) -> Client:
    """A client with one source and a host that does its work."""
    client.write("a.c", SOURCE)
    client.write("a.cc", "int thrice(int x) { return x * 3; }\n")
    client.environment["FLEETCC_HOSTS"] = host.host + ",lzo"
    return client


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def masquerade(client: Client, *names: str) -> Path:
    """A folder with links to the launcher, first on PATH."""
    folder = client.root / "masquerade"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(client.launcher)
    client.environment["PATH"] = f"{folder}:{client.environment['PATH']}"
    return folder


@pytest.mark.parametrize(
    ("name", "source"),
    [("gcc", "a.c"), ("cc", "a.c"), ("g++", "a.cc"), ("c++", "a.cc"), ("x86_64-linux-gnu-gcc-12", "a.c"),
     ("clang", "a.c"), ("clang++", "a.cc")],
)  # fmt: skip
@pytest.mark.parametrize("way", ["name", "path"])
def test_a_link_with_a_compilers_name_is_that_compiler(
    user: Client, name: str, source: str, way: str
) -> None:
    command = ("-O2", "-c", source, "-o", "a.o")
    plain = user.plain(name, *command)
    wanted = (user.work / "a.o").read_bytes()
    (user.work / "a.o").unlink()
    folder = masquerade(user, name)
    done = user.plain(name if way == "name" else folder / name, *command)
    assert done.spoken == plain.spoken == (0, b"", b"")
    assert (user.work / "a.o").read_bytes() == wanted
    assert user.last_reason == "remote"


def test_a_masquerading_compiler_says_what_the_compiler_says(user: Client) -> None:
    user.write("wrong.c", "int f(void) { return nothing; }\n")
    asked = [("--version",), ("-print-prog-name=cc1",), ("-c", "wrong.c"), ("-c",), (), ("-dumpspecs",)]
    wanted = [user.plain("gcc", *words).spoken for words in asked]
    masquerade(user, "gcc")
    assert [user.plain("gcc", *words).spoken for words in asked] == wanted


@needs("ccache")
def test_ccache_asks_us_only_on_a_miss(user: Client, host: ScriptedServer) -> None:
    user.environment |= {"CCACHE_DIR": str(user.root / "ccache"), "CCACHE_PREFIX": "fleetcc"}
    command = ("gcc", "-O2", "-c", "a.c", "-o", "a.o")
    assert user.plain(*command).status == 0
    wanted = (user.work / "a.o").read_bytes()
    for visits in (1, 1):
        (user.work / "a.o").unlink()
        done = user.plain("ccache", *command)
        assert done.spoken == (0, b"", b"")
        assert (user.work / "a.o").read_bytes() == wanted
        assert len(host.visits) == visits
    assert user.last_reason == "remote"


@needs("ccache")
def test_ccache_passes_our_compile_errors_on(user: Client) -> None:
    user.environment["CCACHE_DIR"] = str(user.root / "ccache")
    user.write("wrong.c", "int f(void) { return nothing; }\n")
    plain = user.plain("ccache", "gcc", "-c", "wrong.c")
    done = user.plain("ccache", "gcc", "-c", "wrong.c", env={"CCACHE_PREFIX": "fleetcc"})
    assert done.spoken == plain.spoken


CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(parts C CXX)
add_library(parts STATIC a.c b.cc)
add_executable(prog main.c)
target_link_libraries(prog parts)
"""


@needs("cmake")
@pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])
def test_cmakes_compiler_launcher(user: Client, tmp_path: Path, generator: str) -> None:
    user.write("CMakeLists.txt", CMAKE)
    user.write("b.cc", 'extern "C" int b(int x) { return x; }\n')
    user.write("main.c", "int twice(int);\nint main(void) { return twice(0); }\n")
    server = start_fleetccd(tmp_path / "server", "--jobs", "2")
    user.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port},lzo"
    configure = ("cmake", "-G", generator, "-S", ".", "-B", "out", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    launchers = [f"-DCMAKE_{language}_COMPILER_LAUNCHER=fleetcc" for language in ("C", "CXX")]
    made = []
    with stopping(server):
        for extra in ([], launchers):
            for command in ((*configure, *extra), ("cmake", "--build", "out", "-j4")):
                done = user.plain(*command)
                assert done.status == 0, done
            made.append({
                str(path.relative_to(user.work)): path.read_bytes()
                for path in sorted((user.work / "out").rglob("*.o"))
                if "CompilerId" not in str(path)
            })  # fmt: skip
            shutil.rmtree(user.work / "out")
    assert made[0] == made[1]
    assert len(made[0]) == 3
    reasons = user.idle_status()["by_reason"]
    assert reasons["remote"] >= 3
    assert set(reasons) <= {"remote", "preprocess-only", "not-a-compile", "configure-probe"}


@pytest.mark.parametrize("how", ["CC variable", "masquerade", "ccache"])
def test_make_with_eight_jobs(client: Client, host: ScriptedServer, how: str) -> None:
    objects = write_project(client, 12)
    wanted = objects_made_by(client, "make", "-s", "-j8", objects=objects)
    client.environment |= {"FLEETCC_HOSTS": f"{host.host}/3,lzo", "CCACHE_DIR": str(client.root / "ccache")}
    compiler = "gcc -O1"
    if how == "CC variable":
        compiler = "fleetcc gcc -O1"
    elif how == "masquerade":
        masquerade(client, "gcc")
    else:
        if shutil.which("ccache") is None:
            pytest.skip("ccache is not installed")
        compiler = "ccache gcc -O1"
        client.environment["CCACHE_PREFIX"] = "fleetcc"
    assert objects_made_by(client, "make", "-s", "-j8", f"CC={compiler}", objects=objects) == wanted
    reasons = client.idle_status()["by_reason"]
    assert reasons["remote"] == 12
    assert set(reasons) <= {"remote", "preprocess-only"}  # ccache preprocesses to know what it has


def test_a_wrapper_with_the_compilers_name_that_calls_us(user: Client, host: ScriptedServer) -> None:
    """As a site's `gcc` that adds options: it is the compiler that we find, and it finds us again."""
    tools = user.root / "tools"
    wrapper = f'#!/bin/sh\nPATH={user.bin}:/usr/bin:/bin exec fleetcc gcc -DSITE "$@"\n'
    write_program(tools / "gcc", wrapper)
    user.environment["PATH"] = f"{tools}:{user.environment['PATH']}"
    user.write("a.c", "#ifndef SITE\n#error no site\n#endif\n" + SOURCE)
    for _ in range(2):
        done = user.run("gcc", "-c", "a.c", "-o", "a.o")
        assert done.spoken == (0, b"", b"")
    done = user.plain("gcc", "-c", "a.c", "-o", "a.o")
    assert done.spoken == (0, b"", b"")
    (user.work / "a.o").unlink()


def test_wrappers_that_call_each_other_for_ever_end(user: Client) -> None:
    tools = user.root / "tools"
    write_program(tools / "gcc", '#!/bin/sh\nexec fleetcc gcc "$@"\n')
    user.environment["PATH"] = f"{tools}:{user.environment['PATH']}"
    done = user.run("gcc", "-c", "a.c")
    assert done.status == 111
    assert done.stderr.count(b"\n") == 1
    assert done.seconds < 10


@needs("distcc")
def test_distcc_in_front_of_us_and_its_links_on_path(user: Client, host: ScriptedServer) -> None:
    """Neither calls the other for ever."""
    user.environment |= {"DISTCC_HOSTS": "localhost", "DISTCC_DIR": str(user.home)}
    assert user.plain("distcc", "fleetcc", "gcc", "-c", "a.c", "-o", "a.o").status == 0
    assert host.visits == []
    links = user.root / "lib" / "distcc"
    links.mkdir(parents=True)
    (links / "gcc").symlink_to(str(shutil.which("distcc")))
    user.environment["PATH"] = f"{links}:{user.environment['PATH']}"
    assert user.run("gcc", "-c", "a.c", "-o", "a.o").spoken == (0, b"", b"")
    assert user.last_reason == "remote"
    (user.work / "a.o").unlink()


def test_two_users_of_one_machine_have_an_agent_each(user: Client, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Client(installed, tmp_path / "other")
    other.write("a.c", SOURCE)
    user.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    other.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    assert user.agent_pid != other.agent_pid
    assert (user.last_reason, other.last_reason) == ("remote", "no-hosts")
    other.stop()
    assert os.path.exists(user.folder / "socket")
