"""Whom the agent serves and how it ends, and what a build notices of that: nothing."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from fleetcc import __version__
from fleetcc.wire.launcher import (
    ANSWER_HEADER,
    MAGIC,
    MAX_REQUEST_BYTES,
    REQUEST_HEADER,
    JobRequest,
    encode_control_request,
    encode_job_request,
)
from tests.support.fleet import (
    Client,
    agents_of,
    client,
    eventually,
    installed,
    objects_made_by,
    wait_for_end,
    write_project,
)
from tests.support.launcher import write_program
from tests.support.one_compile import COMMAND, user
from tests.support.scripted_server import ScriptedServer, Visit, compile_honestly, honest_answer

__all__ = ["client", "installed", "user"]  # fixtures

SOON_SECONDS = 10.0


def knock(client: Client) -> socket.socket:
    """A connection with the agent that no launcher made."""
    folder = os.open(client.folder, os.O_PATH)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SOON_SECONDS)
    try:
        connection.connect(f"/proc/self/fd/{folder}/socket")
    finally:
        os.close(folder)
    return connection


def job_request(
    client: Client, version: str = __version__, command: Sequence[str | os.PathLike[str]] = COMMAND
) -> bytes:
    here = client.work.stat()
    environment = tuple(os.fsencode(f"{name}={value}") for name, value in client.environment.items())
    argv = tuple(map(os.fsencode, command))
    identity = (here.st_dev, here.st_ino)
    request = JobRequest(
        version.encode(), b"/usr/bin/gcc", os.fsencode(client.work), argv, environment, 0o22, identity
    )
    return encode_job_request(request, descriptors=0)


def read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """One answer of the agent: its kind and what follows."""
    head = connection.recv(ANSWER_HEADER.size, socket.MSG_WAITALL)
    kind, _, _, length = ANSWER_HEADER.unpack(head)
    return bytes((kind,)), connection.recv(length, socket.MSG_WAITALL)


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            data += part
    return data


class Holding:
    """A script that holds jobs back until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.held: list[Visit] = []

    def __call__(self, visit: Visit) -> None:
        head, source = visit.request()
        self.held.append(visit)
        assert self.go.wait(30)
        visit.send(honest_answer(head, source))


@pytest.fixture
def holding() -> Iterator[tuple[Holding, ScriptedServer]]:
    """A host that does nothing until it is told."""
    script = Holding()
    with ScriptedServer(script) as server:
        try:
            yield script, server
        finally:
            script.go.set()


# ---- whom it serves


NOT_OURS: list[tuple[str, Callable[[Client], bytes]]] = [
    ("nothing", lambda _: b""),
    ("half a header", lambda user: job_request(user)[:20]),
    ("half a request", lambda user: job_request(user)[:-5]),
    ("other words", lambda _: b"GET / HTTP/1.1\r\n" + b"x" * 100),
    (
        "a huge length",
        lambda _: REQUEST_HEADER.pack(MAGIC, MAX_REQUEST_BYTES + 1, ord("J"), 0, 0, 0, 1, 0, 0, 0, 0, 0),
    ),
    (
        "other numbers of strings",
        lambda _: REQUEST_HEADER.pack(MAGIC, 4, ord("J"), 0, 0, 0, 9, 9, 0, 0, 0, 0) + b"a\0b\0",
    ),
    ("no compiler", lambda _: REQUEST_HEADER.pack(MAGIC, 3, ord("J"), 0, 0, 0, 0, 0, 0, 0, 0, 0) + b"\0\0\0"),
    ("an unknown kind", lambda _: REQUEST_HEADER.pack(MAGIC, 0, ord("Z"), 0, 0, 0, 0, 0, 0, 0, 0, 0)),
    ("an answer to nothing", lambda user: job_request(user) + b"w" + bytes(7)),
    ("a wrong answer", lambda user: job_request(user) + b"?" + bytes(7)),
]


@pytest.mark.parametrize("write", [row[1] for row in NOT_OURS], ids=[row[0] for row in NOT_OURS])
def test_what_is_no_launcher_harms_nobody(user: Client, write: Callable[[Client], bytes]) -> None:
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    pid = user.agent_pid
    with knock(user) as connection:
        connection.sendall(write(user))
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.agent_pid == pid


def test_descriptors_that_come_along_are_closed(user: Client) -> None:
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    pid = user.agent_pid
    count = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(3):
        read_end, write_end = os.pipe()
        with knock(user) as connection:
            socket.send_fds(connection, [job_request(user)], [read_end] * 4)
            assert connection.recv(100) == b"X" + bytes(7)
        os.close(read_end)
        os.close(write_end)
    user.idle_status()
    eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= count)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"verb": 1}', b'{"verb": "dance"}', b'{"verb": "lacking", "blobs": {"*": 1}}'],
)
def test_a_question_that_is_not_understood_is_answered(user: Client, body: bytes) -> None:
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    with knock(user) as connection:
        connection.sendall(encode_control_request(b"0", body))
        answer = read_to_end(connection)
    assert answer[:1] == b"C"
    assert b"are known" in answer[ANSWER_HEADER.size :]
    assert user.agent_pid is not None


