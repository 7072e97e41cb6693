"""Host lists, settings, slots, and what people are told: each seen through the real launcher and agent."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetcc.errors import ExitCode
from fleetcc.model import Reason
from tests.support.fleet import Client, client, eventually, installed
from tests.support.launcher import ROOT, write_program
from tests.support.scripted_server import ScriptedServer, Visit, compile_honestly, honest_answer
from tests.support.servers import Fleetccd, Lock, start_fleetccd

__all__ = ["client", "installed"]  # fixtures

SOURCE = "int twice(int x) { return x * 2; }\n"
COMMAND = ("gcc", "-O2", "-c", "a.c", "-o", "a.o")


@pytest.fixture
def user(client: Client) -> Client:
    client.write("a.c", SOURCE)
    return client


@pytest.fixture
def hosts() -> Iterator[list[ScriptedServer]]:
    """Two hosts that do their work."""
    with ScriptedServer(compile_honestly) as one, ScriptedServer(compile_honestly, "127.0.0.2") as two:
        yield [one, two]


@pytest.fixture
def fleetccd(tmp_path: Path) -> Iterator[Fleetccd]:
    server = start_fleetccd(tmp_path / "server", "--jobs", "3")
    yield server
    server.stop()


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
    assert [line.split()[1] for line in said.read_text().splitlines()] == ["fleetccd", "distccd", "distccd"]
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
    assert job["reason"] == Reason.HOSTS_FAILED.slug
    assert job["detail"] == "@somewhere: the ssh command ended with status 255 and without an answer"


# ---- local slots

# Real for questions and for -E unless it is told to block there too; a compile waits to be let go.
BLOCKING_GCC = """#!/bin/sh
case "$*" in *-v*) exec /usr/bin/gcc "$@";; esac
case "$*" in *-E*) [ -e {folder}/block-E ] || exec /usr/bin/gcc "$@";; esac
echo start >>{folder}/journal
read _ <{folder}/fifo
exec /usr/bin/gcc "$@"
"""


@contextlib.contextmanager
def blocking_gcc(client: Client) -> Iterator[Lock]:
    """`gcc` first on PATH; each compile waits until it is let go."""
    tools = client.root / "tools"
    write_program(tools / "gcc", BLOCKING_GCC.format(folder=tools))
    (tools / "journal").touch()
    lock = Lock(tools / "fifo")
    path = client.environment["PATH"]
    client.environment["PATH"] = f"{client.bin}:{tools}:/usr/bin:/bin"
    try:
        yield lock
    finally:
        lock.let_go(100)
        lock.close()
        client.environment["PATH"] = path


def started(client: Client) -> int:
    return (client.root / "tools" / "journal").read_text().count("start")


def compile_together(client: Client, count: int) -> list[Any]:
    for number in range(count):
        client.write(f"unit{number}.c", SOURCE)
    return [client.popen(client.launcher, "gcc", "-c", f"unit{number}.c") for number in range(count)]


def end_all(running: list[Any]) -> None:
    for process in running:
        with process:
            assert process.communicate(timeout=30) == (b"", b"")
            assert process.returncode == 0


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"FLEETCC_HOSTS": "--localslots=1"}, 1),
        ({"FLEETCC_HOSTS": "--localslots=3"}, 3),
        ({"FLEETCC_HOSTS": "--localslots=3", "FLEETCC_LOCAL_SLOTS": "2"}, 2),
    ],
)
def test_local_compilers_keep_within_the_local_slots(
    client: Client, variables: dict[str, str], limit: int
) -> None:
    client.environment |= variables
    with blocking_gcc(client) as lock:
        running = compile_together(client, 5)
        for ended in range(5):
            left = 5 - ended
            eventually(lambda ended=ended: started(client) == min(5, ended + limit))  # type: ignore[misc]
            wanted = (min(limit, left), max(0, left - limit))
            eventually(lambda wanted=wanted: local_counts(client, "compiling") == wanted)  # type: ignore[misc]
            lock.let_go()
        end_all(running)


def local_counts(client: Client, use: str) -> tuple[int, int]:
    local = client.status()["local"]
    return local[use], local["waiting"]


def test_preprocessors_keep_within_their_slots(client: Client, hosts: list[ScriptedServer]) -> None:
    client.environment["FLEETCC_HOSTS"] = f"--localslots_cpp=2 {hosts[0].host}/10"
    with blocking_gcc(client) as lock:
        (client.root / "tools" / "block-E").touch()
        running = compile_together(client, 5)
        eventually(lambda: started(client) == 2)
        eventually(lambda: local_counts(client, "preprocessing") == (2, 3))
        assert hosts[0].visits == []
        lock.let_go(5)
        end_all(running)
    assert client.idle_status()["by_reason"] == {"remote": 5}


def test_a_killed_local_compile_gives_its_slot_back(client: Client) -> None:
    client.environment["FLEETCC_HOSTS"] = "--localslots=1"
    with blocking_gcc(client) as lock:
        running = compile_together(client, 2)
        eventually(lambda: started(client) == 1)
        eventually(lambda: local_counts(client, "compiling") == (1, 1))
        victim = next(job for job in client.status()["jobs"] if job["state"] == "compiling")["label"]
        for process in running:
            if process.args[-1] == victim:
                process.kill()
        eventually(lambda: started(client) == 2)
        lock.let_go(2)
        codes = []
        for process in running:
            with process:
                process.communicate(timeout=30)
            codes.append(process.returncode)
    assert sorted(codes) == [-9, 0]


def test_questions_to_the_compiler_need_no_slot(client: Client) -> None:
    client.environment["FLEETCC_HOSTS"] = "--localslots=1"
    with blocking_gcc(client) as lock:
        running = compile_together(client, 1)
        eventually(lambda: started(client) == 1)
        assert client.run("/usr/bin/gcc", "-dumpversion").status == 0
        lock.let_go()
        end_all(running)


# ---- what people are told


def test_hosts_shows_what_each_host_is(user: Client, hosts: list[ScriptedServer], fleetccd: Fleetccd) -> None:
    ours, stock = f"127.0.0.1:{fleetccd.port}/3,lzo", hosts[0].host
    user.environment["FLEETCC_HOSTS"] = f"localhost/1 {ours} {stock} 127.0.0.1:1 there,down"
    done = user.run("hosts")
    assert (done.status, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "5 hosts from FLEETCC_HOSTS"
    width = max(map(len, (ours, stock, "there,down")))
    assert lines[1] == f"  ok   {'localhost/1':<{width}}  limit 1   this machine"
    assert lines[2] == f"  ok   {ours}  limit 3   fleetccd 0.1.0: 0 of 3 slots run, 0 wait"
    assert lines[3].startswith(f"  ok   {stock:<{width}}  limit 4   distccd")
    assert lines[4].startswith(
        f"  FAIL {'127.0.0.1:1':<{width}}  limit 4   cannot connect to 127.0.0.1 port 1 "
    )
    assert lines[5].startswith(f"  FAIL {'there,down':<{width}}  limit 4   marked ,down")

    rows = json.loads(user.run("hosts", "--json").stdout)
    assert [row["answers"] for row in rows] == [True, True, True, False, False]
    assert rows[1] == {
        "host": ours, "limit": 3, "protocol": 2, "answers": True, "server": "fleetccd 0.1.0", "slots": 3,
        "capacity": 3, "running": 0, "waiting": 0, "forms": ["expanded", "directives"],
    }  # fmt: skip
    assert user.run("-j").stdout == b"16\n"


def test_hosts_that_all_fail_are_an_error(user: Client) -> None:
    assert user.run("hosts", env={"FLEETCC_HOSTS": "127.0.0.1:1"}).status == 1


def test_status_shows_agent_hosts_jobs_and_reasons(user: Client, hosts: list[ScriptedServer]) -> None:
    nobody = user.run("status")
    assert (nobody.status, nobody.stdout) == (1, b"")
    assert nobody.stderr == f"no agent serves {user.folder}; the first compile starts one\n".encode()

    user.environment["FLEETCC_HOSTS"] = f"{hosts[0].host}/3"
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    user.same_as_plain("gcc", "-E", "a.c")
    with blocking_gcc(user) as lock:
        running = user.popen(user.launcher, "gcc", "a.c", "-shared", "-o", "lib.so")
        eventually(lambda: started(user) == 1)
        done = user.run("status")
        lock.let_go()
        end_all([running])
    assert (done.status, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert re.fullmatch(rf"agent 0\.1\.0, pid {user.agent_pid}, up \d+ s", lines[0])
    assert lines[1:4] == [
        "here: 1 compiling, 0 preprocessing",
        "waiting: 0 for a local slot, 0 for a host",
        "hosts:",
    ]
    assert re.fullmatch(rf"  {re.escape(hosts[0].host)}/3 +\[\.\.\.\] 0/3 ?(distccd)?", lines[4])
    assert lines[5] == "jobs: 1 now, 3 so far, 0 cancelled"
    assert re.fullmatch(r"  compiling +\d+\.\d s  local +lib\.so", lines[6])
    assert lines[7] == "ended, by reason:"
    assert {line.split()[1] for line in lines[8:]} == {"remote", "preprocess-only"}

    raw = json.loads(user.run("status", "--json").stdout)
    assert raw["by_reason"] == {"remote": 1, "preprocess-only": 1, "linking": 1}
    assert raw["by_host"] == {hosts[0].host + "/3": 1, "local": 2}


def test_verbose_says_one_line_for_each_job(user: Client, hosts: list[ScriptedServer]) -> None:
    host = hosts[0].host
    user.environment |= {"FLEETCC_HOSTS": host, "FLEETCC_VERBOSE": "1"}
    for argv, pattern in (
        (COMMAND, rf"fleetcc: a\.c: on {re.escape(host)}, \d+ ms\n"),
        (("gcc", "-E", "a.c", "-o", "a.i"), r"fleetcc: a\.i: here \(preprocess-only: .*\), \d+ ms\n"),
        (("gcc", "a.c", "-shared", "-o", "a.so"), r"fleetcc: a\.so: here \(linking: .*\), \d+ ms\n"),
        (
            ("gcc", "-c", "-march=native", "a.c"),
            r"fleetcc: a\.c: here \(native-cpu: .*-march=native\), \d+ ms\n",
        ),
    ):
        done = user.run(*argv)
        assert (done.status, done.stdout) == (0, b"")
        assert re.fullmatch(pattern, done.stderr.decode()), done.stderr
    assert user.run(*COMMAND, env={"FLEETCC_VERBOSE": "0", "DISTCC_VERBOSE": "1"}).stderr == b""
    del user.environment["FLEETCC_VERBOSE"]
    assert b"on " + host.encode() in user.run(*COMMAND, env={"DISTCC_VERBOSE": "1"}).stderr


@pytest.mark.parametrize("variable", ["FLEETCC_LOG", "DISTCC_LOG"])
def test_each_job_is_logged_where_its_environment_says(
    user: Client, hosts: list[ScriptedServer], variable: str
) -> None:
    user.environment["FLEETCC_HOSTS"] = hosts[0].host
    (user.work / "sub").mkdir()
    shutil.copy(user.work / "a.c", user.work / "sub")
    absolute = user.root / "jobs.log"
    for log, cwd in ((str(absolute), user.work), ("jobs.log", user.work / "sub")):
        for argv in (COMMAND, ("gcc", "a.c", "-shared", "-o", "a.so")):
            assert user.run(*argv, env={variable: log}, cwd=cwd).spoken == (0, b"", b"")
    user.idle_status()
    for path in (absolute, user.work / "sub/jobs.log"):
        first, second = path.read_text().splitlines()
        assert re.fullmatch(rf"\S+ job \d+ a\.c: on {re.escape(hosts[0].host)}, \d+ ms", first)
        assert re.fullmatch(r"\S+ job \d+ a\.so: here \(linking: .*", second)


def test_a_log_that_cannot_be_written_costs_nothing(user: Client) -> None:
    user.environment["FLEETCC_LOG"] = "/nonexistent/folder/log"
    user.same_as_plain(*COMMAND, outputs=["a.o"])


EXPLAINED = [
    "gcc -O2 -c a.c -o a.o",
    "gcc -g -c a.c",
    "gcc -Wall -c a.c",
    "gcc -S a.c",
    "clang -O2 -c a.c",
    "clang -g -c a.c",
    "g++ -c a.cc -MD -MF deps",
    "gcc a.c -o a.out",
    "gcc -E a.c -o a.i",
    "gcc -M a.c -o a.d",
    "gcc -MM a.c -o a.d",
    "gcc -fsyntax-only a.c",
    "gcc -c a.c b.c",
    "gcc -c -march=native a.c",
    "gcc -c -save-temps a.c",
    "gcc -c --coverage a.c",
    "gcc -c -gsplit-dwarf a.c",
    "gcc -c header.h",
    "gcc -c a.S",
    "gcc -dumpversion",
    "gcc -c @options a.c",
    "gcc -c @missing a.c",
    "gcc -c missing.c",
    "gcc -c -B. a.c",
    "gcc -c -x c a.c",
]


@pytest.mark.parametrize("server", ["stock", "fleetccd"])
def test_explain_gives_the_reason_that_the_agent_gives(
    user: Client, hosts: list[ScriptedServer], fleetccd: Fleetccd, server: str
) -> None:
    host = hosts[0].host if server == "stock" else f"127.0.0.1:{fleetccd.port}"
    user.environment["FLEETCC_HOSTS"] = f"{host},lzo"
    for name in ("b.c", "a.cc", "header.h", "a.S"):
        user.write(name, "int other;\n" if name != "a.S" else "")
    user.write("options", "-O1")
    spoken = {"remote", "preprocessor-spoke", "compiler-spoke"}
    for line in EXPLAINED:
        done = user.run("explain", "--", *line.split())
        assert (done.status, done.stderr) == (0, b""), (line, done)
        told = re.search(r"^decision  (?:here|on a host) \((\S+)\)", done.stdout.decode(), re.MULTILINE)
        assert told is not None, done.stdout
        user.run(*line.split())
        reason = user.last_job()["reason"]
        # What a compiler is going to say, nobody can know.
        assert reason == told[1] or {reason, told[1]} <= spoken, (line, reason, told[1])


def test_explain_says_which_commands_would_run(user: Client, hosts: list[ScriptedServer]) -> None:
    user.environment["FLEETCC_HOSTS"] = hosts[0].host
    done = user.run("explain", "--", *COMMAND)
    assert done.stdout.decode().splitlines() == [
        f"compiler  /usr/bin/gcc: {gcc_text()}, asked for as x86_64-linux-gnu-gcc-12",
        "decision  on a host (remote), as preprocessed text",
        "source    a.c",
        "output    a.o",
        f"host      {hosts[0].host}: can take it (expanded)",
        "runs here gcc -O2 -E a.c",
        "and there x86_64-linux-gnu-gcc-12 -O2 -c a.i -o a.o",
    ]
    assert hosts[0].visits == []


def gcc_text() -> str:
    version = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"gcc {version.stdout.strip()}"


@pytest.mark.parametrize(
    "words", [("explain",), ("explain", "--"), ("explain", "--", "no-such-cc", "-c", "a.c")]
)
def test_explain_without_a_compiler_is_a_mistake(user: Client, words: tuple[str, ...]) -> None:
    done = user.run("explain", *words)
    assert done.status not in {0, 1}
    assert done.stdout == b""


def test_unknown_words_name_the_verbs(user: Client) -> None:
    done = user.run("--no-such-option")
    plain = user.plain("cc", "--no-such-option")
    assert done.spoken == plain.spoken  # distcc's rule: an option means cc
    assert user.run("help").stdout == user.run("--help").stdout
    assert user.run("--version").stdout.startswith(b"fleetcc 0.1.0 x86_64-linux-gnu\n")
    assert b"C launcher" in user.run("--version").stdout
