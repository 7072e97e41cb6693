"""How an agent starts, or does not; a build notices nothing of either."""

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from fleetcc import __version__
from fleetcc.agent.client import ask_agent
from fleetcc.errors import ExitCode
from tests.support.fleet import (
    FOLDER_FILES,
    Client,
    agents_of,
    client,
    eventually,
    installed,
    wait_for_end,
    write_project,
)
from tests.support.launcher import mode_of, write_program
from tests.support.one_compile import COMMAND, SOURCE, user

__all__ = ["client", "installed", "user"]  # fixtures

SOON_SECONDS = 10.0


# ---- it starts


def test_the_first_launcher_starts_an_agent_and_the_second_uses_it(user: Client) -> None:
    assert agents_of(user.folder) == []
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    first = user.agent_pid
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert first is not None
    assert agents_of(user.folder) == [user.agent_pid] == [first]
    assert mode_of(user.folder) == 0o700
    assert mode_of(user.folder / "agent.log") == 0o600


def test_64_launchers_at_once_start_one_agent(client: Client) -> None:
    for number in range(64):
        client.write(f"unit{number}.c", f"int f{number};\n")
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(client.popen(client.launcher, "gcc", "-c", f"unit{number}.c"))
            for number in range(64)
        ]
        said = [process.communicate(timeout=60) for process in running]
    assert {process.returncode for process in running} == {0}
    assert set(said) == {(b"", b"")}
    assert len([name for name in client.files() if name.endswith(".o")]) == 64
    assert agents_of(client.folder) == [client.agent_pid]
    assert client.log.count(" listens in ") == 1
    assert client.idle_status()["total"] == 64


@pytest.mark.parametrize("build", ["make -s -j4", "ninja -j4", "sh -c"])
def test_a_build_does_not_wait_for_the_agent_that_it_started(client: Client, build: str) -> None:
    objects = write_project(client, 4, "fleetcc gcc")
    rules = "rule cc\n  command = fleetcc gcc -c $in -o $out\n"
    client.write(
        "build.ninja",
        rules + "".join(f"build {name}: cc {name[:-1]}c\n" for name in objects),
    )
    command = [*build.split(), *(["fleetcc gcc -c unit0.c"] if build == "sh -c" else [])]
    done = client.plain(*command)  # reads both pipes to their end
    assert done.status == 0, done
    pid = client.agent_pid
    assert pid is not None
    # It holds nothing of the build: no pipe, no terminal, no folder, no session.
    links = {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)}
    assert links == {"/dev/null"}
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) not in {os.getsid(0), pid}


def test_agent_start_stop_and_status_say_what_they_did(client: Client) -> None:
    def fleetcc(*words: str) -> tuple[int, bytes, bytes]:
        return client.run(*words).spoken

    folder = os.fsencode(client.folder)
    nobody = b"no agent serves " + folder
    assert fleetcc("agent", "status") == (1, nobody + b"; the first compile starts one\n", b"")
    assert fleetcc("agent", "stop") == (0, nobody + b"\n", b"")
    assert fleetcc("agent", "start") == (0, b"the agent serves " + folder + b"\n", b"")
    assert fleetcc("agent", "start") == (0, b"an agent already serves " + folder + b"\n", b"")
    pid = client.agent_pid
    assert pid is not None
    status, out, err = fleetcc("agent", "status")
    assert (status, err) == (0, b"")
    assert out.startswith(f"agent {__version__}, pid {pid}, serves {client.folder} for ".encode())
    assert out.endswith(b"s: 0 jobs now, 0 so far\n")
    assert fleetcc("agent", "stop") == (0, b"the agent leaves; 0 jobs to finish\n", b"")
    assert wait_for_end(pid)
    assert fleetcc("agent", "status")[0] == 1


def test_agent_run_serves_in_the_foreground_and_only_once(user: Client) -> None:
    with user.popen(user.launcher, "agent", "run") as process:
        eventually(lambda: user.agent_pid)
        assert user.agent_pid == process.pid
        second = user.run("agent", "run")
        assert second.spoken == (
            ExitCode.GENERAL,
            b"",
            b"fleetcc: another agent serves this folder already\n",
        )
        user.same_as_plain(*COMMAND, outputs=["a.o"])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON_SECONDS)
    assert (process.returncode, out, err) == (0, b"", b"")


# What systemd does between fork and exec.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], [sys.argv[2], "agent", "run"])
"""


def test_an_agent_on_a_socket_of_systemd_leaves_the_socket_there(user: Client) -> None:
    user.folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(user.folder, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        listener.listen(100)
        command = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), str(user.bin / "fleetcc-cli")]
        with user.popen(*command, pass_fds=[listener.fileno()]) as process:
            user.same_as_plain(*COMMAND, outputs=["a.o"])
            assert user.agent_pid == process.pid
            assert ask_agent(str(user.folder), "stop") == {"leaving": True, "running": 0}
            assert process.wait(SOON_SECONDS) == 0
        assert (user.folder / "socket").exists()
    (user.folder / "socket").unlink()


# ---- it cannot start


def broken_folder(client: Client, kind: str) -> None:
    if kind == "too open":
        client.folder.mkdir(mode=0o755)
        client.folder.chmod(0o750)
    elif kind == "somebody else's":
        client.folder.mkdir(mode=0o700)
        os.chown(client.folder, 12345, 12345)
    elif kind == "a link":
        (client.root / "elsewhere").mkdir(mode=0o700)
        client.folder.symlink_to(client.root / "elsewhere")
    else:
        client.folder.write_text("")


@pytest.mark.parametrize("kind", ["too open", "somebody else's", "a link", "a file"])
def test_a_folder_that_is_not_private_is_not_used(user: Client, kind: str) -> None:
    if kind == "somebody else's" and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    broken_folder(user, kind)
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert agents_of(user.folder) == []
    asked = user.run("status")
    assert (asked.status, asked.stdout) == (ExitCode.BAD_ARGUMENTS, b"")
    assert asked.stderr.startswith(b"fleetcc: ")
    assert asked.stderr.count(b"\n") == 1
    assert os.fsencode(user.folder) in asked.stderr
    loud = user.run(*COMMAND, env={"FLEETCC_FALLBACK": "0"})
    assert loud.status == ExitCode.NO_HOSTS
    assert b"not private" in loud.stderr
    (user.folder.rmdir if kind in {"too open", "somebody else's"} else user.folder.unlink)()


def test_without_an_agent_the_compiler_runs_and_verbose_says_why(user: Client) -> None:
    broken_folder(user, "too open")
    done = user.run(*COMMAND, env={"FLEETCC_VERBOSE": "1"})
    wanted = b"fleetcc: the agent's folder is not private to this user: running gcc here\n"
    assert done.spoken == (0, b"", wanted)
    user.folder.rmdir()


def test_a_cli_that_does_not_start_costs_no_compile(client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    os.link(client.launcher, broken / "fleetcc")
    write_program(broken / "fleetcc-cli", "#!/bin/sh\nexit 1\n")
    client.bin = broken
    client.write("a.c", SOURCE)
    client.expects_leftovers = True  # the mark of the failed start
    for _ in range(2):
        client.same_as_plain(*COMMAND, outputs=["a.o"])
    assert set(os.listdir(client.folder)) <= FOLDER_FILES | {"start-failed"}
