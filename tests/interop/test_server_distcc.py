"""Debian's distcc as the client of a real fleetccd."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import FakeCompilers, start_fleetccd, stopping

pytestmark = pytest.mark.skipif(shutil.which("distcc") is None, reason="distcc is not installed")

SOURCE = """#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) { printf("%d %zu\\n", argc, strlen(argv[0])); return 0; }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "2")
    with stopping(found):
        yield found


@pytest.fixture(params=["", ",lzo"], ids=["protocol1", "protocol2"])
def suffix(request):
    return request.param


def distcc(directory: Path, hosts: str, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
    (directory / "distcc").mkdir(exist_ok=True)
    return subprocess.Popen(
        ["distcc", *command],
        cwd=directory,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "DISTCC_DIR": str(directory / "distcc"),
            "DISTCC_HOSTS": hosts,
            "DISTCC_FALLBACK": "0",
            "DISTCC_SKIP_LOCAL_RETRY": "1",
            "TMPDIR": str(directory),
            "LC_ALL": "C",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(directory: Path, hosts: str, *command: str) -> tuple[int, bytes, bytes]:
    process = distcc(directory, hosts, *command)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang", "clang++"])
def test_the_object_is_the_local_compilers(server, suffix, tmp_path, compiler):
    name = "hello.cc" if "++" in compiler else "hello.c"
    (tmp_path / name).write_text(SOURCE)
    hosts = f"127.0.0.1:{server.port}{suffix}"
    assert run(tmp_path, hosts, compiler, "-O2", "-Wall", "-c", name, "-o", "far.o") == (0, b"", b"")
    subprocess.run([compiler, "-O2", "-Wall", "-c", name, "-o", "near.o"], cwd=tmp_path, check=True)
    assert (tmp_path / "far.o").read_bytes() == (tmp_path / "near.o").read_bytes()


def test_assembly_comes_back_too(server, suffix, tmp_path):
    (tmp_path / "hello.c").write_text(SOURCE)
    hosts = f"127.0.0.1:{server.port}{suffix}"
    assert run(tmp_path, hosts, "gcc", "-S", "hello.c", "-o", "far.s") == (0, b"", b"")
    subprocess.run(["gcc", "-S", "hello.c", "-o", "near.s"], cwd=tmp_path, check=True)
    assert (tmp_path / "far.s").read_bytes() == (tmp_path / "near.s").read_bytes()


def test_an_output_that_is_not_named_is_derived(server, suffix, tmp_path):
    (tmp_path / "hello.c").write_text(SOURCE)
    assert run(tmp_path, f"127.0.0.1:{server.port}{suffix}", "gcc", "-c", "hello.c") == (0, b"", b"")
    assert (tmp_path / "hello.o").read_bytes()[:4] == b"\x7fELF"


def test_a_compile_error_has_its_message_status_and_no_object(server, suffix, tmp_path):
    (tmp_path / "bad.c").write_text("int main(void) { return oops; }\n")
    status, stdout, stderr = run(
        tmp_path, f"127.0.0.1:{server.port}{suffix}", "gcc", "-c", "bad.c", "-o", "bad.o"
    )
    assert status == 1
    assert stdout == b""
    assert b"bad.c:1:25: error: 'oops' undeclared" in stderr
    assert not (tmp_path / "bad.o").exists()


def test_a_warning_arrives_with_the_object_and_nothing_else(server, suffix, tmp_path):
    (tmp_path / "warn.c").write_text("int main(void) { int unused = 1; return 0; }\n")
    status, _, stderr = run(
        tmp_path, f"127.0.0.1:{server.port}{suffix}", "gcc", "-Wall", "-c", "warn.c", "-o", "warn.o"
    )
    assert status == 0
    assert b"warn.c:1:22: warning: unused variable 'unused'" in stderr
    assert b"fleetcc" not in stderr
    assert (tmp_path / "warn.o").exists()


def test_an_empty_output_is_an_empty_file(server, suffix, tmp_path):
    (tmp_path / "nothing.c").write_text("int x;\n")
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", "exit 0\n")
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "gcc-99").symlink_to("/usr/bin/gcc")
    other = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": fake.path})
    with stopping(other):
        process = distcc(
            tmp_path,
            f"127.0.0.1:{other.port}{suffix}",
            *("gcc-99", "-c", "nothing.c", "-o", "nothing.o"),
            PATH=f"{tmp_path}/client:/usr/bin:/bin",
        )
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert (tmp_path / "nothing.o").read_bytes() == b""


def test_a_client_that_is_not_allowed_is_refused_and_compiles_at_home(suffix, tmp_path):
    (tmp_path / "hello.c").write_text(SOURCE)
    server = start_fleetccd(tmp_path / "server", "--allow", "127.0.0.2")
    with stopping(server):
        hosts = f"127.0.0.1:{server.port}{suffix}"
        process = distcc(tmp_path, hosts, "gcc", "-c", "hello.c", "-o", "h.o", DISTCC_FALLBACK="1")
        _, stderr = process.communicate(timeout=60)
        assert b"failed to distribute" in stderr
        assert process.returncode == 0
        assert "client=127.0.0.1 result=refused" in server.log
        assert server.welcome_from("127.0.0.2").running == 0


def test_a_missing_compiler_is_explained_by_status_110(server, suffix, tmp_path):
    (tmp_path / "hello.i").write_text("int x;\n")
    hosts = f"127.0.0.1:{server.port}{suffix}"
    status, _, stderr = run(tmp_path, hosts, "riscv32-unknown-elf-gcc", "-c", "hello.i", "-o", "h.o")
    assert status == 110
    assert b"failed to exec riscv32-unknown-elf-gcc" in stderr


def test_a_client_killed_in_mid_compile_leaves_nothing_behind(suffix, tmp_path):
    (tmp_path / "x.c").write_text("int x;\n")
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "gcc-99").symlink_to("/usr/bin/gcc")
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server):
        hosts = f"127.0.0.1:{server.port}{suffix}"
        command = ("gcc-99", "-c", "x.c", "-o", "x.o")
        path = f"{tmp_path}/client:/usr/bin:/bin"
        first = distcc(tmp_path, hosts, *command, PATH=path)
        fake.wait_for(1)
        group = server.running_compilers()
        assert len(group) == 1
        first.send_signal(signal.SIGKILL)
        first.communicate()
        # With one slot, a second job runs only when the first one's compiler is gone.
        second = distcc(tmp_path, hosts, *command, PATH=path)
        fake.wait_for(2)
        assert not Path(f"/proc/{group[0]}").exists()
        lock.let_go()
        second.communicate(timeout=30)
        assert second.returncode == 0
        server.wait_until_idle()
        assert server.files() == []
        assert "result=disconnected" in server.log
    lock.close()


