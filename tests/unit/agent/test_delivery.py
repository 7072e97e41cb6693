"""What a launcher is told of a compile that a host did."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fleetcc.agent.delivery import MOST_OUTPUTS, Delivery
from fleetcc.agent.errand import RunLocallyError
from fleetcc.agent.launcher_connection import LauncherGoneError, LauncherMessage
from fleetcc.agent.stories import Stories
from fleetcc.agent.story import Story
from fleetcc.backends.link import LeftFile, Spoken
from fleetcc.command.analysis import Compilation, analyze
from fleetcc.model import Compiler, Family, Reason
from fleetcc.monitor.journal import Journal
from fleetcc.settings import load_settings
from fleetcc.wire.launcher import WRITE_FAILED, temporary_name
from tests.unit.agent.hand_launcher import WRITTEN, HandLauncher

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
CLANG = Compiler(Family.CLANG, (14, 0, 6), b"x86_64-linux-gnu", b"clang-14")
FAILED = 0x100


class Bench:
    """A job whose host has answered."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.story: Story = Stories(Journal(str(directory))).begin(
            (b"gcc", b"-c", b"a.c"), os.fsencode(directory)
        )
        self.story.host = "red"

    def delivery(self, launcher: HandLauncher, **variables: str) -> Delivery:
        told = {"HOME": str(self.directory), **variables}
        settings = load_settings({name.encode(): value.encode() for name, value in told.items()})
        return Delivery(launcher.connection, self.story, os.fsencode(self.directory), settings)

    def path(self, name: str) -> bytes:
        return os.fsencode(self.directory / name)

    def left(self, *files: tuple[str, bytes], status: int = 0, removed: tuple[str, ...] = ()) -> Spoken:
        """What a job made of files left."""
        told = tuple(LeftFile(self.path(name), 0o644, content) for name, content in files)
        return Spoken(status, b"out", b"err", b"", 0.1, told, tuple(map(self.path, removed)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def compilation(line: str, compiler: Compiler = GCC) -> Compilation:
    found = analyze([os.fsencode(word) for word in line.split()], compiler, {}, lambda _: None)
    assert isinstance(found, Compilation)
    return found


TEXT = Spoken(0, b"out", b"err", b"object", 0.1)


# -- of files


async def test_all_files_that_a_compiler_left_are_written_before_the_result(bench: Bench) -> None:
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_files(bench.left(("a.o", b"object"), ("a.d", b"a.o:\0x")))

    assert launcher.outputs == {bench.path("a.o"): b"object", bench.path("a.d"): b"a.o:\0x"}
    assert launcher.result == (0, b"out", b"err")
    assert [kind for kind, _ in launcher.told] == [b"O", b"O", b"R"]
    assert launcher.sends == 1
    assert bench.story.reason is Reason.REMOTE


async def test_a_failed_compile_leaves_files_too(bench: Bench) -> None:
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_files(bench.left(("a.d", b"a.o:"), status=FAILED))

    assert launcher.outputs == {bench.path("a.d"): b"a.o:"}
    assert launcher.result[0] == FAILED


async def test_what_the_compiler_removed_is_removed(bench: Bench) -> None:
    (bench.directory / "a.o").write_bytes(b"old")
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_files(bench.left(status=FAILED, removed=("a.o", "gone already")))

    assert os.listdir(bench.directory) == []
    assert launcher.result[0] == FAILED


async def test_directories_that_the_compiler_made_are_made(bench: Bench) -> None:
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_files(bench.left(("gcm.cache/deep/m.gcm", b"module")))

    assert (bench.directory / "gcm.cache" / "deep").is_dir()


async def test_more_files_than_a_launcher_can_hold_are_made_here(bench: Bench) -> None:
    launcher = HandLauncher()
    many = [(f"{number}.o", b"") for number in range(MOST_OUTPUTS + 1)]

    with pytest.raises(RunLocallyError) as caught:
        await bench.delivery(launcher).of_files(bench.left(*many))

    assert (caught.value.reason, caught.value.detail) == (Reason.MANY_OUTPUTS, "501 files")
    assert launcher.told == []


async def test_an_output_that_cannot_be_written_has_the_compiler_say_so(bench: Bench) -> None:
    answer = LauncherMessage(b"f", WRITE_FAILED.pack(errno.EACCES) + b"/out/a.o", ())

    with pytest.raises(RunLocallyError) as caught:
        await bench.delivery(HandLauncher(answer)).of_files(bench.left(("a.o", b"object")))

    assert caught.value.reason is Reason.OUTPUT_UNWRITABLE
    assert caught.value.detail == "/out/a.o: Permission denied"


async def test_what_a_launcher_that_has_gone_left_half_way_is_removed(bench: Bench) -> None:
    (bench.directory / "out").mkdir()
    launcher = HandLauncher(None)
    half = [
        bench.directory / os.fsdecode(temporary_name(launcher.pid, 0)),
        bench.directory / "out" / os.fsdecode(temporary_name(launcher.pid, 1)),
    ]
    for path in half:
        path.write_bytes(b"half")

    with pytest.raises(LauncherGoneError):
        await bench.delivery(launcher).of_files(bench.left(("a.o", b"object"), ("out/a.d", b"a.o:")))

    assert not any(path.exists() for path in half)


# -- of text


async def test_text_makes_one_output_and_the_preprocessors_words_come_first(bench: Bench) -> None:
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_text(compilation("gcc -MMD -c a.c"), TEXT, b"warning\n")

    assert launcher.outputs == {b"a.o": b"object"}
    assert launcher.of(b"D") == [b"a.d"]
    assert launcher.result == (0, b"out", b"warning\nerr")


async def test_a_failed_compile_of_text_makes_none(bench: Bench) -> None:
    launcher = HandLauncher(WRITTEN)
    failed = Spoken(FAILED, b"", b"err", b"", 0.1)

    await bench.delivery(launcher).of_text(compilation("gcc -MMD -c a.c"), failed, b"")

    assert [kind for kind, _ in launcher.told] == [b"R"]


@pytest.mark.parametrize(
    ("line", "compiler", "exists", "is_through"),
    [
        ("gcc -c a.c", GCC, True, False),
        ("gcc -c a.c", GCC, False, True),
        ("gcc -S a.c -o a.o", GCC, True, True),
        ("clang -c a.c", CLANG, True, False),
        ("clang -c a.c", CLANG, False, False),
    ],
)
async def test_links_are_followed_where_the_compiler_would(
    bench: Bench, line: str, compiler: Compiler, exists: bool, is_through: bool
) -> None:
    (bench.directory / "a.o").symlink_to("real.o")
    if exists:
        (bench.directory / "real.o").write_bytes(b"old")
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher).of_text(compilation(line, compiler), TEXT, b"")

    assert list(launcher.outputs) == [bench.path("real.o") if is_through else b"a.o"]


# -- what it says


@pytest.mark.parametrize(("variables", "say"), [({"FLEETCC_VERBOSE": "1"}, False), ({}, True), ({}, False)])
async def test_a_user_who_wants_to_know_is_told(bench: Bench, variables: dict[str, Any], say: bool) -> None:
    launcher = HandLauncher(WRITTEN)

    await bench.delivery(launcher, **variables).of_streams(FAILED, b"out", b"err", say=say)

    assert launcher.result == (FAILED, b"out", b"err")
    told = launcher.of(b"V")
    assert [text.startswith(b"fleetcc: a.c: on red") for text in told] == [True] * bool(variables or say)
