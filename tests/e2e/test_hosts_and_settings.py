"""Host lists and settings, each seen through the real launcher and agent."""

import contextlib
import shutil
import sys
import threading
from pathlib import Path

import pytest

from fleetcc.errors import ExitCode
from fleetcc.model import Reason
from tests.support.blocking_gcc import blocking_gcc, compile_together, end_all, started
from tests.support.fleet import Client, client, eventually, installed
from tests.support.launcher import ROOT, write_program
from tests.support.one_compile import COMMAND, hosts, user
from tests.support.scripted_server import ScriptedServer, Visit, compile_honestly, honest_answer

__all__ = ["client", "hosts", "installed", "user"]  # fixtures


def compile_on(client: Client, *expected: str, **variables: str) -> None:
    """One compile like the plain one, on one of these hosts."""
    client.same_as_plain(*COMMAND, outputs=["a.o"], env=variables)
    job = client.last_job()
    assert job["reason"] == "remote", job
    assert job["host"] in expected


# ---- where the list comes from


def test_two_builds_under_one_agent_each_use_their_own_hosts(
    user: Client, hosts: list[ScriptedServer]
) -> None:
    for _ in range(3):
        for host in hosts:
            compile_on(user, host.host, FLEETCC_HOSTS=host.host)
    assert [len(host.visits) for host in hosts] == [3, 3]
    assert {host["host"] for host in user.status()["hosts"]} == {host.host for host in hosts}


def test_our_variable_wins_over_distccs_and_over_files(user: Client, hosts: list[ScriptedServer]) -> None:
    one, two = (host.host for host in hosts)
    del user.environment["FLEETCC_HOSTS"]
    files = [user.home / ".config/fleetcc/hosts", user.home / ".distcc/hosts"]
    for path, text in zip(files, (one, two), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(f"# the list\n{text}\n")
    compile_on(user, one)
    files[0].unlink()
    compile_on(user, two)
    compile_on(user, one, DISTCC_HOSTS=one)
    compile_on(user, two, DISTCC_HOSTS=one, FLEETCC_HOSTS=two)


def test_a_hosts_file_that_changes_is_seen_by_the_next_job(user: Client, hosts: list[ScriptedServer]) -> None:
    del user.environment["FLEETCC_HOSTS"]
    path = user.home / ".distcc/hosts"
    path.parent.mkdir()
    for host in (*hosts, *hosts):
        path.write_text(host.host)
        compile_on(user, host.host)
    new = path.with_name("new")
    new.write_text(hosts[0].host)
    new.rename(path)
    compile_on(user, hosts[0].host)


def test_an_empty_list_means_compiling_here(user: Client) -> None:
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["reason"] == Reason.NO_HOSTS.slug
    asked = user.run("hosts")
    assert (asked.status, asked.stdout) == (1, b"")
    assert asked.stderr.startswith(
        b"fleetcc: FLEETCC_HOSTS names no host: set FLEETCC_HOSTS, or write one of "
    )


BAD_LISTS = [
    ("a:b:c", "1:3", "a:b:c"),
    ("good\n  bad/0 more", "2:7", "bad/0"),
    ("--randomise", "1:1", "--randomise"),
    ("host,lzo,gzip", "1:10", "host,lzo,gzip"),
]


@pytest.mark.parametrize(("text", "place", "entry"), BAD_LISTS)
@pytest.mark.parametrize("source", ["variable", "file"])
def test_a_bad_list_costs_no_build_and_is_explained(
    user: Client, text: str, place: str, entry: str, source: str
) -> None:
    origin = "FLEETCC_HOSTS"
    if source == "variable":
        user.environment["FLEETCC_HOSTS"] = text
    else:
        del user.environment["FLEETCC_HOSTS"]
        path = user.home / ".distcc/hosts"
        path.parent.mkdir()
        path.write_text(text)
        origin = str(path)
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    job = user.last_job()
    assert job["reason"] == Reason.BAD_HOST_LIST.slug
    asked = user.run("hosts")
    assert (asked.status, asked.stdout) == (ExitCode.BAD_HOST_LIST, b"")
    assert asked.stderr.startswith(f"fleetcc: {origin}:{place}: in entry '{entry}': ".encode())
    assert asked.stderr.count(b"\n") == 1
    assert job["detail"] == asked.stderr.decode().removeprefix("fleetcc: ").rstrip("\n")


def test_a_hosts_file_that_cannot_be_read_is_a_bad_list(user: Client) -> None:
    del user.environment["FLEETCC_HOSTS"]
    (user.home / ".distcc/hosts").mkdir(parents=True)
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["reason"] == Reason.BAD_HOST_LIST.slug
    asked = user.run("hosts")
    assert asked.status == ExitCode.BAD_HOST_LIST
    assert str(user.home / ".distcc/hosts").encode() in asked.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FLEETCC_EXACT", "perhaps"), ("FLEETCC_IO_TIMEOUT", "-1"), ("FLEETCC_MODE", "fast")],
)
def test_a_bad_setting_costs_no_build(user: Client, variable: str, value: str) -> None:
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    user.same_as_plain(*COMMAND, outputs=["a.o"], env={variable: value})
    job = user.last_job()
    assert job["reason"] == Reason.BAD_SETTINGS.slug
    assert variable in job["detail"]