def test_fifty_clients_at_once_all_get_their_own_object(server, suffix, tmp_path):
    hosts = f"127.0.0.1:{server.port}{suffix}/50"
    for number in range(50):
        (tmp_path / f"f{number}.c").write_text(f"int f{number}(void) {{ return {number}; }}\n")
    clients = [
        distcc(tmp_path, hosts, "gcc", "-c", f"f{number}.c", "-o", f"f{number}.o") for number in range(50)
    ]
    assert [(client.communicate(timeout=100)[1], client.returncode) for client in clients] == [(b"", 0)] * 50
    for number in range(50):
        symbols = subprocess.run(
            ["nm", f"f{number}.o"], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        assert symbols.split()[-1] == f"f{number}"


def test_the_environment_of_the_daemon_stays_with_the_daemon(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add(
        "gcc-99",
        'env | sed "s/=.*//" | sort | tr "\\n" " " >"$out"; echo >>"$out"; ls -l /proc/$$/fd >>"$out"\n',
    )
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "gcc-99").symlink_to("/usr/bin/gcc")
    (tmp_path / "x.c").write_text("int x;\n")
    server = start_fleetccd(
        tmp_path / "server", environment={"FLEETCCD_PATH": fake.path, "SECRET_TOKEN": "hush"}
    )
    with stopping(server):
        process = distcc(
            tmp_path,
            f"127.0.0.1:{server.port}",
            *("gcc-99", "-c", "x.c", "-o", "x.o"),
            PATH=f"{tmp_path}/client:{os.defpath}",
        )
        process.communicate(timeout=60)
    names, descriptors = (tmp_path / "x.o").read_text().split("\n", 1)
    assert set(names.split()) <= {"PATH", "LC_ALL", "HOME", "TMPDIR", "_DISTCC_SAFEGUARD", "PWD", "_"}
    assert "slots/0" in descriptors
    assert "socket:" not in descriptors
    assert "fleetccd.log" not in descriptors
