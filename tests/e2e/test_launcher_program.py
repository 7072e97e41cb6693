"""Both launchers: which compiler is meant, and what is for the CLI."""

import os
import subprocess

import pytest

from fleetcc.errors import ExitCode
from tests.support.launcher import PROBE, World, write_program

# ---- which compiler


def test_the_launcher_is_never_its_own_compiler(world: World) -> None:
    for name in ("a", "b", "c/lib/fleetcc"):
        (world.root / name).mkdir(parents=True)
    (world.root / "a/probe").symlink_to(world.launcher.path)
    (world.root / "b/distcc").symlink_to("/bin/false")
    write_program(world.root / "b/distcc.real/distcc", "#!/bin/sh\nexit 1\n")
    (world.root / "b/probe").symlink_to(world.root / "b/distcc.real/distcc")
    write_program(world.root / "c/lib/fleetcc/probe", "#!/bin/sh\nexit 1\n")
    path = ":".join(str(world.root / name) for name in ("a", "b", "c/lib/fleetcc", "tools"))
    with world.agent() as agent:
        done = world.run("probe", "x", env={"PATH": path + ":/usr/bin:/bin"})
        request = agent.request

    # gcc and clang would look `probe` up on PATH, and find the launcher.
    assert request.argv == (os.fsencode(world.probe), b"x")
    assert request.program == os.fsencode(world.probe)
    assert done.stdout == os.fsencode(f"{world.probe}\nx\nlevel 1\n")


def test_a_masquerading_link_runs_the_compiler_of_that_name(world: World) -> None:
    link = world.root / "masquerade" / "probe"
    link.parent.mkdir()
    link.symlink_to(world.launcher.path)
    environment = world.environment | {"PATH": f"{link.parent}:{world.environment['PATH']}"}
    with world.agent() as agent:
        for program in ("probe", link):
            done = subprocess.run(
                [program, "-c"], env=environment, cwd=world.work, capture_output=True, check=False
            )
            assert done.stdout == os.fsencode(f"{world.probe}\n-c\nlevel 1\n")
    assert {session.request.argv for session in agent.sessions} == {(os.fsencode(world.probe), b"-c")}


def test_a_path_to_the_launcher_is_a_name(world: World) -> None:
    link = world.root / "probe"
    link.symlink_to(world.launcher.path)
    with world.agent() as agent:
        assert world.run(link, "a").returncode == 7
        assert agent.request.program == os.fsencode(world.probe)


def test_what_is_no_program_is_passed_by(world: World) -> None:
    for name in ("a", "b"):
        (world.root / name).mkdir()
    (world.root / "a/probe").mkdir()
    (world.root / "b/probe").write_text("not executable")
    with world.agent() as agent:
        world.run("probe", env={"PATH": f"{world.root}/a:{world.root}/b:{world.tools}:/usr/bin:/bin"})
        assert agent.request.argv == (b"probe",)


def test_an_empty_entry_of_path_is_the_current_directory(world: World) -> None:
    write_program(world.work / "here", "#!/bin/sh\nexit 4\n")
    with world.agent():
        assert world.run("here", env={"PATH": f"/nowhere::{world.tools}"}).returncode == 4


def test_a_missing_compiler_is_reported_as_by_a_shell(world: World) -> None:
    with world.agent() as agent:
        done = world.run("no-such-cc", "-c", "x.c")
    assert agent.sessions == []
    assert (done.returncode, done.stderr) == (
        ExitCode.COMPILER_MISSING,
        b"fleetcc: no-such-cc: command not found\n",
    )


@pytest.mark.parametrize("first", ["-c", "x.c", "x.cpp", "dir/x.c++", "x.mii", "x.M", "x.o"])
def test_without_a_compiler_it_is_cc(world: World, first: str) -> None:
    write_program(world.tools / "cc", PROBE)
    with world.agent() as agent:
        world.run(first, "y")
        assert agent.request.argv == (b"cc", os.fsencode(first), b"y")


@pytest.mark.parametrize("level", ["1", "5", "word"])
def test_below_another_launcher_the_compiler_runs_at_once(world: World, level: str) -> None:
    with world.agent() as agent:
        done = world.run("probe", env={"_DISTCC_SAFEGUARD": level})
    assert agent.sessions == []
    assert done.stdout.endswith(f"level {int(level) + 1 if level.isdigit() else 2}\n".encode())


def test_a_wrapper_that_calls_us_for_ever_is_stopped(world: World) -> None:
    write_program(world.probe, f"#!/bin/sh\nexec {world.launcher.path} probe\n")
    with world.agent():
        done = world.run("probe")
    assert done.returncode == ExitCode.RECURSION
    assert done.stderr.startswith(b"fleetcc: 9 launchers call each other")


# ---- our own words


@pytest.mark.parametrize("word", ["status", "--version", "-j", "help", "web"])
def test_verbs_and_our_options_go_to_the_cli(world: World, word: str) -> None:
    done = world.run(word, "a", "b")
    assert done.stdout == f"{world.launcher.kind} {[word, 'a', 'b']}\n".encode()


def test_the_cli_is_found_beside_the_program_behind_a_link(world: World) -> None:
    (world.root / "fleetcc").symlink_to(world.launcher.path)
    done = subprocess.run(
        [world.root / "fleetcc", "status"], env=world.environment, capture_output=True, check=True
    )
    assert done.stdout.endswith(b"['status']\n")


@pytest.mark.parametrize("arguments", [(), ("--no-fallback",)])
def test_no_arguments_are_a_mistake(world: World, arguments: tuple[str, ...]) -> None:
    done = world.run(*arguments)
    assert (done.returncode, done.stdout) == (ExitCode.BAD_ARGUMENTS, b"")
    assert done.stderr.startswith(b"fleetcc: no compiler was named")