def test_a_job_of_another_directory_than_it_says_runs_here(user: Client) -> None:
    """As when a container shares the socket but not the file system."""
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    other = job_request(user).replace(os.fsencode(user.work), os.fsencode(user.home))
    with knock(user) as connection:
        connection.sendall(other)
        assert connection.recv(100) == b"X" + bytes(7)
    assert user.last_reason == "other-file-system"


def test_a_launcher_of_another_version_gets_an_agent_of_its_own(
    user: Client, holding: tuple[Holding, ScriptedServer]
) -> None:
    script, server = holding
    user.environment["FLEETCC_HOSTS"] = server.host
    with user.popen(user.launcher, *COMMAND) as running:
        eventually(lambda: script.held)
        old = user.agent_pid
        assert old is not None
        with knock(user) as connection:
            connection.sendall(job_request(user, "0.0.0"))
            assert read_to_end(connection) == b"A" + bytes(7)
        assert user.run("gcc", "-O2", "-c", "a.c", "-o", "b.o", env={"FLEETCC_HOSTS": ""}).status == 0
        new = user.agent_pid
        assert new is not None
        assert new != old
        script.go.set()  # what the old one had begun it finishes
        assert running.communicate(timeout=SOON_SECONDS) == (b"", b"")
        assert running.returncode == 0
    assert wait_for_end(old)
    assert (user.work / "a.o").read_bytes() == (user.work / "b.o").read_bytes()


def test_the_launcher_that_is_told_that_the_agent_leaves_finds_the_next(user: Client) -> None:
    """A launcher as it is installed, and an agent of yesterday."""
    write_program(
        user.root / "old" / "fleetcc-cli",
        (user.bin / "fleetcc-cli")
        .read_text()
        .replace("from fleetcc.cli", "import fleetcc\nfleetcc.__version__ = '0.0.9'\nfrom fleetcc.cli"),
    )
    with user.popen(user.root / "old" / "fleetcc-cli", "agent", "run") as old:
        eventually(lambda: user.agent_pid)
        assert user.status()["version"] == "0.0.9"
        user.same_as_plain(*COMMAND, outputs=["a.o"])
        assert old.wait(SOON_SECONDS) == 0
    assert user.status()["version"] == __version__
    assert user.last_reason == "no-hosts"


