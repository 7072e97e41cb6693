"""Networks that fail without a word: a cable is pulled in the middle of a job, in a namespace of our own."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcc.model import Reason
from tests.support.fleet import Client, client, eventually, installed, wait_for_end
from tests.support.mdns import IP, why_not
from tests.support.one_compile import SOURCE
from tests.support.servers import FLEETCCD, START_SECONDS, server_environment
from tests.support.shared_gcc import SharedGcc, shared_gcc

__all__ = ["client", "installed"]  # fixtures

PING_SECONDS = 1.0


@dataclass(frozen=True)
class Cable:
    """Our end of it and the other's, which is in a namespace of its own."""

    namespace: str
    device: str
    network: str  # the first three numbers of its addresses

    @property
    def server(self) -> str:
        """The other machine's address."""
        return f"{self.network}.2"

    def pull(self) -> None:
        """From now on packets vanish in both directions; nobody is told."""
        rules = (
            f"table inet {self.device} {{"
            f'chain i {{ type filter hook input priority 0; iifname "{self.device}" drop; }};'
            f'chain o {{ type filter hook output priority 0; oifname "{self.device}" drop; }};'
            "}"
        )
        subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)

    def unpull(self) -> None:
        """Plug it in again."""
        subprocess.run(["nft", "delete", "table", "inet", self.device], capture_output=True, check=False)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A second machine on a cable."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    name = f"fcc{secrets.token_hex(3)}"
    made = Cable(name, name, f"10.78.{secrets.randbelow(250)}")
    peer = f"{name}p"
    commands = (
        f"netns add {name}",
        f"link add {name} type veth peer name {peer} netns {name}",
        f"addr add {made.network}.1/24 dev {name}",
        f"link set {name} up",
        f"-n {name} addr add {made.server}/24 dev {peer}",
        f"-n {name} link set {peer} up",
        f"-n {name} link set lo up",
    )
    try:
        for command in commands:
            subprocess.run([IP, *command.split()], check=True)
        yield made
    finally:
        made.unpull()
        subprocess.run([IP, "netns", "delete", name], check=False)
        subprocess.run([IP, "link", "delete", name], capture_output=True, check=False)


@contextlib.contextmanager
def server_on(cable: Cable, folder: Path, gcc: SharedGcc) -> Iterator["subprocess.Popen[bytes]"]:
    """fleetccd on the other machine."""
    folder.mkdir()
    log = folder / "fleetccd.log"
    command = [
        IP, "netns", "exec", cable.namespace, *FLEETCCD, "--no-detach",
        "--log-stderr", "--user", "root", "--load-limit", "0", "--memory-reserve", "0", "--state-dir",
        str(folder / "state"), "--listen", cable.server, "--allow", f"{cable.network}.0/24",
        "--ping-interval", str(PING_SECONDS), "--jobs", "2",
    ]  # fmt: skip
    environment = server_environment(folder, gcc.server_environment)
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
    try:
        eventually(lambda: "listening on" in log.read_text(), START_SECONDS)
        yield process
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def test_a_pulled_cable_gives_the_job_back_within_the_ping_interval(
    client: Client, cable: Cable, tmp_path: Path
) -> None:
    client.write("a.c", SOURCE)
    with shared_gcc(client) as gcc, server_on(cable, tmp_path / "server", gcc):
        client.environment["FLEETCC_HOSTS"] = cable.server
        with client.building(client.launcher, "gcc", "-c", "a.c") as build:
            (compiler,) = gcc.wait_for(1)
            cable.pull()
            pulled = time.monotonic()
            out, err = build.communicate(timeout=20)
        assert (build.returncode, out, err) == (0, b"", b"")
        assert time.monotonic() - pulled < 2 * PING_SECONDS + 1
        assert client.last_reason == Reason.HOSTS_FAILED.slug
        assert "silent" in client.last_job()["detail"]
        # The server has noticed it too: nobody waits for that compiler.
        assert wait_for_end(compiler, seconds=2 * PING_SECONDS + 1)


def test_a_cable_that_is_plugged_in_again_is_used_again(client: Client, cable: Cable, tmp_path: Path) -> None:
    client.write("a.c", SOURCE)
    with shared_gcc(client) as gcc, server_on(cable, tmp_path / "server", gcc):
        client.environment |= {"FLEETCC_HOSTS": cable.server, "FLEETCC_CONNECT_TIMEOUT": "1"}
        gcc.lock.let_go(1)
        assert client.run("gcc", "-c", "a.c").spoken == (0, b"", b"")
        assert client.last_reason == "remote"
        cable.pull()
        eventually(lambda: client.status()["hosts"][0]["state"] == "down")
        cable.unpull()
        gcc.lock.let_go(50)

        def compiles_there() -> bool:
            assert client.run("gcc", "-c", "a.c").spoken == (0, b"", b"")
            return client.last_reason == "remote"

        eventually(compiles_there)
