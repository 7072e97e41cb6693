"""Fixtures for tests of jobs made of files: a real server without compilers, a program in place of one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.sandbox_support import USERS, compile_helper, compile_program, open_folder
from tests.support.replica_client import ReplicaClient, open_replica
from tests.support.servers import Fleetccd, start_fleetccd, stopping

LIMITS = ("--jobs", "4", "--job-disk", "8M", "--job-memory", "256M", "--io-timeout", "2")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Does one bad or curious thing, and says what came of it (sandbox_program.c)."""
    path = tmp_path_factory.mktemp("program") / "program"
    compile_program(path)
    return path


@pytest.fixture(scope="module", params=USERS, ids=lambda user: f"uid{user}")
def server(request: pytest.FixtureRequest, program: Path) -> Iterator[Fleetccd]:
    """Runs as root and as an ordinary user; nothing may be left on it at the end."""
    with open_folder() as folder:
        helper = folder / "fleetcc-sandbox"
        compile_helper(helper)
        environment = {"FLEETCCD_PATH": "/nonexistent", "FLEETCC_SANDBOX": str(helper)}
        found = start_fleetccd(folder / "server", *LIMITS, environment=environment, user=request.param)
        with stopping(found):
            yield found
            found.wait_until_idle()
            assert "Traceback" not in found.log
            assert found.running_compilers() == []
            assert found.files() == []


@pytest.fixture
def client(server: Fleetccd, program: Path) -> Iterator[ReplicaClient]:
    """An honest client with a program in its replica."""
    with open_replica(server, program) as found:
        yield found


@pytest.fixture
def other(server: Fleetccd, program: Path) -> Iterator[ReplicaClient]:
    """Another one: whatever happens, its jobs are done, before, meanwhile and afterwards."""
    with open_replica(server, program) as found:
        assert_is_served(found)
        yield found
        assert_is_served(found)
    server.wait_until_idle()
    assert server.running_compilers() == []


def assert_is_served(client: ReplicaClient) -> None:
    """One job with an input and an output of its own."""
    word = os.urandom(4).hex().encode()
    done = client.run(b"write", b"/work/dir/out", word)
    assert (done.status, done.spoken.files[0].path, done.part("file")) == (0, b"/work/dir/out", word)
