"""Many jobs in one replica: each sees the files as they were when it was sent; what was missed follows."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.blocking_sandbox import BlockingSandbox, blocking_sandbox
from tests.support.fleet import Client, client, installed, wait_for_end
from tests.support.replica import BUILDERS, Place, helper, own_place, place, replica_place

__all__ = ["client", "helper", "installed", "own_place", "place"]  # fixtures


@pytest.fixture(params=BUILDERS, ids=lambda user: f"uid{user}")
def held(request, installed, helper) -> Iterator[tuple[Place, BlockingSandbox]]:
    """A server whose jobs can be held back."""
    with (
        replica_place(installed, helper, request.param) as place,
        blocking_sandbox(place.root / "blocking", place.helper) as blocking,
    ):
        place.add_server("--jobs", "4", FLEETCC_SANDBOX=str(blocking.path))
        try_out(place)
        yield place, blocking


def try_out(place: Place) -> None:
    """A server tries its sandbox when the first client has come; that is not to be held back."""
    place.client.write("first.c", "int first;\n")
    assert place.client.run("gcc", "-c", "first.c").spoken == (0, b"", b"")
    for name in ("first.c", "first.o"):
        (place.client.work / name).unlink()


def object_of(client: Client, name: str) -> bytes:
    return (client.work / name).read_bytes()


def compiled_here(client: Client) -> bytes:
    assert client.plain("gcc", "-c", "a.c", "-o", "here.o").status == 0
    return object_of(client, "here.o")


@pytest.mark.parametrize("how", ["edited", "replaced", "removed", "linked"])
def test_an_older_job_keeps_its_version_of_a_header(held: tuple[Place, BlockingSandbox], how: str) -> None:
    place, blocking = held
    client = place.client
    client.write("a.c", '#if __has_include("a.h")\n#include "a.h"\n#else\n#define A 0\n#endif\nint a = A;\n')
    header = client.write("a.h", "#define A 1\n")
    old = compiled_here(client)
    blocking.hold()
    with client.popen(client.launcher, "gcc", "-c", "a.c", "-o", "old.o") as older:
        blocking.wait_for(1)
        if how == "edited":
            header.write_text("#define A 22\n")
        elif how == "replaced":
            os.rename(client.write("new.h", "#define A 333\n"), header)
        elif how == "removed":
            header.unlink()
        else:
            header.unlink()
            header.symlink_to(client.write("other.h", "#define A 4444\n"))
        blocking.pass_on()
        assert client.run("gcc", "-c", "a.c", "-o", "new.o").spoken == (0, b"", b"")
        assert object_of(client, "new.o") == compiled_here(client) != old
        assert older.poll() is None
        blocking.lock.let_go()
        assert (older.communicate(timeout=30), older.returncode) == ((b"", b""), 0)
    assert object_of(client, "old.o") == old
    assert client.idle_status()["by_reason"] == {"remote": 3}


def test_a_cancelled_job_is_killed_there_and_leaves_nothing(held: tuple[Place, BlockingSandbox]) -> None:
    place, blocking = held
    client = place.client
    client.write("a.c", "int a;\n")
    blocking.hold()
    with client.popen(client.launcher, "gcc", "-c", "a.c") as launcher:
        (compiler,) = blocking.wait_for(1)
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(20) == -signal.SIGINT
        assert wait_for_end(compiler, seconds=5.0)
    place.server.wait_until_idle()
    assert client.files() == ["a.c"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_agent_that_ends_takes_its_jobs_with_it_or_ends_them(own_place, helper, number) -> None:
    client = own_place.client
    client.write("a.c", "int a;\n")
    with blocking_sandbox(own_place.root / "blocking", own_place.helper) as blocking:
        server = own_place.add_server(FLEETCC_SANDBOX=str(blocking.path))
        try_out(own_place)
        blocking.hold()
        with client.popen(client.launcher, "gcc", "-c", "a.c", env={"FLEETCC_FALLBACK": "1"}) as launcher:
            (compiler,) = blocking.wait_for(1)
            pid = client.agent_pid
            assert pid is not None
            os.kill(pid, number)
            if number == signal.SIGKILL:
                assert wait_for_end(compiler, seconds=10.0)
                client.expects_leftovers = True
            else:
                blocking.lock.let_go()
            assert launcher.communicate(timeout=30) == (b"", b"")
            assert launcher.returncode == 0
            assert wait_for_end(pid)
        blocking.pass_on()
        assert object_of(client, "a.o") == compiled_here(client)
        server.wait_until_idle()
        assert client.run("gcc", "-c", "a.c").status == 0
        assert client.last_reason == "remote"


# What no scanner finds: the names are made by the assembler or by the compiler itself.
HIDDEN = {
    "a macro that makes an assembler directive": (
        "a.c",
        '#define IN ".inc" "bin"\n__asm__(".data\\n.globl blob\\nblob: " IN " \\"hidden.bin\\"\\n");\n'
        "int a;\n",
    ),
    "an assembler macro that makes a name": (
        "a.s",
        ".macro take what\n.incbin \"hidden.\\what\"\n.endm\n.data\ntake bin\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN)
def test_a_missed_file_is_sent_along_from_then_on(place: Place, what: str) -> None:
    client, server = place.client, place.server
    name, text = HIDDEN[what]
    client.write(name, text)
    client.write("hidden.bin", "bytes")
    for count in (1, 2):
        client.same_as_plain("gcc", "-c", name, "-o", "a.o", outputs=["a.o"])
        assert client.last_reason == "remote"
        assert client.idle_status()["files"]["missed"] == 1
        server.wait_for_log_count("result=ok", count)
        assert server.log.count("result=compile-error") == 1
    client.write("hidden.bin", "other bytes")
    client.same_as_plain("gcc", "-c", name, "-o", "a.o", outputs=["a.o"])
    assert server.log.count("result=compile-error") == 1


def test_status_tells_of_missed_files(own_place: Place) -> None:
    own_place.add_server()
    client = own_place.client
    name, text = HIDDEN["a macro that makes an assembler directive"]
    client.write(name, text)
    client.write("hidden.bin", "bytes")
    assert client.run("gcc", "-c", name).spoken == (0, b"", b"")
    told = json.loads(client.run("status", "--json").stdout)
    assert told["files"]["missed"] == 1
    assert "missed" in client.log


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("int f(void) { return nothing; }\n", ()),
        ('#include "nowhere.h"\n', ()),
        ('#include "here.h"\n#include "sub/nowhere.h"\n', ()),
        ('__asm__(".incbin \\"nowhere.bin\\"");\n', ("-pipe",)),
        ("#error nowhere.h: No such file or directory\n", ()),
        ("int a;\n", ("-include", "nowhere.h")),
        ('#include "here.h"\nint unused(void) { int x; return 0; }\n', ("-Wall", "-Werror")),
    ],
)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_an_error_of_the_users_own_is_compiled_once(own_place: Place, compiler, text, words) -> None:
    server, client = own_place.add_server(), own_place.client
    client.write("a.c", text)
    client.write("here.h", "")
    client.write("sub/other.h", "")
    done = client.same_as_plain(compiler, *words, "-c", "a.c", outputs=["a.o"])
    assert done.status == 1
    assert client.last_reason == "remote"
    assert client.idle_status()["files"]["missed"] == 0
    server.wait_until_idle()
    assert server.log.count("compiler=") == server.log.count("result=compile-error") == 1
