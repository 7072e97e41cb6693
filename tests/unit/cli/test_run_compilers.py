"""What makes a build call fleetcc."""

import os
import sys
from pathlib import Path

import pytest

from fleetcc.cli.run_compilers import Means, means_for, with_compilers
from fleetcc.errors import UsageError
from fleetcc.jobserver.tools import Kind

LINKS, VARIABLES, CMAKE = Means.LINKS, Means.VARIABLES, Means.CMAKE


class World:
    """A PATH of our own with a launcher and compilers in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin = root, root / "bin"
        self.add("fleetcc", "cc", "gcc", "c++")

    def add(self, *names: str, folder: str = "bin") -> None:
        (self.root / folder).mkdir(exist_ok=True)
        for name in names:
            path = self.root / folder / name
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)

    def told(self, means: Means, *, old_makes: tuple[str, ...] = (), **variables: str) -> dict[str, str]:
        """What has changed."""
        before = {"PATH": str(self.bin), **variables}
        after = with_compilers(before, means, str(self.root / "state"), old_makes=old_makes)
        return {name: value for name, value in after.items() if before.get(name) != value}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(made.bin / "fleetcc-cli")])
    return made


CMAKES = {"CMAKE_C_COMPILER_LAUNCHER": "fleetcc", "CMAKE_CXX_COMPILER_LAUNCHER": "fleetcc"}


def test_builds_get_links_and_what_writes_builds_gets_variables() -> None:
    assert {kind: means_for(kind) for kind in Kind} == {
        Kind.MAKE: LINKS, Kind.BMAKE: LINKS, Kind.NINJA: LINKS, Kind.CMAKE_BUILD: LINKS,
        Kind.MESON_BUILD: LINKS, Kind.OTHER: LINKS, Kind.CMAKE: CMAKE, Kind.CONFIGURE: VARIABLES,
    }  # fmt: skip


def test_links_come_first_on_path(world: World) -> None:
    told = world.told(LINKS)
    folder, _, rest = told.pop("PATH").partition(":")
    assert rest == str(world.bin)
    assert sorted(os.listdir(folder)) == ["c++", "cc", "gcc"]
    assert told == CMAKES


def test_links_leave_a_compiler_that_is_said_by_name_and_wrap_one_that_is_said_by_path(world: World) -> None:
    told = world.told(LINKS, CC="gcc -m32", CXX="/opt/bin/g++ -std=c++20")
    assert "CC" not in told
    assert told["CXX"] == "fleetcc /opt/bin/g++ -std=c++20"


def test_variables_are_what_was_said_else_the_standard_name_that_exists(world: World) -> None:
    assert world.told(VARIABLES) == {"CC": "fleetcc cc", "CXX": "fleetcc c++", **CMAKES}
    os.unlink(world.bin / "cc")
    assert world.told(VARIABLES, CXX="clang++ -m32")["CC"] == "fleetcc gcc"
    assert world.told(VARIABLES, CXX="clang++ -m32")["CXX"] == "fleetcc clang++ -m32"
    assert world.told(VARIABLES, CC="")["CC"] == "fleetcc gcc"


@pytest.mark.parametrize("wrapped", ["fleetcc gcc", "/x/distcc gcc", "sccache cc", "icecc"])
def test_a_compiler_that_is_wrapped_already_is_left_alone(world: World, wrapped: str) -> None:
    for means in Means:
        assert "CC" not in world.told(means, CC=wrapped)


def test_cmake_gets_its_own_variables_alone_and_keeps_those_of_the_user(world: World) -> None:
    assert world.told(CMAKE, CC="/opt/bin/gcc") == CMAKES
    assert world.told(CMAKE, CMAKE_C_COMPILER_LAUNCHER="sccache") == {
        "CMAKE_CXX_COMPILER_LAUNCHER": "fleetcc"
    }


def test_ccache_calls_us(world: World) -> None:
    assert world.told(CMAKE, CC="ccache gcc") == {"CCACHE_PREFIX": "fleetcc"}
    assert world.told(CMAKE, CMAKE_CXX_COMPILER_LAUNCHER="/usr/bin/ccache") == {"CCACHE_PREFIX": "fleetcc"}
    assert world.told(CMAKE, CC="ccache gcc", CCACHE_PREFIX="distcc") == {}


def test_where_ccache_is_first_its_links_stay_first(world: World) -> None:
    world.add("ccache")
    (world.root / "links").mkdir()
    (world.root / "links" / "gcc").symlink_to(world.bin / "ccache")
    path = f"{world.root}/links:{world.bin}"
    told = world.told(LINKS, PATH=path)
    folder, _, rest = told.pop("PATH").partition(":")
    assert (sorted(os.listdir(folder)), rest) == (["c++", "cc"], path)
    assert told == {"CCACHE_PREFIX": "fleetcc", "CCACHE_PATH": f"{path}:{folder}"}
    told = world.told(VARIABLES, PATH=path, CC="gcc")
    assert told == {"CXX": "fleetcc c++", "CCACHE_PREFIX": "fleetcc"}


def test_ccache_that_a_makefile_calls_finds_the_compilers_behind_our_links(world: World) -> None:
    world.add("ccache")
    told = world.told(LINKS)
    folder = told.pop("PATH").partition(":")[0]
    ours = {"CCACHE_PREFIX": "fleetcc", "CCACHE_PATH": f"{world.bin}:{folder}"}
    assert told == ours | CMAKES
    assert world.told(LINKS, CCACHE_PATH="")["CCACHE_PATH"] == ours["CCACHE_PATH"]  # empty is unset to ccache
    assert "CCACHE_PATH" not in world.told(VARIABLES)  # no links there


def test_where_ccache_looks_stays_the_users_choice(world: World) -> None:
    world.add("ccache")
    launcher = f"{world.bin}/fleetcc"  # by name ccache might not find it
    told = world.told(LINKS, CCACHE_PATH="/opt/gcc/bin")
    assert {name for name in told if name.startswith("CCACHE")} == {"CCACHE_PREFIX"}
    assert told["CCACHE_PREFIX"] == launcher
    (world.bin / "ccache").write_text('#!/bin/sh\n[ "$1 $2" = "--get-config path" ] && echo /opt/gcc/bin\n')
    told = world.told(LINKS)
    assert ("CCACHE_PATH" in told, told["CCACHE_PREFIX"]) == (False, launcher)
    assert "CCACHE_PREFIX" not in world.told(LINKS, CCACHE_PREFIX="distcc")


def test_a_launcher_that_is_not_on_path_is_named_by_its_path(world: World) -> None:
    world.add("cc", "c++", folder="tools")
    told = world.told(VARIABLES, PATH=str(world.root / "tools"))
    assert told["CC"] == f"{world.bin}/fleetcc cc"
    assert "PATH" not in told


def test_a_path_that_a_variable_cannot_hold_becomes_a_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("fleetcc", folder="odd name")
    world.add("cc", "c++", folder="tools")
    monkeypatch.setattr(sys, "argv", [str(world.root / "odd name" / "fleetcc-cli")])
    told = world.told(VARIABLES, PATH=str(world.root / "tools"))
    folder = told["PATH"].partition(":")[0]
    assert os.readlink(f"{folder}/fleetcc") == str(world.root / "odd name" / "fleetcc")
    assert told["CC"] == "fleetcc cc"


def test_an_old_make_is_wrapped_where_asked(world: World) -> None:
    world.add("make", "gmake")
    folder = world.told(VARIABLES, old_makes=("make", "gmake"))["PATH"].partition(":")[0]
    assert sorted(os.listdir(folder)) == ["gmake", "make"]
    assert f"exec '{world.bin}/gmake'" in Path(folder, "gmake").read_text()
    assert f"exec '{world.bin}/make'" in Path(folder, "make").read_text()


def test_a_variable_that_cannot_be_split_is_an_error(world: World) -> None:
    with pytest.raises(UsageError, match="CC: found"):
        world.told(VARIABLES, CC="gcc '")