@pytest.mark.parametrize("place", ["variable", "file"])
def test_an_agent_starts_in_spite_of_a_bad_setting(user: Client, place: str) -> None:
    """It takes its own settings from whoever starts it; the job's are the job's business."""
    path = user.home / ".config/fleetcc/config.toml"
    if place == "variable":
        user.environment["FLEETCC_IDLE_EXIT"] = "soon"
    else:
        path.parent.mkdir(parents=True)
        path.write_text("hosts = \n")
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    job = user.last_job()
    assert job["reason"] == Reason.BAD_SETTINGS.slug
    assert ("FLEETCC_IDLE_EXIT" if place == "variable" else str(path)) in job["detail"]


def test_mode_local_sends_nothing(user: Client, hosts: list[ScriptedServer]) -> None:
    user.environment |= {"FLEETCC_HOSTS": hosts[0].host, "FLEETCC_MODE": "local"}
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["reason"] == Reason.MODE_LOCAL.slug
    assert hosts[0].visits == []


def test_config_toml_is_read(user: Client, hosts: list[ScriptedServer]) -> None:
    path = user.home / ".config/fleetcc/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('mode = "local"\n')
    user.environment["FLEETCC_HOSTS"] = hosts[0].host
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["reason"] == Reason.MODE_LOCAL.slug
    path.write_text('mode = "auto"\n')
    compile_on(user, hosts[0].host)


# ---- which host of the list


def test_jobs_spread_over_hosts_within_their_limits(client: Client, hosts: list[ScriptedServer]) -> None:
    go = threading.Event()

    def hold(visit: Visit) -> None:
        head, source = visit.request()
        assert go.wait(30)
        visit.send(honest_answer(head, source))

    for host in hosts:
        host.script = hold
    client.environment["FLEETCC_HOSTS"] = f"{hosts[0].host}/1 {hosts[1].host}/2"
    running = compile_together(client, 5)
    try:
        # Three are placed, two wait, and nobody connects beyond the limits.
        eventually(lambda: client.agent_pid)
        eventually(lambda: client.status()["waiting_for_hosts"] == 2)
        eventually(lambda: [len(host.visits) for host in hosts] == [1, 2])
        assert [host["running"] for host in client.status()["hosts"]] == [1, 2]
    finally:
        go.set()
        end_all(running)
    assert client.idle_status()["by_reason"] == {"remote": 5}


def test_randomize_spreads_the_first_jobs_of_agents(user: Client) -> None:
    with contextlib.ExitStack() as stack:
        hosts = [
            stack.enter_context(ScriptedServer(compile_honestly, f"127.0.0.{number}"))
            for number in range(1, 7)
        ]
        user.environment["FLEETCC_HOSTS"] = "--randomize " + " ".join(host.host for host in hosts)
        compile_on(user, *(host.host for host in hosts))
        shown = {tuple(user.run("--show-hosts").stdout.decode().split()) for _ in range(4)}
        assert {frozenset(order) for order in shown} == {frozenset(host.host for host in hosts)}
        assert len(shown) > 1


def test_a_host_that_is_down_is_not_asked(user: Client, hosts: list[ScriptedServer]) -> None:
    user.environment["FLEETCC_HOSTS"] = f"{hosts[0].host},down {hosts[1].host}"
    compile_on(user, hosts[1].host)
    assert hosts[0].visits == []


