"""What a failure costs: a second attempt, a pause for the host, a local compile, and never the build."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fleetcc.errors import ExitCode
from fleetcc.model import Reason
from tests.support.fleet import (
    Client,
    client,
    eventually,
    installed,
    objects_made_by,
    small_disk,
    wait_for_end,
    write_project,
)
from tests.support.launcher import write_program
from tests.support.one_compile import (
    COMMAND,
    SOON_SECONDS,
    SOURCE,
    compile_as_plain,
    good,
    use_hosts,
    user_without_backoff,
)
from tests.support.scripted_server import (
    ScriptedServer,
    Visit,
    answer_with,
    compile_honestly,
    good_answer,
    honest_answer,
)
from tests.support.servers import start_fleetccd, stopping
from tests.support.shared_gcc import shared_gcc

__all__ = ["client", "good", "installed", "small_disk", "user_without_backoff"]  # fixtures


# ---- a compiler has spoken


def test_a_warning_of_the_host_is_said_by_the_compiler_here(user: Client, good: ScriptedServer) -> None:
    user.write("a.c", "int f(void) { int unused; return 1; }\n")
    use_hosts(user, good)
    command = ("gcc", "-Wall", "-c", "a.c", "-o", "a.o")
    assert b"unused" in user.same_as_plain(*command, outputs=["a.o"]).stderr
    assert user.last_reason == Reason.COMPILER_SPOKE.slug
    user.same_as_plain(*command, outputs=["a.o"])
    assert user.last_reason == Reason.WARNED_LAST_TIME.slug
    assert len(good.visits) == 1


def test_a_compile_error_has_the_compilers_own_words_and_status(user: Client, good: ScriptedServer) -> None:
    user.write("a.c", "int f(void) { return nothing; }\n")
    use_hosts(user, good)
    assert user.same_as_plain(*COMMAND).status == 1
    assert user.last_reason == Reason.COMPILER_SPOKE.slug


def test_what_the_preprocessor_says_is_said_by_the_compiler_here(user: Client, good: ScriptedServer) -> None:
    use_hosts(user, good)
    for text, status in (('#include "missing.h"\n', 1), ("#warning careful\nint x;\n", 0)):
        user.write("a.c", text)
        assert user.same_as_plain(*COMMAND, outputs=["a.o"]).status == status
        assert user.last_reason == Reason.PREPROCESSOR_SPOKE.slug
    assert good.visits == []


# ---- without fallback


def test_without_fallback_a_failing_fleet_fails_loudly(user: Client) -> None:
    with ScriptedServer(answer_with(b"")) as bad:
        use_hosts(user, bad)
        for way in ("variable", "option"):
            words = [user.launcher, *(["--no-fallback"] if way == "option" else []), *COMMAND]
            done = user.plain(*words, env={"FLEETCC_FALLBACK": "0"} if way == "variable" else {})
            assert (done.status, done.stdout) == (ExitCode.NO_HOSTS, b"")
            assert done.stderr.startswith(b"fleetcc: a.c: the hosts closed without an answer")
            assert done.stderr.count(b"\n") == 1
            assert user.files() == ["a.c"]


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ("", b"no host list"),
        ("a:b:c", b"the host list cannot be used"),
        ("127.0.0.1:1", b"every host failed lately or cannot be reached"),
    ],
)
def test_without_fallback_every_lack_of_hosts_is_told(user: Client, hosts: str, words: bytes) -> None:
    user.environment["FLEETCC_HOSTS"] = hosts
    done = user.run(*COMMAND, env={"DISTCC_FALLBACK": "0"})
    assert done.status == ExitCode.NO_HOSTS
    assert done.stderr.startswith(b"fleetcc: a.c: ")
    assert words in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_without_fallback_what_must_be_local_is_local(user: Client, good: ScriptedServer) -> None:
    user.write("main.c", "int main(void) { return 0; }\n")
    user.environment |= {"FLEETCC_HOSTS": good.host, "FLEETCC_FALLBACK": "0"}
    for argv, outputs in (
        (("gcc", "main.c", "-o", "main"), ["main"]),
        (("gcc", "-E", "a.c"), []),
        (("gcc", "-dumpversion"), []),
        (("gcc", "-c", "-march=native", "a.c"), ["a.o"]),
    ):
        assert user.same_as_plain(*argv, outputs=outputs).status == 0


def test_without_fallback_compile_errors_pass_through(user: Client, good: ScriptedServer) -> None:
    use_hosts(user, good)
    user.write("a.c", "int f(void) { return nothing; }\n")
    done = user.run(*COMMAND, env={"FLEETCC_FALLBACK": "0"})
    assert done.status == 1
    assert b"'nothing' undeclared" in done.stderr
    assert user.last_reason == "remote"
    assert user.files() == ["a.c"]


# ---- leaving a host alone


def test_a_failing_host_is_left_alone_for_longer_and_longer(client: Client, good: ScriptedServer) -> None:
    client.write("a.c", SOURCE)
    with ScriptedServer(answer_with(b"nonsense nonsense")) as bad:
        use_hosts(client, bad)
        for pause in (1, 2):
            before = len(bad.visits)
            compile_as_plain(client)
            assert (len(bad.visits), client.last_reason) == (before + 1, "hosts-failed")
            left_alone = client.status()["hosts"][0]["left_alone_seconds"]
            assert pause - 0.5 < left_alone <= pause
            compile_as_plain(client)
            assert (len(bad.visits), client.last_reason) == (before + 1, "all-hosts-failing")
            eventually(lambda: client.status()["hosts"][0]["left_alone_seconds"] == 0.0)
        bad.script = compile_honestly
        compile_as_plain(client)
        assert client.last_reason == "remote"
        gap = bad.visits[1].began - bad.visits[0].began
        assert 1.0 <= gap < 2.0 + SOON_SECONDS


def test_while_a_host_is_left_alone_the_others_work(client: Client, good: ScriptedServer) -> None:
    client.write("a.c", SOURCE)
    with ScriptedServer(answer_with(b"nonsense nonsense")) as bad:
        use_hosts(client, bad, good)
        while not bad.visits:  # it may just be asked what it is, so that the other is first
            compile_as_plain(client)
            assert client.last_reason == "remote"
        served = len(good.visits)
        compile_as_plain(client)
        assert client.last_reason == "remote"
        assert (len(bad.visits), len(good.visits)) == (1, served + 1)


def test_a_refused_compiler_leaves_the_host_to_other_compilers(client: Client) -> None:
    client.write("a.c", SOURCE)

    def script(visit: Visit) -> None:
        head, source = visit.request()
        if b"gcc" in head.argv[0]:
            visit.send(honest_answer(head, source))

    with ScriptedServer(script) as host:
        use_hosts(client, host)
        client.same_as_plain("clang", *COMMAND[1:], outputs=["a.o"])
        assert client.last_reason == Reason.REFUSED.slug
        client.same_as_plain("clang", *COMMAND[1:], outputs=["a.o"])
        assert client.last_reason == Reason.ALL_HOSTS_FAILING.slug
        compile_as_plain(client)
        assert client.last_reason == "remote"


def test_a_users_mistakes_and_cancelled_jobs_are_no_hosts_fault(client: Client) -> None:
    client.write("a.c", SOURCE)
    client.write("wrong.c", "int f(void) { return nothing; }\n")
    client.write("unreadable.c", '#include "missing.h"\n')
    reached = threading.Event()

    def wait(visit: Visit) -> None:
        visit.request()
        reached.set()
        visit.wait_until_left()

    with ScriptedServer(compile_honestly) as host:
        use_hosts(client, host)
        for source in ("wrong.c", "unreadable.c"):
            client.same_as_plain("gcc", "-c", source)
        host.script = answer_with(good_answer(2, b"", status=11))
        compile_as_plain(client)

        host.script = wait
        with client.popen(client.launcher, *COMMAND) as process:
            assert reached.wait(SOON_SECONDS)
            process.send_signal(signal.SIGTERM)
        eventually(lambda: host.visits[-1].closed)
        assert client.idle_status()["cancelled"] == 1

        host.script = compile_honestly
        compile_as_plain(client)
        assert client.last_reason == "remote"
        assert client.status()["hosts"][0]["left_alone_seconds"] == 0.0


# ---- in the middle of a build

# A compiler that never ends, but says what it is.
PROBE = """#!/bin/sh
case "$*" in *-v*) exec /usr/bin/gcc -v;; esac
echo $$ >>{journal}
exec sleep 100
"""


def test_a_server_killed_in_the_middle_costs_no_build(client: Client, tmp_path: Path) -> None:
    objects = write_project(client, 8)
    wanted = objects_made_by(client, "make", "-s", "-j8", objects=objects)
    with shared_gcc(client) as gcc:
        server = start_fleetccd(tmp_path / "server", "--jobs", "4", environment=gcc.server_environment)
        client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}/8,lzo"
        with stopping(server), client.building("make", "-s", "-j8", "CC=fleetcc gcc -O1") as build:
            gcc.wait_for(4)
            server.process.kill()
            out, err = build.communicate(timeout=60)
    assert (build.returncode, out, err) == (0, b"", b"")
    assert {name: (client.work / name).read_bytes() for name in objects} == wanted
    reasons = client.idle_status()["by_reason"]
    assert sum(reasons.values()) == 8
    assert set(reasons) <= {"hosts-failed", "refused", "all-hosts-failing"}


def interrupt(build: Any) -> None:
    """Ctrl-C reaches every process of the terminal's foreground group."""
    os.killpg(build.pid, signal.SIGINT)


