"""Which tool a command is, and how it is told."""

from pathlib import Path

import pytest

from fleetcc.jobserver.tools import Kind, Tool, Way, kind_of, reads_only_descriptors, recognise, with_count

OLD, NEW, NINJA = "GNU Make 4.3", "GNU Make 4.4.1", "1.13.2.git.kitware.jobserver-pipe-1"


def told(command: str, **says: str) -> Tool:
    """The tool of a command, when programs of these names say that; others cannot be run."""
    return recognise(command.split(), lambda program: says.get(Path(program).name.replace("-", "_"), ""))


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("make", Kind.MAKE),
        ("/usr/bin/gmake -C x", Kind.MAKE),
        ("bmake", Kind.BMAKE),
        ("ninja-build -C out", Kind.NINJA),
        ("samu", Kind.NINJA),
        ("cmake --build out", Kind.CMAKE_BUILD),
        ("cmake -S . -B out", Kind.CMAKE),
        ("cmake -E copy a b", Kind.OTHER),
        ("cmake --install out", Kind.OTHER),
        ("meson compile -C out", Kind.MESON_BUILD),
        ("meson setup out", Kind.CONFIGURE),
        ("../configure --prefix=/x", Kind.CONFIGURE),
        ("./build.sh make", Kind.OTHER),
    ],
)
def test_a_command_is_known_by_its_name(command: str, kind: Kind) -> None:
    assert kind_of(command.split()) is kind


@pytest.mark.parametrize(
    ("says", "way", "option"),
    [
        ("GNU Make 3.82", Way.COUNT, "auth"),
        ("GNU Make 4.0", Way.PIPE, "fds"),
        ("GNU Make 4.1", Way.PIPE, "fds"),
        ("GNU Make 4.2.1", Way.PIPE, "auth"),
        (OLD, Way.PIPE, "auth"),
        ("GNU Make 4.4", Way.FIFO, "auth"),
        ("GNU Make 10.0", Way.FIFO, "auth"),
        ("something else", Way.COUNT, "auth"),
        ("", Way.COUNT, "auth"),
    ],
)
def test_each_make_is_told_as_it_reads(says: str, way: Way, option: str) -> None:
    tool = told("make -k all", make=says)
    assert (tool.way, tool.option) == (way, option)


@pytest.mark.parametrize(
    ("says", "way"),
    [("1.11.1", Way.COUNT), ("1.12.99", Way.COUNT), ("1.13.0", Way.FIFO), (NINJA, Way.FIFO), ("", Way.COUNT)],
)
def test_ninja_reads_named_pipes_from_1_13_on(says: str, way: Way) -> None:
    assert told("ninja", ninja=says).way is way


def test_samurai_reads_none_whatever_it_calls_itself() -> None:
    assert told("samu", samu="1.13.0").way is Way.COUNT


@pytest.mark.parametrize(
    "command",
    ["make -j4", "make -j 4", "make -kj", "make -C x -j2 all", "make --jobs", "make --jobs=3", "make all -j",
     "ninja -j4", "ninja -C out -j 4", "ninja -vj4", "samu -j1", "bmake -j3", "cmake --build out -j4",
     "cmake --build out --parallel", "cmake --build out --parallel=4", "cmake --build out -- -j4",
     "meson compile -j2", "meson compile -C out --jobs=2"],
)  # fmt: skip
def test_a_count_of_the_users_own_is_left_alone(command: str) -> None:
    tool = told(command, make=NEW, ninja=NINJA)
    assert tool.way is Way.NOTHING
    assert "how many" in tool.why


@pytest.mark.parametrize(
    "command",
    ["make -C jobs -f -j4", "make -fj4 -Ij4", "make -- -j4", "make --file -j4 all", "make j4", "make -l 2",
     "make --jobserver-style=pipe", "make -"],
)  # fmt: skip
def test_what_only_looks_like_a_count_is_none(command: str) -> None:
    assert told(command, make=NEW).way is Way.FIFO


def test_what_sets_a_build_up_needs_no_tokens() -> None:
    for command in ("cmake -B out", "./configure", "meson setup out"):
        assert told(command, make=NEW).way is Way.NOTHING


@pytest.mark.parametrize(
    ("says", "way"),
    [
        ({"make": OLD, "ninja": NINJA}, Way.PIPE),
        ({"make": NEW}, Way.FIFO),
        ({"ninja": NINJA}, Way.FIFO),
        ({"ninja": "1.11.1"}, Way.NOTHING),
        ({}, Way.NOTHING),
    ],
)
def test_a_script_is_told_as_the_make_or_ninja_that_it_will_call(says: dict[str, str], way: Way) -> None:
    assert told("./build.sh -j4", **says).way is way


@pytest.mark.parametrize(
    ("program", "way"),
    [("/usr/bin/make", Way.PIPE), ("/opt/ninja", Way.FIFO), ("/opt/nmake", Way.COUNT)],
)
def test_cmake_build_is_told_as_the_tool_of_its_folder(tmp_path: Path, program: str, way: Way) -> None:
    (tmp_path / "CMakeCache.txt").write_text(f"// x\nCMAKE_MAKE_PROGRAM:FILEPATH={program}\nA:STRING=b\n")
    assert told(f"cmake --build {tmp_path}", make=OLD, ninja=NINJA).way is way


def test_a_folder_that_cmake_has_not_set_up_is_like_make(tmp_path: Path) -> None:
    assert told(f"cmake --build {tmp_path}", make=NEW).way is Way.FIFO


@pytest.mark.parametrize(
    ("rule", "on_path", "by_path", "way"),
    [
        ("cd sub && /usr/bin/make all", OLD, OLD, Way.COUNT),
        ("cd sub && /usr/bin/make all", NEW, NEW, Way.FIFO),
        ("cd sub && MAKE='/usr/bin/make' x", NEW, OLD, Way.COUNT),
        ("cd sub && /usr/bin/make all", OLD, NEW, Way.FIFO),
        ("cd sub && $dir/make all", OLD, "", Way.COUNT),  # cannot be asked: as the one on PATH
        ("cd sub && make all", OLD, OLD, Way.FIFO),  # the script of old_make is found first
        ("/usr/bin/cmake -E touch x", OLD, OLD, Way.FIFO),
        ("cc -c sub/make.c", OLD, OLD, Way.FIFO),
    ],
)
def test_ninja_gets_a_count_where_an_old_make_would_stop(
    tmp_path: Path, rule: str, on_path: str, by_path: str, way: Way
) -> None:
    (tmp_path / "build.ninja").write_text(f"rule r\n  command = {rule}\n")
    says = {"ninja": NINJA, "make": on_path, "/usr/bin/make": by_path}
    command = ["ninja", "-C", str(tmp_path)]
    assert recognise(command, lambda program: says.get(program, "")).way is way


def test_only_some_makes_stop_at_a_named_pipe() -> None:
    says = ("GNU Make 3.81", "GNU Make 4.0", OLD, NEW, "")
    assert [reads_only_descriptors(each) for each in says] == [False, True, True, False, False]


def test_a_count_is_put_behind_the_verb() -> None:
    assert with_count(["make", "all"], Kind.MAKE, 9) == ["make", "-j9", "all"]
    assert with_count(["meson", "compile", "x"], Kind.MESON_BUILD, 9) == ["meson", "compile", "-j9", "x"]
    assert with_count(["cmake", "--build", "x"], Kind.CMAKE_BUILD, 9) == ["cmake", "--build", "x"]