def test_localhost_is_a_host_with_its_own_limit(user: Client, hosts: list[ScriptedServer]) -> None:
    user.environment["FLEETCC_HOSTS"] = f"localhost/1 {hosts[0].host}/1"
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["reason"] == Reason.LOCALHOST_ENTRY.slug
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(blocking_gcc(user))
        first = stack.enter_context(user.popen(user.launcher, *COMMAND))
        eventually(lambda: started(user) == 1)
        second = user.run("gcc", "-c", "a.c", "-o", "b.o")
        assert second.spoken == (0, b"", b"")
        assert user.status()["recent"][-1]["host"] == hosts[0].host + "/1"
        lock.let_go()
        assert first.communicate(timeout=30) == (b"", b"")


# Takes its own words away and runs the rest here. A server that root starts would become another user,
# who cannot enter a test's folders.
SSH = """#!/bin/sh
echo "$@" >>{said}
export TMPDIR=/tmp
[ "$1" = -v ] && shift
[ "$1" = -l ] && shift 2
shift
exec "$@" {options}
"""


def test_hosts_over_ssh_are_reached_by_the_ssh_command(user: Client, tmp_path: Path) -> None:
    said = tmp_path / "ssh-words"
    write_program(tmp_path / "ssh", SSH.format(said=said, options="--user root"))
    python = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n"
    server = write_program(
        tmp_path / "remote" / "fleetccd", python + "from fleetcc.cli.server import main\nmain()\n"
    )
    user.environment |= {"FLEETCCD_STATE_DIR": str(tmp_path / "state"), "FLEETCC_HOSTS": ""}
    for variable, entry in (
        ("DISTCC_SSH", f"@somewhere:{server}"),
        ("FLEETCC_SSH", f"me@somewhere/2:{server},lzo"),
    ):
        compile_on(user, entry, **{variable: f"{tmp_path}/ssh -v", "FLEETCC_HOSTS": entry})
    options = f"{server} --inetd --enable-tcp-insecure"
    assert said.read_text().splitlines() == [f"-v somewhere {options}", f"-v -l me somewhere {options}"]


@pytest.mark.skipif(shutil.which("distccd") is None, reason="distccd is not installed")
def test_hosts_over_ssh_may_run_the_stock_server(user: Client, tmp_path: Path) -> None:
    write_program(tmp_path / "ssh", SSH.format(said="/dev/null", options="--log-file /dev/null"))
    entry = f"@somewhere:{shutil.which('distccd')}"
    compile_on(user, entry, FLEETCC_SSH=str(tmp_path / "ssh"), FLEETCC_HOSTS=entry)


@pytest.mark.skipif(shutil.which("distccd") is None, reason="distccd is not installed")
def test_hosts_over_ssh_without_our_server_run_the_stock_one(user: Client, tmp_path: Path) -> None:
    said = tmp_path / "ssh-words"
    shell = SSH.replace('exec "$@"', '[ "$1" != fleetccd ] || exit 127\nexec "$@"')
    write_program(tmp_path / "ssh", shell.format(said=said, options="--log-file /dev/null"))
    user.environment |= {"FLEETCC_SSH": str(tmp_path / "ssh"), "FLEETCC_HOSTS": "@somewhere"}
    for _ in range(2):
        compile_on(user, "@somewhere")
    # Ours is not there; the stock one does not speak our protocol; then one connection for each job.
    commands = [line.split()[1] for line in said.read_text().splitlines()]
    assert commands == ["fleetccd", "distccd", "distccd", "distccd"]
    assert b"ok   @somewhere" in user.run("hosts").stdout


def test_hosts_over_ssh_without_any_server_are_told(user: Client, tmp_path: Path) -> None:
    write_program(tmp_path / "ssh", "#!/bin/sh\nexit 127\n")
    user.environment |= {"FLEETCC_SSH": str(tmp_path / "ssh"), "FLEETCC_HOSTS": "@somewhere"}
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.last_job()["detail"] == "@somewhere: neither fleetccd nor distccd is on PATH there"
    assert user.run("hosts").status == 1


def test_an_ssh_command_that_fails_costs_no_compile(user: Client, tmp_path: Path) -> None:
    write_program(tmp_path / "ssh", "#!/bin/sh\necho no route >&2\nexit 255\n")
    user.environment |= {"FLEETCC_SSH": str(tmp_path / "ssh"), "FLEETCC_HOSTS": "@somewhere"}
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    job = user.last_job()
    assert job["reason"] == Reason.ALL_HOSTS_FAILING.slug
    assert job["detail"] == "@somewhere: the ssh command ended with status 255 and without an answer"
