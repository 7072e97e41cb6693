"""What people are told: hosts, status, explain, verbose lines and logs."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocking_gcc import blocking_gcc, end_all, started
from tests.support.fleet import Client, client, eventually, installed
from tests.support.one_compile import COMMAND, hosts, user
from tests.support.scripted_server import ScriptedServer
from tests.support.servers import Fleetccd, start_fleetccd

__all__ = ["client", "hosts", "installed", "user"]  # fixtures


@pytest.fixture
def fleetccd(tmp_path: Path) -> Iterator[Fleetccd]:
    server = start_fleetccd(tmp_path / "server", "--jobs", "3")
    yield server
    server.stop()


def test_hosts_shows_what_each_host_is(user: Client, hosts: list[ScriptedServer], fleetccd: Fleetccd) -> None:
    ours, stock = f"127.0.0.1:{fleetccd.port}/3,lzo", hosts[0].host
    user.environment["FLEETCC_HOSTS"] = f"localhost/1 {ours} {stock} 127.0.0.1:1 there,down"
    done = user.run("hosts")
    assert (done.status, done.stderr) == (0, b"")
    fleetccd.wait_for_log_count("offered", 6)
    done = user.run("hosts")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "5 hosts from FLEETCC_HOSTS"
    address = f"127.0.0.1:{fleetccd.port}"
    width = max(map(len, (address, stock, "there:3632")))
    assert lines[1] == f"  ok   {'localhost':<{width}}  this machine; limit 1"
    assert lines[2].startswith(f"  ok   {address:<{width}}  fleetccd 0.1.0; 0 of 3 slots run, 0 wait")
    assert lines[3].startswith(f"  ok   {stock:<{width}}  distccd")
    assert lines[3].endswith("; limit 4")
    assert lines[4].startswith(f"  FAIL {'127.0.0.1:1':<{width}}  127.0.0.1:1: cannot connect to ")
    assert lines[5].startswith(f"  FAIL {'there:3632':<{width}}  marked ,down")

    rows = json.loads(user.run("hosts", "--json").stdout)
    assert [row["answers"] for row in rows] == [True, True, True, False, False]
    assert rows[1] == {
        "host": ours, "id": address, "origin": "FLEETCC_HOSTS",
        "limit": 3, "protocol": 2, "answers": True, "server": "fleetccd 0.1.0", "slots": 3,
        "capacity": 3, "running": 0, "waiting": 0, "forms": ["expanded", "directives"],
        "compilers": rows[1]["compilers"], "same_compilers": ["gcc", "g++", "clang", "clang++"],
        "other_compilers": [], "files": True, "no_files": "",
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
    assert re.fullmatch(rf"  {re.escape(hosts[0].host)} +\[\.\.\.\] 0/3 distccd, speed \d(\.\d+)?", lines[4])
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


SERVER_MATTERS = 6  # for the first few of these
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
    for line in EXPLAINED if server == "fleetccd" else EXPLAINED[:SERVER_MATTERS]:
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
    lines = done.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines[4:8]] == ["inputs", "toolchain", "travels", "predicted"]
    assert lines[:4] + lines[8:] == [
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
