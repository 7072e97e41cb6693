"""`fleetcc doctor` with real servers, and with hosts that are none; `fleetccd doctor` beside them."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fleetcc import __version__
from tests.support.dns import DNSMASQ, dnsmasq
from tests.support.fleet import Client, Result, client, eventually, installed
from tests.support.servers import (
    FLEETCCD,
    Fleetccd,
    free_port,
    server_environment,
    start_fleetccd,
    stopping,
)
from tests.support.stock_distccd import stock_distccd

__all__ = ["client", "installed"]  # fixtures

Rows = dict[tuple[str, str], Mapping[str, Any]]

# A machine with more to do than it can does not count against us.
SECONDS = 12.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Fleetccd]:
    """A fleetccd that has found out what it can."""
    started = start_fleetccd(tmp_path / "server", "--jobs", "3")
    with stopping(started):
        started.wait_until(lambda welcome: bool(welcome.compilers))
        yield started


@pytest.fixture
def blackhole() -> Iterator[str]:
    """A place that takes no connection and says nothing: its queue is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    place = listener.getsockname()
    callers = []
    for _ in range(3):
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex(place)
        callers.append(caller)
    try:
        yield f"{place[0]}:{place[1]}"
    finally:
        for one in (listener, *callers):
            one.close()


def doctor(client: Client, *options: str, hosts: str) -> tuple[Result, Rows]:
    """Run it and take its findings apart."""
    result = client.run("doctor", "--json", *options, env={"FLEETCC_HOSTS": hosts})
    assert result.stderr == b""
    rows = {(row["check"], row["title"]): row for row in json.loads(result.stdout)}
    assert all(bool(row["remedy"]) == (row["level"] != "ok") for row in rows.values())
    return result, rows


def errors_of(rows: Rows) -> list[tuple[str, str]]:
    """What is wrong."""
    return [key for key, row in rows.items() if row["level"] == "error"]


def test_everything_in_order_is_exit_0(client: Client, server: Fleetccd) -> None:
    result, rows = doctor(client, hosts=f"127.0.0.1:{server.port}")

    assert (result.status, errors_of(rows)) == (0, [])
    host = rows["hosts", f"127.0.0.1:{server.port}"]["text"]
    assert host.startswith(f"fleetccd {__version__}; 0 of 3 slots run, 0 wait; ")
    assert re.search(r"; round trip [\d.]+ ms; [\d.]+ MB/s up; clock agrees$", host)
    assert rows["launcher", "fleetcc"]["text"].endswith(f"the launcher in C, version {__version__}")
    assert "has been started elsewhere" in rows["agent", "agent"]["text"]
    assert client.agent_pid is None
    assert any("identity" in row["text"] for (check, _), row in rows.items() if check == "compilers")


def test_a_server_whose_clock_is_wrong_is_told(client: Client, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    hook.joinpath("sitecustomize.py").write_text(
        "import time; now = time.time; time.time = lambda: now() - 600\n"
    )
    path = os.pathsep.join([str(hook), *filter(None, sys.path)])
    late = start_fleetccd(tmp_path / "late", environment={"PYTHONPATH": path})
    with stopping(late):
        place = f"127.0.0.1:{late.port}"
        _, rows = doctor(client, "--host", place, hosts="")

    # Its warnings have the host as their title too: the last one is what `rows` has.
    assert rows["hosts", place]["level"] == "warning"
    assert "has its clock 10 min behind" in rows["hosts", place]["text"]
    assert "timedatectl" in rows["hosts", place]["remedy"]


def test_the_visit_of_a_server_leaves_nothing_there(client: Client, server: Fleetccd) -> None:
    doctor(client, "--host", f"127.0.0.1:{server.port}", hosts="")

    server.wait_for_log("fleet connection closed jobs=0")
    assert list((server.state_dir / "replicas").glob("*/*")) == []


def test_an_agent_that_runs_is_found(client: Client, server: Fleetccd) -> None:
    client.write("a.c", "int a;\n")
    client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}"
    client.run("gcc", "-c", "a.c", "-o", "a.o")

    _, rows = doctor(client, "--quick", hosts="127.0.0.1:1")

    assert f"pid {client.agent_pid}, serves {client.folder}" in rows["agent", "agent"]["text"]


