"""Both launchers: the agent's folder, and the start of an agent."""

import contextlib
import fcntl
import os
import signal
import socket
from pathlib import Path

import pytest

from fleetcc.errors import ExitCode
from tests.support.launcher import World, install, is_alive, mode_of

# ---- the agent's folder


def test_a_folder_that_others_can_enter_is_not_used(world: World) -> None:
    with world.agent() as agent:
        world.folder.chmod(0o710)
        done = world.run("probe", env={"FLEETCC_VERBOSE": "1"})
    assert agent.sessions == []
    assert (done.returncode, done.stderr) == (
        7,
        b"fleetcc: the agent's folder is not private to this user: running probe here\n",
    )


def test_a_symbolic_link_is_not_a_folder(world: World) -> None:
    with world.agent() as agent:
        (world.root / "link").symlink_to(world.folder)
        assert world.run("probe", env={"FLEETCC_DIR": str(world.root / "link")}).returncode == 7
    assert agent.sessions == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_not_used(world: World) -> None:
    with world.agent() as agent:
        os.chown(world.folder, 12345, 12345)
        assert world.run("probe").returncode == 7
    assert agent.sessions == []


def test_a_relative_folder_is_not_used(world: World) -> None:
    assert world.run("probe", env={"FLEETCC_DIR": "here"}).returncode == 7
    assert os.listdir(world.work) == []


def test_a_folder_may_have_a_longer_name_than_a_socket(world: World) -> None:
    world.folder = world.root / ("long" * 50) / ("longer" * 40)
    with world.agent() as agent:
        world.run("probe", env={"FLEETCC_DIR": str(world.folder)})
    assert len(agent.sessions) == 1


PLACES = [
    ({"XDG_RUNTIME_DIR": "{root}/run", "XDG_STATE_HOME": "{root}/state"}, "run/fleetcc"),
    ({"XDG_RUNTIME_DIR": "relative", "XDG_STATE_HOME": "{root}/state"}, "state/fleetcc/run-{host}"),
    ({"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "relative"}, ".local/state/fleetcc/run-{host}"),
]


@pytest.mark.parametrize(("variables", "place"), PLACES)
def test_the_folder_follows_the_xdg_rules(world: World, variables: dict[str, str], place: str) -> None:
    world.folder = world.root / place.format(host=os.uname().nodename)
    filled = {name: value.format(root=world.root) for name, value in variables.items()}
    with world.agent() as agent:
        world.run("probe", env=filled | {"FLEETCC_DIR": ""})
    assert len(agent.sessions) == 1


def test_the_agent_can_be_switched_off(world: World) -> None:
    with world.agent() as agent:
        assert world.run("probe", env={"FLEETCC_AGENT": "0"}).returncode == 7
    assert agent.sessions == []


def test_a_deleted_current_directory_means_the_compiler_itself(world: World) -> None:
    doomed = world.root / "doomed"
    doomed.mkdir()
    with world.agent() as agent:
        assert world.run("probe", cwd=doomed, preexec_fn=lambda: os.rmdir(doomed)).returncode == 7
    assert agent.sessions == []


# ---- starting an agent


def starts(world: World) -> list[str]:
    return (world.folder / "starts").read_text().splitlines()


@pytest.mark.usefixtures("stop_agents")
def test_many_launchers_at_once_start_one_agent(world: World) -> None:
    count = 64 if world.launcher.kind == "c" else 8
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(world.popen("probe")) for _ in range(count)]
        outputs = [process.communicate(timeout=60) for process in running]

    assert {process.returncode for process in running} == {7}
    assert {err for _, err in outputs} == {b""}
    assert len(starts(world)) == 1
    assert mode_of(world.folder) == 0o700


@pytest.mark.usefixtures("stop_agents")
def test_the_agent_holds_nothing_of_the_build(world: World) -> None:
    with contextlib.ExitStack() as stack:
        extra = stack.enter_context(open(world.root / "extra", "w"))
        done = world.run("probe", pass_fds=[extra.fileno()])  # ends: the agent does not hold its pipes

    (line,) = starts(world)
    pid, session, cwd, descriptors = line.split(" ", 3)
    assert done.returncode == 7
    assert is_alive(int(pid))
    assert int(session) not in {int(pid), os.getsid(0)}
    assert cwd == "/"
    # 3: the pipe on which it says that it is ready; 4: the file that it writes this to; 5: the listing of it
    assert descriptors == "['0', '1', '2', '3', '4', '5']"


@pytest.mark.usefixtures("stop_agents")
def test_a_dead_agents_socket_is_no_obstacle(world: World) -> None:
    world.folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(world.folder / "socket"))

    assert world.run("probe").returncode == 7
    assert len(starts(world)) == 1


def test_a_failed_start_is_not_repeated_for_a_while(world: World) -> None:
    world.folder.mkdir(mode=0o700)
    (world.folder / "fail").touch()
    for _ in range(2):
        assert world.run("probe").returncode == 7
    assert len(starts(world)) == 1

    os.utime(world.folder / "start-failed", (1, 1))
    done = world.run("probe", env={"FLEETCC_FALLBACK": "0"})
    assert (done.returncode, len(starts(world))) == (ExitCode.NO_HOSTS, 2)


@pytest.fixture
def hasty(tmp_path: Path) -> World:
    """A C launcher that waits half a second where others wait ten."""
    world = World(install("c", tmp_path / "hasty", ["-DAGENT_TIMEOUT_MS=500"]), tmp_path)
    world.folder.mkdir(mode=0o700)
    return world


def test_an_agent_that_hangs_at_its_start_is_not_waited_for(hasty: World) -> None:
    os.mkfifo(hasty.folder / "hang")
    assert hasty.run("probe").returncode == 7
    assert (hasty.folder / "start-failed").exists()
    (pid,) = (int(line.split()[0]) for line in starts(hasty))
    os.kill(pid, signal.SIGKILL)


def test_a_lock_that_is_never_released_is_not_waited_for(hasty: World) -> None:
    with open(hasty.folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert hasty.run("probe").returncode == 7


def test_an_agent_that_does_not_read_is_not_waited_for(hasty: World) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(hasty.folder / "socket"))
        listener.listen(1)
        done = hasty.run("probe", env={f"LARGE{number}": "x" * 100_000 for number in range(15)})
    assert done.returncode == 7