def test_an_interrupted_build_ends_its_remote_compilers_at_once(client: Client) -> None:
    objects = write_project(client, 8)

    def hold(visit: Visit) -> None:
        visit.request()
        visit.wait_until_left()

    with ScriptedServer(hold) as host:
        use_hosts(client, host, option="/8,lzo")
        with client.building("make", "-s", "-j8", "CC=fleetcc gcc -O1") as build:
            eventually(lambda: len(host.visits) == 8)
            interrupted = time.monotonic()
            interrupt(build)
            build.communicate(timeout=SOON_SECONDS)
        eventually(lambda: all(visit.closed for visit in host.visits))
        latest = max(visit.closed or 0.0 for visit in host.visits)
    assert build.returncode != 0
    assert latest - interrupted < 1.0
    status = client.idle_status()
    assert status["cancelled"] == 8
    assert [name for name in client.files() if name.endswith(".o") or "fleetcc" in name] == []
    assert set(objects).isdisjoint(client.files())


def test_an_interrupted_build_ends_the_compilers_of_a_fleetccd(client: Client, tmp_path: Path) -> None:
    write_project(client, 4)
    with shared_gcc(client) as gcc:
        server = start_fleetccd(tmp_path / "server", "--jobs", "2", environment=gcc.server_environment)
        client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}/8,lzo"
        with stopping(server):
            with client.building("make", "-s", "-j4", "CC=fleetcc gcc -O1") as build:
                gcc.wait_for(2)
                interrupt(build)
                build.communicate(timeout=SOON_SECONDS)
            assert all(wait_for_end(pid, seconds=1.0) for pid in gcc.started)
            eventually(lambda: (server.welcome().running, server.welcome().waiting) == (0, 0))
    assert client.idle_status()["cancelled"] == 4
    assert len(gcc.started) == 2


