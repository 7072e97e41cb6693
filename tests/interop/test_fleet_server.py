"""Jobs of fleet clients on a real fleetccd: what comes back, and how it is refused."""

import os
import re
import socket
import subprocess

import pytest

from fleetcc.toolchain.identity import compute_identity
from fleetcc.wire import zstd
from tests.support.fleet_client import ARGV, NO_COMPILER, FleetClient, connect
from tests.support.servers import SYSTEM_PATH, FakeCompilers, start_fleetccd, stopping

SOURCE = """#include <stdio.h>
#include "here.h"
#define TWICE(x) ((x) + (x))
static int twice(int value) { return TWICE(value); }
int main(int argc, char **argv) { return printf("%s %d\\n", NAME, twice(argc)); }
"""
TEXT = "#define ADD(x) ((x) + step)\nstatic int step = 3;\nint add(int x) { return ADD(x); }\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "2")
    with stopping(found):
        yield found
        assert "Traceback" not in found.log


@pytest.fixture
def client(server):
    with connect(server.connect()) as found:
        yield found
        found.barrier()
    server.wait_until_idle()
    assert server.files() == []


def identity(program: str) -> str:
    found = compute_identity(program.encode(), {b"PATH": SYSTEM_PATH.encode()})
    assert found is not None
    return found.digest


def here(directory, *command: str) -> bytes:
    return subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout


def compiled(client: FleetClient, *arguments, **rest):
    client.demand(1)
    client.wait_for_grants()
    return client.wait_for(client.run(*arguments, **rest))


@pytest.mark.parametrize(
    ("compiler", "name"),
    [("gcc", "hello.c"), ("g++", "hello.cc"), ("clang", "hello.c"), ("clang++", "hello.cc")],
)
def test_the_object_of_expanded_text_is_the_local_compilers(client, tmp_path, compiler, name):
    (tmp_path / name).write_text(TEXT)
    text = here(tmp_path, compiler, "-E", name)
    argv = (compiler.encode(), b"-O2", b"-c", name.encode(), b"-o", b"hello.o")
    done = compiled(client, identity(f"/usr/bin/{compiler}"), argv, text)
    here(tmp_path, compiler, "-O2", "-c", name, "-o", "hello.o")
    assert done.part("object") == (tmp_path / "hello.o").read_bytes()
    assert (done.status, done.part("stderr"), done.part("stdout")) == (0, b"", b"")
    assert done.spoken.run_seconds > 0
    assert done.spoken.cpu_seconds > 0
    assert done.spoken.peak_bytes > 1 << 20
    assert client.started == [1]


@pytest.mark.parametrize("options", [["-g", "-O2"], ["-O2", "-Wall"], ["-ggdb", "-O1"]], ids=" ".join)
def test_a_source_with_its_macros_gives_the_local_object(client, tmp_path, options):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.c").write_text(SOURCE)
    (tmp_path / "sub" / "here.h").write_text('#pragma once\n#define NAME "here"\n')
    argv = ["gcc", *options, "-c", "sub/main.c", "-o", "main.o"]
    text = here(tmp_path, "gcc", *options, "-fworking-directory", "-fdirectives-only", "-E", "sub/main.c")
    words = tuple(word.encode() for word in argv)
    done = compiled(client, identity("/usr/bin/gcc"), words, text, form="directives")
    here(tmp_path, *argv)
    assert (done.status, done.part("stderr")) == (0, b"")
    assert done.part("object") == (tmp_path / "main.o").read_bytes()


def test_a_big_source_and_a_big_object_travel_whole(client, tmp_path):
    numbers = ",".join(str(number * 2654435761 % (1 << 31)) for number in range(300_000))
    (tmp_path / "big.c").write_text(f"int table[] = {{{numbers}}};\n")
    text = here(tmp_path, "gcc", "-E", "big.c")
    done = compiled(client, identity("/usr/bin/gcc"), (b"gcc", b"-c", b"big.c", b"-o", b"big.o"), text)
    here(tmp_path, "gcc", "-c", "big.c", "-o", "big.o")
    assert done.part("object") == (tmp_path / "big.o").read_bytes()


def test_a_compile_error_comes_with_its_diagnostics_and_no_object(client):
    argv = (b"gcc", b"-c", b"bad.i", b"-o", b"bad.o")
    done = compiled(client, identity("/usr/bin/gcc"), argv, b"int f(void) { return oops; }\n")
    assert done.status == 1 << 8
    assert b"'oops' undeclared" in done.part("stderr")
    assert [part.name for part in done.spoken.parts] == ["stderr"]


def test_a_client_that_does_not_know_zstd_gets_plain_results(server):
    with connect(server.connect(), capabilities=()) as client:
        argv = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
        done = compiled(client, identity("/usr/bin/gcc"), argv, b"int x;\n")
        (part,) = done.spoken.parts
        assert part.encoding == "raw"
        assert done.raw[:4] == b"\x7fELF"