def test_each_kind_of_bad_host_is_told_apart(client: Client, server: Fleetccd, blackhole: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quiet = f"127.0.0.1:{silent.getsockname()[1]}"
        hosts = f"127.0.0.1:{server.port} {blackhole} {quiet} 127.0.0.1:1 nobody.invalid"
        result, rows = doctor(client, hosts=hosts)

    assert result.status == 1
    assert result.seconds < SECONDS
    assert rows["hosts", f"127.0.0.1:{server.port}"]["level"] == "ok"
    assert "no answer in 2.5 s" in rows["hosts", blackhole]["text"]
    assert "firewall" in rows["hosts", blackhole]["remedy"]
    assert "says nothing" in rows["hosts", quiet]["text"]
    assert "Connection refused" in rows["hosts", "127.0.0.1:1"]["text"]
    assert rows["names", "nobody.invalid"]["level"] == "error"


def test_a_stock_host_is_told_from_one_that_refuses(client: Client, tmp_path: Path) -> None:
    refusing = start_fleetccd(tmp_path / "refusing", "--allow", "127.0.0.9")
    with stopping(refusing), stock_distccd(2) as stock:
        result, rows = doctor(client, "--host", f"{stock}/2 127.0.0.1:{refusing.port}", hosts="")

    assert result.status == 1
    assert rows["hosts", stock]["level"] == "ok"
    assert rows["hosts", stock]["text"].startswith("distccd; text only, limit 2")
    assert "does not serve this address" in rows["hosts", f"127.0.0.1:{refusing.port}"]["text"]
    assert "--allow" in rows["hosts", f"127.0.0.1:{refusing.port}"]["remedy"]


@pytest.mark.skipif(DNSMASQ is None, reason="dnsmasq is not installed")
def test_a_name_shows_what_dns_says_and_each_of_its_hosts_is_visited(client: Client, tmp_path: Path) -> None:
    records = "--srv-host=_fleetcc._tcp.example.test,one.example.test,1,0,5"
    with dnsmasq(tmp_path, records, build=["127.0.0.7", "127.0.0.8"], one=["127.0.0.9"]) as dns:
        client.environment["FLEETCC_DNS"] = dns.setting[0]
        hosts = "build.example.test:1 _fleetcc._tcp.example.test gone.example.test"
        _, rows = doctor(client, "--host", hosts, hosts="")

    told = rows["names", "build.example.test"]["text"]
    assert {"127.0.0.7", "127.0.0.8"} <= set(told.replace(",", " ").split())
    assert "(A, TTL 1 s)" in told
    assert "one.example.test port 1 (127.0.0.9 (A" in rows["names", "_fleetcc._tcp.example.test"]["text"]
    assert rows["names", "gone.example.test"]["level"] == "error"
    assert {title for check, title in rows if check == "hosts"} == {
        "127.0.0.7:1",
        "127.0.0.8:1",
        "127.0.0.9:1",
    }


def test_a_name_server_that_is_silent_holds_nothing_up(client: Client, server: Fleetccd) -> None:
    place = f"127.0.0.1:{server.port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client.environment["FLEETCC_DNS"] = f"127.0.0.1:{silent.getsockname()[1]}"
        result, rows = doctor(client, "--host", f"build.example.test {place}", hosts="")

    assert result.seconds < SECONDS
    assert rows["hosts", place]["level"] == "ok"
    assert "no answer within" in rows["names", "build.example.test"]["text"]
    assert "FLEETCC_DNS" in rows["names", "build.example.test"]["remedy"]


@contextlib.contextmanager
def refusing_distccd() -> Iterator[str]:
    """A stock server that serves another address only."""
    if shutil.which("distccd") is None:
        pytest.skip("distccd is not installed")
    place = ("127.0.0.1", free_port())
    options = ["--listen", place[0], "--port", str(place[1]), "--allow", "127.0.0.9", "--jobs", "1"]
    command = ["distccd", "--no-detach", "--daemon", *options, "--enable-tcp-insecure", "--log-stderr"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(place):
            return True
        return False

    try:
        eventually(listens)
        yield f"{place[0]}:{place[1]}"
    finally:
        process.terminate()
        process.wait()


def test_a_stock_host_that_refuses_is_told_too(client: Client) -> None:
    with refusing_distccd() as stock:
        result, rows = doctor(client, "--host", stock, hosts="")

    assert result.status == 1
    assert "does not serve this address" in rows["hosts", stock]["text"]


def server_doctor(tmp_path: Path, *options: str, user: str = "root", **environment: str) -> tuple[int, Rows]:
    """`fleetccd doctor`; root's server becomes `user`."""
    temp = tmp_path / "tmp"
    temp.mkdir(exist_ok=True)
    done = subprocess.run(
        [*FLEETCCD, "doctor", "--user", user, "--json", *options],
        capture_output=True, check=False, env=server_environment(temp, environment), timeout=60,
    )  # fmt: skip
    assert done.stderr == b""
    return done.returncode, {(row["check"], row["title"]): row for row in json.loads(done.stdout)}


def test_the_servers_doctor_takes_the_servers_options_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    status, rows = server_doctor(
        tmp_path, "--state-dir", str(state), "--listen", "127.0.0.1", "--port", str(free_port()),
        "--allow", "10.0.0.0/8", "--load-limit", "0", "--memory-reserve", "0", "--no-detach", "--nice", "3",
        "--store-size", "1G",
    )  # fmt: skip

    assert (status, errors_of(rows)) == (0, [])
    assert rows["network", "port"]["text"].endswith("is free")
    assert rows["network", "allow"]["text"] == "10.0.0.0/8"
    assert rows["sandbox", "sandbox"]["text"]
    assert not state.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_servers_doctor_becomes_whom_the_server_becomes(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        state = Path(folder) / "state"
        (state / "slots").mkdir(parents=True)
        (state / "slots").chmod(0o700)
        _, rows = server_doctor(tmp_path, "--state-dir", str(state), user="nobody")
        assert os.listdir(state) == ["slots"]

    assert rows["user", "user"]["level"] == "warning"
    assert "nobody" in rows["user", "user"]["text"]
    assert "the server's user cannot use slots in it" in rows["state directory", "state directory"]["text"]
    assert "cannot be made" not in rows["sandbox", "sandbox"]["text"]


def test_the_servers_doctor_sees_who_serves_already(tmp_path: Path, server: Fleetccd) -> None:
    options = ("--listen", "127.0.0.1", "--state-dir", str(server.state_dir))
    status, rows = server_doctor(tmp_path, *options, "--port", str(server.port))
    assert status == 0
    assert f"is served by fleetccd {__version__}" in rows["network", "port"]["text"]

    with socket.create_server(("127.0.0.1", 0)) as other:
        status, rows = server_doctor(tmp_path, *options, "--port", str(other.getsockname()[1]))
    assert status == 1
    assert "taken by another program" in rows["network", "port"]["text"]


def test_the_servers_doctor_says_why_there_is_no_sandbox_and_which_option_is_bad(tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\nexit 3\n")
    helper.chmod(0o755)
    status, rows = server_doctor(
        tmp_path, "--state-dir", str(tmp_path / "s"), "--allow", "10.0.0.0/99", FLEETCC_SANDBOX=str(helper)
    )
    assert status == 1
    assert rows["sandbox", "sandbox"]["level"] == "warning"
    assert str(helper) in rows["sandbox", "sandbox"]["text"]
    assert rows["network", "network"]["text"].startswith("--allow 10.0.0.0/99")


@pytest.mark.parametrize(
    "options",
    [
        ["--bogus"],
        ["--nice", "99"],
        ["--port"],
        ["--inetd", "--daemon"],
        ["--http", "here"],
        ["--user", "no-such"],
    ],
    ids=" ".join,
)
def test_the_servers_doctor_refuses_what_the_server_refuses(tmp_path: Path, options: list[str]) -> None:
    def run(*words: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            [*FLEETCCD, *words, "--state-dir", str(tmp_path / "state"), *options],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=server_environment(tmp_path, {}), timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr.splitlines()[-1]

    status, stdout, said = run("doctor")
    assert (status, stdout) == (101, b"")
    assert (status, stdout, said) == run("--no-detach", "--listen", "127.0.0.1", "--port", str(free_port()))


def test_a_server_of_one_connection_listens_on_no_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        _, rows = server_doctor(tmp_path, "--state-dir", str(tmp_path / "s"), "--inetd", "--port", port)
    assert ("network", "port") not in rows
    assert ("network", "allow") in rows


@pytest.mark.parametrize(
    ("words", "check"),
    [
        (["--job-disk", "much"], "limits"),
        (["--allow", "10.0.0.0/99"], "network"),
        (["--store-size", "much"], "state directory"),
    ],
    ids=str,
)
def test_a_value_that_the_server_cannot_read_is_a_finding(
    tmp_path: Path, words: list[str], check: str
) -> None:
    status, rows = server_doctor(tmp_path, "--state-dir", str(tmp_path / "s"), *words)
    assert status == 1
    assert rows[check, check]["level"] == "error"
    assert " ".join(words[:1]) in rows[check, check]["text"]


def test_the_servers_doctor_has_help(tmp_path: Path) -> None:
    done = subprocess.run(
        [*FLEETCCD, "doctor", "--help"], capture_output=True, check=False,
        env=server_environment(tmp_path, {"COLUMNS": "100"}), timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert b"--state-dir" in done.stdout
    assert sys.executable.encode() not in done.stdout