def test_an_interrupted_build_ends_its_local_compilers_and_frees_their_slots(client: Client) -> None:
    write_project(client, 4)
    journal = client.root / "journal"
    tools = client.root / "tools"
    write_program(tools / "gcc", PROBE.format(journal=journal))
    client.environment |= {"PATH": f"{client.bin}:{tools}:/usr/bin:/bin", "FLEETCC_HOSTS": "--localslots=2"}
    journal.touch()
    with client.building("make", "-s", "-j4", "CC=fleetcc gcc") as build:
        eventually(lambda: len(journal.read_text().split()) == 2)
        interrupt(build)
        build.communicate(timeout=SOON_SECONDS)
    assert client.idle_status()["local"]["compiling"] == 0
    assert len(journal.read_text().split()) == 2


def test_a_server_whose_disk_is_full_means_compiling_here(
    client: Client, tmp_path: Path, small_disk: Path
) -> None:
    client.write("a.c", SOURCE + "".join(f"int value{n} = {n};\n" for n in range(20_000)))
    server = start_fleetccd(tmp_path / "server", environment={"TMPDIR": str(small_disk)})
    hosts = f"127.0.0.1:{server.port},lzo"
    client.environment |= {"FLEETCC_HOSTS": hosts, "FLEETCC_MODE": "preprocessed"}
    with stopping(server):
        client.same_as_plain(*COMMAND, outputs=["a.o"])
        assert client.last_job()["host"] == "local"
