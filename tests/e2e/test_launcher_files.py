"""Both launchers: the files that O, D and R put in place."""

import errno
import os
import signal
from collections.abc import Callable

import pytest

from fleetcc.wire.launcher import (
    WRITE_FAILED,
    encode_answer,
    encode_preprocess,
    encode_result,
)
from tests.support.fake_agent import Session, execute
from tests.support.launcher import World, mode_of

# ---- O, D and R: files


def write_files(*files: tuple[bytes, bytes]) -> Callable[[Session], None]:
    """A script that puts files in place."""

    def script(session: Session) -> None:
        session.send(*(encode_answer(b"O", path + b"\0" + content) for path, content in files))
        session.send(encode_result(0, b"", b""))
        assert session.receive()[0] == b"w"

    return script


def test_outputs_appear_with_the_users_umask(world: World) -> None:
    content = os.urandom(300_000)
    (world.work / "sub").mkdir()
    with world.agent(write_files((b"x.o", content), (b"sub/x.d", b"x.o: x.c\n"), (b"empty", b""))):
        assert world.run("probe", umask=0o27).returncode == 0

    assert (world.work / "x.o").read_bytes() == content
    assert (world.work / "sub/x.d").read_bytes() == b"x.o: x.c\n"
    assert (world.work / "empty").read_bytes() == b""
    assert mode_of(world.work / "x.o") == 0o640
    assert world.leftovers() == []


def test_absolute_names_of_any_bytes_are_written(world: World) -> None:
    path = os.fsencode(world.root) + b"/a b\n\xff.o"
    with world.agent(write_files((path, b"object"))):
        world.run("probe")
    with open(path, "rb") as stream:
        assert stream.read() == b"object"


def test_an_old_output_is_replaced_not_rewritten(world: World) -> None:
    (world.work / "x.o").write_bytes(b"old")
    os.link(world.work / "x.o", world.work / "kept")
    with world.agent(write_files((b"x.o", b"new"))):
        world.run("probe")
    assert [(world.work / name).read_bytes() for name in ("x.o", "kept")] == [b"new", b"old"]


def test_a_symbolic_link_is_replaced_as_the_assembler_does(world: World) -> None:
    (world.work / "other").write_bytes(b"old")
    (world.work / "x.o").symlink_to("other")
    with world.agent(write_files((b"x.o", b"new"))):
        world.run("probe")
    assert not (world.work / "x.o").is_symlink()
    assert (world.work / "other").read_bytes() == b"old"


def test_devices_and_pipes_are_written_not_replaced(world: World) -> None:
    os.mkfifo(world.work / "pipe")
    (world.work / "null").symlink_to("/dev/null")
    reading = os.open(world.work / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    files = write_files((b"/dev/null", b"a"), (b"null", b"b"), (b"pipe", b"text"), (b"/dev/stdout", b"words"))
    with world.agent(files):
        done = world.run("probe")

    assert done.stdout == b"words"
    assert os.read(reading, 100) == b"text"
    os.close(reading)
    assert (world.work / "null").is_symlink()
    assert sorted(os.listdir(world.work)) == ["null", "pipe"]


UNWRITABLE = [
    (b"missing/x.o", "ENOENT"),
    (b"folder", "EISDIR"),
    (b"file/x.o", "ENOTDIR"),
    (b"x" * 300, "ENAMETOOLONG"),
]


@pytest.mark.parametrize(("path", "reason"), UNWRITABLE)
def test_nothing_is_put_in_place_when_one_output_cannot_be(world: World, path: bytes, reason: str) -> None:
    (world.work / "folder").mkdir()
    (world.work / "file").touch()

    def script(session: Session) -> None:
        files = [(path, b"1"), (b"x.d", b"2")]
        session.send(*(encode_answer(b"O", name + b"\0" + content) for name, content in files))
        session.send(encode_result(0, b"never seen", b""))
        kind, payload, _ = session.receive()
        assert (kind, payload[4:]) == (b"f", path)
        assert errno.errorcode[WRITE_FAILED.unpack_from(payload)[0]] == reason
        execute(session)

    with world.agent(script):
        done = world.run("probe")

    assert (done.returncode, done.stdout) == (7, os.fsencode(f"{world.probe}\nlevel 1\n"))
    assert sorted(os.listdir(world.work)) == ["file", "folder"]


def test_a_launcher_that_is_stopped_between_output_and_result_leaves_nothing(world: World) -> None:
    def script(session: Session) -> None:
        session.send(
            encode_answer(b"O", b"x.o\0" + bytes(100_000)),
            encode_preprocess([b"true"], with_dependencies=False),
        )
        session.receive()
        os.kill(process.pid, signal.SIGTERM)
        assert session.is_gone()

    with world.agent(script), world.popen("probe") as process:
        process.wait(30)
    assert process.returncode == -signal.SIGTERM
    assert os.listdir(world.work) == []
