"""Names, modes, links, full disks and missing folders: the files are as the compiler alone leaves them."""

import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetcc.model import Reason
from tests.support.fleet import Client, client, installed, small_disk
from tests.support.launcher import mode_of
from tests.support.one_compile import COMMAND, SOURCE
from tests.support.scripted_server import ScriptedServer, Visit, compile_honestly, honest_answer

__all__ = ["client", "installed", "small_disk"]  # fixtures


@pytest.fixture
def host() -> Iterator[ScriptedServer]:
    with ScriptedServer(compile_honestly) as server:
        yield server


@pytest.fixture
def user(client: Client, host: ScriptedServer) -> Client:
    """A client with one source and a host that does its work."""
    client.write("a.c", SOURCE)
    client.environment["FLEETCC_HOSTS"] = host.host + ",lzo"
    return client


NAMES = [
    b"with space.c",
    b"new\nline.c",
    b"\xff\xfe.c",
    b"caf\xc3\xa9.c",
    b"quote'\"$(id)`.c",
    b"back\\slash.c",
    b"-dash.c",
    b"%s%n.c",
    b"a" * 200 + b".c",
    b"\x1b[31mred.c",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_of_source_and_object(user: Client, name: bytes) -> None:
    source = b"./" + name
    user.write(source, SOURCE)
    user.same_as_plain("gcc", "-O2", "-c", source, "-o", source[:-1] + b"o", outputs=[source[:-1] + b"o"])
    job = user.last_job()
    assert job["reason"] == "remote"
    assert job["label"].isprintable()
    user.same_as_plain("gcc", "-c", source, outputs=[name[:-1] + b"o"])
    assert user.last_reason == "remote"
    done = user.run("status", "--json")
    assert (done.status, done.stderr) == (0, b"")
    said = user.run("gcc", "-c", source, "-o", "a.o", env={"FLEETCC_VERBOSE": "1"})
    assert said.stderr.count(b"\n") == 1
    (user.work / "a.o").unlink()
    explained = user.run("explain", "--", "gcc", "-c", source)
    assert (explained.status, explained.stderr) == (0, b"")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_of_the_folder(user: Client, name: bytes) -> None:
    folder = user.work / os.fsdecode(name)
    folder.mkdir()
    (folder / "b.c").write_text('#include "b.h"\n' + SOURCE)
    (folder / "b.h").write_text("")
    outputs = [os.path.join(os.fsdecode(name), each) for each in ("b.o", "b.d")]
    user.same_as_plain("gcc", "-MD", "-c", "b.c", outputs=outputs, cwd=folder)
    assert user.last_reason == "remote"
    user.same_as_plain("gcc", "-MD", "-c", folder / "b.c", "-o", folder / "b.o", outputs=outputs)
    assert user.last_reason == "remote"
    assert user.run("status").status == 0


def test_an_agents_folder_of_any_name(user: Client) -> None:
    user.folder = user.root / os.fsdecode(b"agent \xff\n" + b"x" * 150)
    user.environment["FLEETCC_DIR"] = str(user.folder)
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_reason == "remote"
    for words in (("status",), ("status", "--json"), ("agent", "status")):
        done = user.run(*words)
        assert (done.status, done.stderr) == (0, b""), done


# ---- the output


def test_a_missing_source_is_reported_by_the_compiler(user: Client) -> None:
    assert user.same_as_plain("gcc", "-c", "missing.c").status == 1
    assert user.last_reason == Reason.PREPROCESSOR_SPOKE.slug


def test_a_missing_output_folder_is_reported_by_the_compiler(user: Client) -> None:
    assert user.same_as_plain("gcc", "-c", "a.c", "-o", "missing/a.o").status != 0
    assert user.last_reason in {Reason.OUTPUT_UNWRITABLE.slug, Reason.PREPROCESSOR_SPOKE.slug}


def test_a_missing_folder_for_dependencies_is_reported_by_the_compiler(user: Client) -> None:
    assert user.same_as_plain("gcc", "-c", "a.c", "-MD", "-MF", "missing/a.d").status != 0


def test_an_output_that_is_a_folder_is_reported_by_the_compiler(user: Client) -> None:
    (user.work / "a.o").mkdir()
    assert user.same_as_plain(*COMMAND).status != 0


def test_a_missing_compiler_is_reported_as_by_a_shell(user: Client) -> None:
    done = user.run("no-such-gcc", "-c", "a.c")
    assert done.spoken == (110, b"", b"fleetcc: no-such-gcc: command not found\n")


def test_a_compiler_that_vanishes_is_reported(user: Client) -> None:
    done = user.run("/nonexistent/gcc", "-c", "a.c")
    assert done.spoken == (110, b"", b"fleetcc: /nonexistent/gcc: No such file or directory\n")


def test_a_folder_that_cannot_be_written_is_reported_by_the_compiler(user: Client, small_disk: Path) -> None:
    """Mounted read-only, because root may write wherever modes forbid it."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for extra in ((), ("-MD", "-MF", "a.d")):
        command = ("gcc", "-c", "a.c", "-o", small_disk / "a.o", *extra)
        plain = user.plain(*command)
        assert plain.status != 0
        assert no_numbers(user.run(*command).stderr) == no_numbers(plain.stderr)
        assert user.last_reason == Reason.OUTPUT_UNWRITABLE.slug
        (user.work / "a.d").unlink(missing_ok=True)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_modes_follow_the_umask(user: Client, mask: int) -> None:
    user.same_as_plain("gcc", "-MD", "-c", "a.c", outputs=["a.o", "a.d"], umask=mask)
    assert user.last_reason == "remote"


EXISTING = ["mode", "read-only", "executable", "hard link", "symbolic link", "dangling link"]
LINKS = ["symbolic link", "dangling link"]
# gcc writes an old .s in place, which keeps its mode and its hard links; we rename a new one over it.
STANDING = [
    *(("gcc", "-c", kind) for kind in EXISTING),
    *(("gcc", "-S", kind) for kind in LINKS),
    *(("clang", stage, kind) for stage in ("-c", "-S") for kind in EXISTING),
]


def prepare(user: Client, name: str, kind: str) -> None:
    """Put something in the way of an output."""
    target, other = user.work / name, user.work / "other"
    for path in (target, other):
        path.unlink(missing_ok=True)
    if kind == "symbolic link":
        other.write_bytes(b"old")
    if kind in LINKS:
        target.symlink_to("other")
        return
    target.write_bytes(b"old")
    target.chmod({"read-only": 0o444, "executable": 0o755, "mode": 0o600}.get(kind, 0o644))
    if kind == "hard link":
        os.link(target, other)


def seen(user: Client, *names: str) -> dict[str, Any]:
    """What stands there: kind, mode, content, number of links."""
    found: dict[str, Any] = {}
    for name in names:
        path = user.work / name
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.exists():
            found[name] = (mode_of(path), path.stat().st_nlink, path.read_bytes())
    return found


@pytest.mark.parametrize(("compiler", "stage", "kind"), STANDING)
def test_what_stood_there_before_ends_as_after_the_compiler(
    user: Client, compiler: str, stage: str, kind: str
) -> None:
    command = (compiler, "-O2", stage, "a.c", "-o", "a.o")
    prepare(user, "a.o", kind)
    plain = user.plain(*command)
    wanted = seen(user, "a.o", "other")
    prepare(user, "a.o", kind)
    assert user.run(*command).spoken == plain.spoken
    assert user.last_reason == "remote"
    assert seen(user, "a.o", "other") == wanted


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("kind", LINKS)
def test_dependencies_go_through_links(user: Client, compiler: str, kind: str) -> None:
    command = (compiler, "-MD", "-c", "a.c", "-o", "a.o")
    prepare(user, "a.d", kind)
    plain = user.plain(*command)
    wanted = seen(user, "a.d", "other", "a.o")
    prepare(user, "a.d", kind)
    assert user.run(*command).spoken == plain.spoken
    assert user.last_reason == "remote"
    assert seen(user, "a.d", "other", "a.o") == wanted


def test_devices_are_written_not_replaced(user: Client) -> None:
    done = user.same_as_plain("gcc", "-c", "a.c", "-o", "/dev/null")
    assert done.status == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert user.last_reason == Reason.STDOUT_OUTPUT.slug


def test_an_old_object_stays_when_the_compile_fails_as_it_does_alone(user: Client) -> None:
    (user.work / "a.o").write_bytes(b"old")
    user.write("a.c", "int broken(\n")
    plain = user.plain(*COMMAND)
    left = (user.work / "a.o").exists()
    (user.work / "a.o").write_bytes(b"old")
    assert user.run(*COMMAND).spoken == plain.spoken
    assert (user.work / "a.o").exists() == left


def test_an_object_is_never_seen_half_written(user: Client, host: ScriptedServer) -> None:
    """While the answer drips in, the old object is there, whole."""
    old = b"old object"
    (user.work / "a.o").write_bytes(old)

    def script(visit: Visit) -> None:
        head, source = visit.request()
        answer = honest_answer(head, source)
        visit.send(answer[:-10])
        assert (user.work / "a.o").read_bytes() == old
        assert user.files() == ["a.c", "a.o"]
        visit.send(answer[-10:])

    host.script = script
    assert user.run(*COMMAND).spoken == (0, b"", b"")
    made = (user.work / "a.o").read_bytes()
    assert user.plain(*COMMAND).status == 0
    assert made == (user.work / "a.o").read_bytes()


def test_a_full_file_system_is_reported_by_the_compiler(user: Client, small_disk: Path) -> None:
    user.write("a.c", "".join(f"int value{n} = {n};\n" for n in range(5_000)))
    output = small_disk / "a.o"
    plain = user.plain("gcc", "-c", "a.c", "-o", output)
    assert plain.status != 0
    output.unlink(missing_ok=True)
    done = user.run("gcc", "-c", "a.c", "-o", output)
    assert (done.status, done.stdout) == (plain.status, plain.stdout)
    assert no_numbers(done.stderr) == no_numbers(plain.stderr)
    assert user.last_reason == Reason.OUTPUT_UNWRITABLE.slug
    assert os.listdir(small_disk) == []


def no_numbers(text: bytes) -> bytes:
    """The assembler's messages name its own temporary file."""
    return b"\n".join(line for line in text.splitlines() if b"/cc" not in line)


def test_a_limit_of_file_sizes_acts_as_on_the_compiler(user: Client) -> None:
    user.write("a.c", "".join(f"int value{n} = {n};\n" for n in range(5_000)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    plain = user.plain(*COMMAND, preexec_fn=limit)
    left = (user.work / "a.o").exists()
    (user.work / "a.o").unlink(missing_ok=True)
    assert plain.status != 0
    done = user.run(*COMMAND, preexec_fn=limit)
    assert done.status != 0
    assert (user.work / "a.o").exists() == left
    for path in user.temp.iterdir():  # the compiler, killed by SIGXFSZ, leaves its own
        path.unlink()


def test_a_full_file_system_for_dependencies_leaves_no_object_of_ours(user: Client, small_disk: Path) -> None:
    for number in range(3_000):
        user.write(f"include/{'long' * 10}{number}.h", "")
    user.write("a.c", "".join(f'#include "include/{"long" * 10}{n}.h"\n' for n in range(3_000)) + SOURCE)
    command = ("gcc", "-c", "a.c", "-o", "a.o", "-MD", "-MF", small_disk / "a.d")
    plain = user.plain(*command)
    left = (user.work / "a.o").exists()
    (user.work / "a.o").unlink(missing_ok=True)
    (small_disk / "a.d").unlink(missing_ok=True)
    done = user.run(*command)
    assert done.status == plain.status
    assert (user.work / "a.o").exists() == left
    assert user.last_reason in {Reason.OUTPUT_UNWRITABLE.slug, Reason.PREPROCESSOR_SPOKE.slug}
