"""Replica mode end to end: a client, and servers that have no compiler, as root and as an ordinary user."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.interop.sandbox_support import USERS, compile_helper, open_folder
from tests.support.fleet import Client, agents_of
from tests.support.servers import Fleetccd, start_fleetccd

# Where servers find no compiler at all.
NOWHERE: Final = "/nonexistent"
# Who builds: root and an ordinary user where this is root.
BUILDERS: Final = USERS

# Python itself may be where an ordinary user cannot read, so the agent becomes that user when it is loaded.
_AGENT: Final = """
import encodings.idna, os, sys
import fleetcc.agent.daemon, fleetcc.cli.agent
from fleetcc.cli.main import main
user = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
main()
"""


@dataclass
class Place:
    """A user's files, agent and servers, in a folder that everybody can enter."""

    root: Path
    helper: Path
    client: Client
    servers: list[Fleetccd] = field(default_factory=list)

    @property
    def server(self) -> Fleetccd:
        """The first one."""
        return self.servers[0]

    def add_server(self, *options: str, state_dir: Path | None = None, **environment: str) -> Fleetccd:
        """One more without any compiler; the client's host list knows it."""
        server = start_fleetccd(
            self.root / f"server{len(self.servers)}",
            *options,
            environment={"FLEETCCD_PATH": NOWHERE, "FLEETCC_SANDBOX": str(self.helper), **environment},
            state_dir=state_dir,
            user=self.client.user,
        )
        self.servers.append(server)
        self.use(*self.servers)
        return server

    def use(self, *servers: Fleetccd) -> None:
        """The client's hosts from now on."""
        hosts = " ".join(f"127.0.0.1:{server.port}" for server in servers)
        self.client.environment["FLEETCC_HOSTS"] = hosts

    def close(self) -> None:
        """The client's agent leaves; nothing of a job may be left on any server that still runs."""
        self.client.stop()
        for server in self.servers:
            if server.process.poll() is None:
                server.wait_until_idle()
                assert_at_rest(server)


def assert_at_rest(server: Fleetccd) -> None:
    """No process of a job and no temporary file."""
    assert server.running_compilers() == [], server.log
    assert server.files() == []


@contextlib.contextmanager
def replica_place(installed: Path, helper: Path, user: int) -> Iterator[Place]:
    """A client without servers yet; all that it started ends with the block."""
    with open_folder() as root:
        shutil.copytree(installed, root / "bin")
        shutil.copy2(helper, root / "bin" / "fleetcc-sandbox")
        client = Client(root / "bin", root, {"FLEETCC_FALLBACK": "0"}, user=user)
        place = Place(root, root / "bin" / "fleetcc-sandbox", client)
        with contextlib.ExitStack() as ends:
            ends.callback(_kill_agents, client)
            if user != os.geteuid():
                ends.enter_context(_agent_of(client))
            try:
                yield place
                place.close()
            finally:
                for server in place.servers:
                    server.stop(signal.SIGKILL)


def _kill_agents(client: Client) -> None:
    for pid in agents_of(client.folder):
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _agent_of(client: Client) -> Iterator[None]:
    """An agent that has become the client's user."""
    client.folder.mkdir(mode=0o700)
    os.chown(client.folder, client.user, client.user)
    reading, writing = os.pipe()
    environment = client.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", _AGENT, str(client.user), "agent", "run", "--ready-fd", str(writing)],
        env=environment, pass_fds=[writing], cwd="/", start_new_session=True,
    )  # fmt: skip
    with process, open(reading, "rb") as ready:
        os.close(writing)
        try:
            assert ready.read(1), "the agent did not start"
            yield
        finally:
            process.kill()


@pytest.fixture(scope="session")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox helper of this tree, made once for all xdist workers."""
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    path = (shared or tmp_path_factory.getbasetemp()) / "fleetcc-sandbox"
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            compile_helper(path.with_suffix(".new"))
            os.rename(path.with_suffix(".new"), path)
    return path


@pytest.fixture(params=BUILDERS, ids=lambda user: f"uid{user}")
def place(request: pytest.FixtureRequest, installed: Path, helper: Path) -> Iterator[Place]:
    """Each kind of user, with one server."""
    with replica_place(installed, helper, request.param) as found:
        found.add_server()
        yield found


@pytest.fixture
def own_place(installed: Path, helper: Path) -> Iterator[Place]:
    """The user of the tests, without a server yet."""
    with replica_place(installed, helper, os.geteuid()) as found:
        yield found