def test_an_agent_that_runs_out_of_descriptors_costs_no_compile(client: Client) -> None:
    """Nor does it fill its log or the processor with complaints."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    objects = write_project(client, 60)
    wanted = objects_made_by(client, "make", "-s", "-j4", objects=objects)
    with ScriptedServer(compile_honestly) as server:
        client.environment["FLEETCC_HOSTS"] = f"{server.host}/60,lzo"
        assert client.run("agent", "start", preexec_fn=limit).status == 0
        command = ("make", "-s", "-j60", "CC=fleetcc gcc -O1")
        assert objects_made_by(client, *command, objects=objects) == wanted
    assert len(client.log) < 100_000
    assert client.idle_status()["total"] == 60


# ---- it ends


def test_an_idle_agent_leaves(user: Client) -> None:
    user.environment["FLEETCC_IDLE_EXIT"] = "0.2"
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    (first,) = agents_of(user.folder)
    assert wait_for_end(first)
    assert not (user.folder / "socket").exists()
    assert "leaving: idle for 0.2 s" in user.log
    user.environment["FLEETCC_IDLE_EXIT"] = "600"
    user.same_as_plain(*COMMAND, outputs=["a.o"])
    assert user.agent_pid not in {None, first}


def test_an_agent_with_a_job_is_not_idle(user: Client, holding: tuple[Holding, ScriptedServer]) -> None:
    script, server = holding
    user.environment |= {"FLEETCC_IDLE_EXIT": "0.1", "FLEETCC_HOSTS": server.host}
    with user.popen(user.launcher, *COMMAND) as running:
        eventually(lambda: script.held)
        (pid,) = agents_of(user.folder)
        assert not wait_for_end(pid, seconds=0.6)
        script.go.set()
        assert running.communicate(timeout=SOON_SECONDS) == (b"", b"")
    assert running.returncode == 0
    assert wait_for_end(pid)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "stop"])
def test_an_agent_that_is_told_to_leave_finishes_its_jobs(
    user: Client, holding: tuple[Holding, ScriptedServer], how: str
) -> None:
    script, server = holding
    user.environment["FLEETCC_HOSTS"] = server.host
    with user.popen(user.launcher, *COMMAND) as running:
        eventually(lambda: script.held)
        old = user.agent_pid
        assert old is not None
        if how == "stop":
            assert user.run("agent", "stop").stdout == b"the agent leaves; 1 jobs to finish\n"
        else:
            os.kill(old, signal.Signals[how])
        eventually(lambda: not (user.folder / "socket").exists())
        assert user.run("gcc", "-O2", "-c", "a.c", "-o", "b.o", env={"FLEETCC_HOSTS": ""}).status == 0
        assert user.agent_pid not in {None, old}
        script.go.set()
        assert running.communicate(timeout=SOON_SECONDS) == (b"", b"")
    assert running.returncode == 0
    assert wait_for_end(old)
    assert (user.folder / "socket").exists()  # the new one's
    assert (user.work / "a.o").read_bytes() == (user.work / "b.o").read_bytes()


def test_an_agent_killed_in_the_middle_costs_no_build(
    client: Client, holding: tuple[Holding, ScriptedServer]
) -> None:
    script, server = holding
    objects = write_project(client, 8)
    wanted = objects_made_by(client, "make", "-s", "-j8", objects=objects)
    client.environment["FLEETCC_HOSTS"] = f"{server.host}/4,lzo"
    with client.building("make", "-s", "-j8", "CC=fleetcc gcc -O1") as build:
        eventually(lambda: len(script.held) == 4)
        killed = client.agent_pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert build.communicate(timeout=60) == (b"", b"")
    assert build.returncode == 0
    assert {name: (client.work / name).read_bytes() for name in objects} == wanted
    script.go.set()
    for name in objects:
        (client.work / name).unlink()
    assert objects_made_by(client, "make", "-s", "-j8", "CC=fleetcc gcc -O1", objects=objects) == wanted
    assert client.agent_pid not in {None, killed}
    assert client.idle_status()["by_reason"] == {"remote": 8}


def test_an_agent_killed_between_answer_and_rename_leaves_nothing(user: Client) -> None:
    """Kill it at the very moment at which the host has answered, many times."""
    with ScriptedServer(compile_honestly) as server:
        user.environment["FLEETCC_HOSTS"] = server.host

        def script(visit: Visit) -> None:
            head, source = visit.request()
            visit.send(honest_answer(head, source))
            (pid,) = agents_of(user.folder)
            os.kill(pid, signal.SIGKILL)
            assert wait_for_end(pid)

        server.script = script
        for _ in range(5):
            user.same_as_plain(*COMMAND, outputs=["a.o"])


def test_a_compile_here_survives_the_end_of_its_agent(user: Client) -> None:
    fifo = user.root / "fifo"
    os.mkfifo(fifo)
    tool = write_program(user.root / "tools" / "slow", f"#!/bin/sh\nread word <{fifo}\necho $word\nexit 3\n")
    with user.popen(user.launcher, tool) as running:
        eventually(lambda: user.agent_pid and user.status()["jobs"])
        pid = user.agent_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pid)
        fifo.write_text("done\n")
        assert running.communicate(timeout=SOON_SECONDS) == (b"done\n", b"")
    assert running.returncode == 3


def test_a_compilers_death_by_a_signal_is_passed_on(user: Client) -> None:
    tool = write_program(user.root / "tools" / "gcc", "#!/bin/sh\nkill -SEGV $$\n")
    done = user.run(tool, "x.c")
    assert done.status == -signal.SIGSEGV
    assert user.idle_status()["local"]["compiling"] == 0


def test_launchers_killed_at_any_moment_leave_nothing(user: Client) -> None:
    """SIGKILL: nobody can clear up, and still there is no half file, no slot taken, no job left."""
    with ScriptedServer(compile_honestly) as server:
        user.environment["FLEETCC_HOSTS"] = server.host + "/1"
        user.same_as_plain(*COMMAND, outputs=["a.o"])
        for step in range(25):
            with user.popen(user.launcher, *COMMAND) as process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(step * 0.004)
                process.kill()
            user.idle_status()
            assert set(user.files()) <= {"a.c", "a.o"}
        user.work.joinpath("a.o").unlink(missing_ok=True)
        user.same_as_plain(*COMMAND, outputs=["a.o"])
        assert user.last_reason == "remote"


def test_what_a_launcher_killed_between_naming_and_renaming_has_left_is_removed(user: Client) -> None:
    user.write("a.i", '# 1 "a.c"\n# 1 "<built-in>"\n# 1 "a.c"\nint f(void) { return 1; }\n')
    command = ("gcc", "-O2", "-c", "a.i", "-o", "sub/a.o")
    user.write("sub/a.o", "old")
    with ScriptedServer(compile_honestly) as server:
        user.environment["FLEETCC_HOSTS"] = server.host
        user.same_as_plain("gcc", "-O2", "-c", "a.i", "-o", "b.o", outputs=["b.o"])  # starts the agent
        with knock(user) as connection:
            connection.sendall(job_request(user, command=command))
            kind, payload = read_answer(connection)
            assert kind == b"O"
            assert read_answer(connection)[0] == b"R"
            left = user.write(f"sub/.fleetcc-{os.getpid()}-0.tmp", "the object")
            other = user.write("sub/.fleetcc-1-0.tmp", "of another launcher")
        user.idle_status()
        assert payload.startswith(b"sub/a.o\0")
        assert not left.exists()
        other.unlink()
        assert user.work.joinpath("sub/a.o").read_text() == "old"