def test_the_welcome_says_what_the_server_is(client, server):
    welcome = client.welcome
    assert welcome.program.startswith("fleetccd ")
    assert welcome.slots == 2
    assert {identity("/usr/bin/gcc"), identity("/usr/bin/clang++")} <= set(welcome.compilers)
    assert set(welcome.capabilities) == {"preprocessed", "expanded", "directives", "zstd", "files"}
    with connect(server.connect()) as again:
        assert again.welcome.instance == welcome.instance
    assert re.fullmatch("[0-9a-f]{32}", welcome.instance)
    assert welcome.ping_seconds == 10.0
    assert welcome.name == socket.gethostname()


def test_a_new_compiler_is_told_to_clients_that_are_connected(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", "exit 0\n")
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": fake.path_alone})
    with stopping(server), connect(server.connect()) as client:
        old = fake.identity("gcc-99")
        assert client.welcome.compilers == (old,)
        fake.add("gcc-99", "exit 1\n")
        new = fake.identity("gcc-99")
        # A job for the old one makes the server look; it is refused, because nobody has that compiler.
        done = compiled(client, old)
        assert done.code == "unknown-compiler"
        client.wait_until(lambda: client.welcome.compilers == (new,))
        assert compiled(client, new).status == 1 << 8


# -- refusals: each ends one job, and the connection goes on

REFUSED = {
    "a wrapper": (b"gcc", b"-wrapper", b"/bin/echo,hi", *ARGV[1:]),
    "a plugin": (b"gcc", b"-fplugin=/tmp/x.so", *ARGV[1:]),
    "a response file": (b"gcc", b"@/tmp/x", *ARGV[1:]),
    "an unknown option": (b"gcc", b"-fno-such-thing-at-all", b"--bogus", *ARGV[1:]),
    "a compiler's path": (b"/usr/bin/gcc", *ARGV[1:]),
    "no compiler": (),
    "an empty compiler": (b"", *ARGV[1:]),
    "no -c": (b"gcc", b"x.i", b"-o", b"x"),
    "a NUL": (b"gcc", b"-c", b"x\0.i"),
    "too many words": (b"gcc", *(b"-O2",) * 30_000, *ARGV[1:]),
    "two sources": (b"gcc", b"-c", b"x.i", b"y.i"),
    "a huge option": (b"gcc", b"--x" + b"x" * 100_000, *ARGV[1:]),
}


@pytest.mark.parametrize("argv", REFUSED.values(), ids=REFUSED)
def test_options_are_checked_as_those_of_distcc_clients(client, argv):
    done = compiled(client, identity("/usr/bin/gcc"), argv)
    assert done.code == "refused"
    assert done.refusal.text
    assert done.refusal.remedy


def test_an_unknown_compiler_is_said_to_be_unknown(client):
    done = compiled(client, NO_COMPILER, source=b"int x;\n" * 100_000)
    assert done.code == "unknown-compiler"
    assert done.refusal.remedy


@pytest.mark.parametrize(
    "text", [b"int x;\n", b'# 0 "x.c"\n# 1 "/w//"\n# 0 "<command-line>"\nchar *when = __DATE__;\n']
)
def test_a_text_that_cannot_be_compiled_elsewhere_is_unfit(client, text):
    done = compiled(client, identity("/usr/bin/gcc"), (b"gcc", b"-c", b"x.c"), text, form="directives")
    assert done.code == "unfit"
    assert done.refusal.text


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "files"}, "unsupported"),
        ({"form": "binary"}, "unsupported"),
        ({"encoding": "brotli"}, "unsupported"),
        ({"plain_bytes": (512 << 20) + 1}, "too-large"),
        ({"plain_bytes": 6}, "bad-frame"),
        ({"plain_bytes": 100}, "bad-frame"),
        ({"encoding": "zstd"}, "bad-frame"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_job_ends_that_job_alone(client, fields, code):
    done = compiled(client, identity("/usr/bin/gcc"), **fields)
    assert done.code == code
    assert done.refusal.remedy
    good = compiled(client, identity("/usr/bin/gcc"), (b"gcc", b"-c", b"x.i", b"-o", b"x.o"))
    assert good.status == 0


def test_a_job_without_a_grant_is_answered_and_its_source_passed_over(client):
    source = os.urandom(300_000)
    done = client.wait_for(client.run(identity("/usr/bin/gcc"), source=source))
    assert done.code == "not-granted"
    client.grants = 0
    assert compiled(client, identity("/usr/bin/gcc")).status == 0


def test_a_small_body_that_would_be_enormous_is_refused(client):
    zeros = zstd.pack(bytes(400 << 20))[1]
    client.demand(1)
    client.wait_for_grants()
    job = client.offer(
        identity("/usr/bin/gcc"), source=b"", blob_bytes=len(zeros), plain_bytes=1000, encoding="zstd"
    )
    client.blobs(job, zeros)
    assert client.wait_for(job).code == "bad-frame"
