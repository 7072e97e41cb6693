"""Servers that cannot sandbox, and modes that the user chose: where jobs go, and what people are told."""

import os
import subprocess
from pathlib import Path

import pytest

from fleetcc.errors import ExitCode
from tests.support.fleet import client, installed
from tests.support.launcher import write_program
from tests.support.replica import Place, helper, own_place
from tests.support.servers import SYSTEM_PATH

__all__ = ["client", "helper", "installed", "own_place"]  # fixtures

# Where user namespaces are switched off, as some distributions do; root needs another one around to do that.
NO_NAMESPACES = """#!/bin/sh
exec unshare --user --map-root-user sh -c \
    'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh \
    setpriv --bounding-set=-all --inh-caps=-all {helper} "$@"
"""


def without_sandbox(place: Place, how: str) -> str:
    """A helper that does not work."""
    if how == "false":
        return "/bin/false"
    if how == "missing":
        return "/nonexistent/fleetcc-sandbox"
    if subprocess.run(["unshare", "--user", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here at all")
    return str(write_program(place.root / "no-namespaces", NO_NAMESPACES.format(helper=place.helper)))


HOWS = {"false": "cannot be run", "missing": "cannot be run", "namespaces": "namespaces"}


@pytest.mark.parametrize("how", HOWS)
def test_a_server_without_sandbox_says_why_and_takes_text(own_place: Place, how: str) -> None:
    client = own_place.client
    own_place.add_server(FLEETCCD_PATH=SYSTEM_PATH, FLEETCC_SANDBOX=without_sandbox(own_place, how))
    client.write("a.c", "int a;\n")
    done = client.run("hosts")
    assert done.status == 0
    assert HOWS[how] in done.stdout.decode()
    client.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    assert client.last_reason == "remote"
    assert "in=files" not in own_place.server.log


def test_what_can_only_travel_as_files_needs_a_sandbox(own_place: Place) -> None:
    client = own_place.client
    server = own_place.add_server(FLEETCCD_PATH=SYSTEM_PATH, FLEETCC_SANDBOX="/bin/false")
    client.write("a.c", "int a;\n")
    client.environment["FLEETCC_MODE"] = "replica"
    failed = client.run("gcc", "-c", "a.c")
    assert failed.status == ExitCode.NO_HOSTS
    assert b"it can only travel as files, which no host takes" in failed.stderr
    assert client.last_reason == "no-sandbox"
    assert client.files() == ["a.c"]
    client.environment["FLEETCC_FALLBACK"] = "1"
    client.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    assert client.last_reason == "no-sandbox"
    assert "result=" not in server.log


def test_a_job_goes_where_it_can(own_place: Place) -> None:
    """-gsplit-dwarf travels as files only, and gets the one server that takes them."""
    client = own_place.client
    own_place.add_server(FLEETCCD_PATH=SYSTEM_PATH, FLEETCC_SANDBOX="/bin/false")
    takes_files = own_place.add_server()
    client.write("a.c", "int a(int x) { return x; }\n")
    for _ in range(3):
        client.same_as_plain("gcc", "-g", "-gsplit-dwarf", "-c", "a.c", outputs=["a.o", "a.dwo"])
        job = client.last_job()
        assert (job["host"], job["reason"]) == (f"127.0.0.1:{takes_files.port}", "remote")


@pytest.mark.parametrize(("mode", "way"), [("replica", "in=files"), ("preprocessed", "in="), ("local", "")])
def test_the_user_chooses_the_way(own_place: Place, mode: str, way: str) -> None:
    client = own_place.client
    server = own_place.add_server(FLEETCCD_PATH=SYSTEM_PATH)
    client.write("a.c", "int a;\n")
    client.environment["FLEETCC_MODE"] = mode
    client.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    server.wait_until_idle()
    ways = [line for line in server.log.splitlines() if "result=ok" in line]
    assert len(ways) == (0 if mode == "local" else 1)
    assert all(way in line for line in ways)
    assert ("in=files" in server.log) == (mode == "replica")


def test_a_compiler_outside_path_travels(own_place: Place, tmp_path: Path) -> None:
    """Preprocessed text needs a compiler that the server knows by name; files need none."""
    client = own_place.client
    own_place.add_server()
    tools = own_place.root / "tools"
    tools.mkdir()
    os.symlink("/usr/bin/gcc", tools / "my-cc")
    client.write("a.c", "int a;\n")
    client.same_as_plain(tools / "my-cc", "-g", "-c", "a.c", outputs=["a.o"])
    assert client.last_reason == "remote"
