"""What a compile here and the same on a host differ in."""

import os
from pathlib import Path

import pytest

from fleetcc.agent.launcher_connection import LauncherGoneError, LauncherMessage
from fleetcc.agent.verification import Outcome, differences, run_here
from fleetcc.backends.link import LeftFile, Spoken
from fleetcc.errors import FleetccError
from tests.unit.agent.hand_launcher import HandLauncher, ran

HERE = Outcome(0, b"", b"")
THERE = Spoken(0, b"", b"", b"", 0.1)
FAILED = 0x100


def found(
    tmp_path: Path,
    *files: LeftFile,
    there: Spoken = THERE,
    here: Outcome = HERE,
    named: tuple[bytes, ...] = (b"a.o",),
) -> list[str]:
    return differences(there, files, here, named, os.fsencode(tmp_path))


def left(tmp_path: Path, name: str, content: bytes) -> LeftFile:
    """A file that a host's compiler left."""
    return LeftFile(os.fsencode(tmp_path / name), 0o644, content)


def test_the_same_bytes_are_no_difference(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_bytes(b"object")

    assert found(tmp_path, left(tmp_path, "a.o", b"object")) == []


def test_paths_that_lead_to_one_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.o").write_bytes(b"object")
    (tmp_path / "link").symlink_to("real")

    assert found(tmp_path, left(tmp_path, "real/a.o", b"object"), named=(b"link/a.o",)) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"obJect", "a.o: 6 bytes there, 6 here, different from byte 2 on"),
        (b"object file", "a.o: 11 bytes there, 6 here, different in length"),
    ],
)
def test_other_bytes_are_told_with_their_place(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.o").write_bytes(b"object")

    (told,) = found(tmp_path, left(tmp_path, "a.o", content))

    assert told == f"{tmp_path}/{sentence}"


def test_a_file_that_only_one_side_left_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.d").write_bytes(b"a.o:")

    told = found(tmp_path, left(tmp_path, "a.o", b"object"), named=(b"a.o", b"a.d", b"never"))

    assert told == [f"{tmp_path}/a.o: only there", "a.d: only here"]


def test_outputs_of_before_do_not_count_when_a_compile_fails(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_bytes(b"old")
    there = Spoken(FAILED, b"", b"", b"", 0.1)

    assert found(tmp_path, there=there, here=Outcome(FAILED, b"", b"")) == []


def test_status_and_streams_are_compared(tmp_path: Path) -> None:
    there = Spoken(FAILED, b"", b"warning", b"", 0.1)

    told = found(tmp_path, there=there, here=Outcome(0, b"out", b"warming"))

    assert told == [
        "status 256 there, 0 here",
        "stdout: 0 bytes there, 3 here, different in length",
        "stderr: 7 bytes there, 7 here, different from byte 3 on",
    ]


# -- here


async def test_the_launcher_runs_the_command_as_typed() -> None:
    launcher = HandLauncher(ran(FAILED, b"out", b"err"))

    outcome = await run_here(launcher.connection, (b"gcc", b"-c", b"a.c"))

    assert outcome == Outcome(FAILED, b"out", b"err")
    assert launcher.told == [(b"P", b"gcc\0-c\0a.c\0")]


async def test_its_memory_files_are_closed() -> None:
    answer = ran(0)

    await run_here(HandLauncher(answer).connection, (b"gcc",))

    for descriptor in answer.descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


async def test_a_launcher_that_answers_something_else_is_an_error() -> None:
    descriptor = os.memfd_create("only one")
    launcher = HandLauncher(LauncherMessage(b"p", b"", (descriptor,)))

    with pytest.raises(FleetccError, match="1 memory files where 2 were expected"):
        await run_here(launcher.connection, (b"gcc",))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_a_launcher_that_has_gone_is_told() -> None:
    with pytest.raises(LauncherGoneError):
        await run_here(HandLauncher(None).connection, (b"gcc",))
