"""`fleetcc run` as a process: tokens, terminal, signals, exit status. The agent says what a test wants."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleetcc.jobserver.makeflags import jobserver_of
from fleetcc.monitor.events import Event, Lost
from tests.support.agent_events import AgentEvents, host, local
from tests.support.blocking_jobs import BlockingJobs, environment_with
from tests.support.build_tools import NEW_NINJA, OLD_MAKE, needs_new_ninja, needs_old_make, version_line
from tests.support.fleet import PATIENCE_SECONDS, eventually
from tests.support.launcher import is_alive, write_program

PROCESSORS = len(os.sched_getaffinity(0))
RUN = (sys.executable, "-m", "fleetcc", "run")

# A build that says how many tokens lie in the pipe, for each line of its input.
COUNTER = """if True:
    import fcntl, os, struct, sys, termios
    word = os.environ["MAKEFLAGS"].partition("--jobserver-auth=")[2].split()[0]
    form, _, path = word.partition(":")
    descriptor = os.open(path, os.O_RDWR) if path else int(word.partition(",")[0])
    for line in sys.stdin:
        print(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0], flush=True)
"""


@dataclass
class User:
    """Somebody with a folder, who runs builds."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root / "agent"
        self.temp = self.root / "tmp"
        self.temp.mkdir()
        self.variables = {
            "FLEETCC_DIR": str(self.folder), "FLEETCC_HOSTS": "", "HOME": str(self.root),
            "TMPDIR": str(self.temp), "TERM": "xterm", "LC_ALL": "C",
        }  # fmt: skip

    def start(self, *words: Any, **options: Any) -> "subprocess.Popen[bytes]":
        """`fleetcc run WORDS`."""
        settings: dict[str, Any] = {
            "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.root,
            "process_group": 0,
        } | options  # fmt: skip
        variables = environment_with(**self.variables | settings.pop("variables", {}))
        process = subprocess.Popen([*RUN, *map(str, words)], env=variables, **settings)
        self.processes.append(process)
        return process

    def run(self, *words: Any, **options: Any) -> tuple[int, str, str]:
        """The same to its end: status and both streams."""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    made = User(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    if any(process.returncode == -signal.SIGKILL for process in made.processes):
        return
    assert os.listdir(made.temp) == []


@pytest.fixture
def agent(user: User) -> Iterator[AgentEvents]:
    with AgentEvents(user.folder) as serving:
        yield serving


def shell(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script)


# -- tokens


def counts(process: "subprocess.Popen[bytes]") -> int:
    """How many tokens a COUNTER sees now."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@pytest.mark.parametrize("form", ["fifo", "pipe"])
def test_the_tokens_follow_the_fleet(user: User, agent: AgentEvents, form: str) -> None:
    process = user.start("--jobserver", form, "--", sys.executable, "-c", COUNTER)
    agent.wait_for_viewer()
    eventually(lambda: counts(process) == 2 - 1)
    changes: list[tuple[Event, int]] = [
        (host("a", 4), 6), (host("b", 16), 22), (host("a", 4, "down"), 18), (host("b", 2), 4),
        (host("a", 4, "connecting"), 4), (host("a", 6), 10), (host("b", 2, "gone"), 8),
        (local(5), 11), (host("a", 6, "draining"), 5), (host("c", 30_000), 30_005),
    ]  # fmt: skip
    for event, capacity in changes:
        agent.tell(event)
        eventually(lambda capacity=capacity: counts(process) == capacity - 1)  # type: ignore[misc]
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


def test_without_an_agent_there_are_the_local_processors_and_the_next_agent_is_found(user: User) -> None:
    with AgentEvents(user.folder) as agent:
        agent.hosts["a"] = host("a", 40)
        process = user.start("--", sys.executable, "-c", COUNTER)
        eventually(lambda: counts(process) == 2 + 40 - 1)
    eventually(lambda: counts(process) == PROCESSORS - 1)
    with AgentEvents(user.folder) as agent:
        agent.hosts["b"] = host("b", 7)
        eventually(lambda: counts(process) == 2 + 7 - 1)
        # It has missed something: how things are is told by the Hello of a new connection.
        agent.hosts["b"] = host("b", 9)
        agent.tell(Lost(count=3))
        eventually(lambda: counts(process) == 2 + 9 - 1)
        process.communicate()
    assert process.returncode == 0


@needs_old_make
def test_make_runs_as_many_jobs_as_hosts_come(user: User, agent: AgentEvents) -> None:
    jobs = BlockingJobs(user.root / "jobs")
    process = user.start("--", OLD_MAKE, "-f", jobs.write_makefile("many", 20))
    for name, running in (("", 2), ("a", 6), ("b", 10)):
        if name:
            agent.tell(host(name))
        jobs.wait_for_running(running)
    jobs.lock.let_go(1000)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert max(jobs.counts) == 10
    jobs.close()


@needs_new_ninja
def test_ninja_runs_as_many_jobs_as_the_fleet_takes(user: User, agent: AgentEvents) -> None:
    jobs = BlockingJobs(user.root / "jobs")
    agent.hosts["a"] = host("a", 3)
    process = user.start("--", NEW_NINJA, "-C", jobs.write_ninja(200))
    jobs.wait_for_running(5)  # what the agent knows is known before ninja looks for the first time
    agent.tell(host("b", 2))

    def grown() -> bool:
        if jobs.running == 5:  # it looks again when a job has ended
            jobs.end_one()
        return jobs.running == 7

    eventually(grown)
    jobs.lock.let_go(1000)
    assert process.communicate(timeout=PATIENCE_SECONDS)[1] == b""
    assert (process.returncode, max(jobs.counts)) == (0, 7)
    jobs.close()


@pytest.mark.skipif(not version_line("/usr/bin/ninja").startswith("1.11"), reason="needs ninja 1.11")
def test_an_older_ninja_gets_a_count(user: User, agent: AgentEvents) -> None:
    jobs = BlockingJobs(user.root / "jobs")
    process = user.start("--", "/usr/bin/ninja", "-C", jobs.write_ninja(20), variables={"FLEETCC_HOSTS": ""})
    jobs.wait_for_running(min(20, PROCESSORS))
    jobs.lock.let_go(1000)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, max(jobs.counts)) == (0, PROCESSORS)
    jobs.close()


def test_a_count_of_the_users_own_is_left_alone(user: User, agent: AgentEvents) -> None:
    (user.root / "Makefile").write_text("all:\n\t@echo '$(MAKEFLAGS)'\n")
    status, out, err = user.run("--", OLD_MAKE, "-j3", variables={"MAKEFLAGS": "k"})
    assert (status, err) == (0, "")
    assert out.startswith("k -j3")


def test_a_build_below_another_jobserver_draws_from_that(user: User, agent: AgentEvents) -> None:
    reading, writing = os.pipe()
    outer = f"k -j2 --jobserver-auth={reading},{writing}"
    status, out, _ = user.run(
        *shell('echo "$MAKEFLAGS"'), variables={"MAKEFLAGS": outer}, pass_fds=(reading, writing)
    )
    assert (status, out.strip()) == (0, outer)
    os.close(reading)
    os.close(writing)
    status, out, _ = user.run(*shell('echo "$MAKEFLAGS"'), variables={"MAKEFLAGS": outer})
    assert status == 0
    assert out.startswith("k -j")
    assert jobserver_of(out) not in {"", f"{reading},{writing}"}  # that one is gone


def test_no_jobserver_on_request(user: User, agent: AgentEvents) -> None:
    assert user.run("--jobserver=none", *shell('echo "[$MAKEFLAGS]"')) == (0, "[]\n", "")


def test_a_run_that_is_killed_leaves_the_build_its_tokens_and_the_next_one_clears_up(
    user: User, agent: AgentEvents
) -> None:
    agent.hosts["a"] = host("a", 4)
    process = user.start("--jobserver=fifo", "--", sys.executable, "-c", COUNTER)
    eventually(lambda: counts(process) == 5)
    process.kill()
    process.wait()
    assert counts(process) == 5
    process.communicate()
    left = os.listdir(user.temp)
    assert len(left) == 1
    status, _, _ = user.run("--jobserver=fifo", *shell("exit 4"))
    assert (status, os.listdir(user.temp)) == (4, [])


# -- the child


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 1", 1), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143),
     ("kill -INT $$", 130), ("kill -SEGV $$", 139)],
)  # fmt: skip
def test_the_status_is_the_builds(user: User, agent: AgentEvents, script: str, status: int) -> None:
    assert user.run(*shell(script)) == (status, "", "")


def test_what_cannot_be_started_ends_as_in_a_shell(user: User, agent: AgentEvents) -> None:
    (user.root / "file").write_text("true\n")
    assert user.run("--", "no-such-program") == (127, "", "fleetcc: no-such-program: command not found\n")
    assert user.run("--", "./no-such") == (127, "", "fleetcc: ./no-such: No such file or directory\n")
    assert user.run("--", "./file") == (126, "", "fleetcc: ./file: Permission denied\n")
    assert user.run("--", "") == (127, "", "fleetcc: '': command not found\n")
    (user.root / "file").chmod(0o755)
    assert user.run("--", "./file") == (0, "", "")  # a script without #!
    (user.root / "file").write_text("#!/no/such/interpreter\n")
    status, _, err = user.run("--", "./file")
    assert status == 126
    assert err.startswith("fleetcc: ./file: the interpreter ")


def test_no_command_is_an_error_that_says_so(user: User) -> None:
    status, out, err = user.run()
    assert (status, out) == (2, "")
    assert "COMMAND" in err


def test_descriptors_and_streams_are_the_builds(user: User, agent: AgentEvents) -> None:
    reading, writing = os.pipe()
    process = user.start(
        *shell(f"cat; echo more >/proc/self/fd/{writing}; echo wrong >&2"), pass_fds=(writing,)
    )
    os.close(writing)
    out, err = process.communicate(b"typed\n", timeout=PATIENCE_SECONDS)
    assert (out, err) == (b"typed\n", b"wrong\n")
    assert os.read(reading, 100) == b"more\n"
    os.close(reading)


@pytest.mark.parametrize(("form", "more"), [("none", []), ("fifo", []), ("pipe", ["100", "101"])])
def test_the_build_inherits_nothing_of_ours_but_the_pipe(
    user: User, agent: AgentEvents, form: str, more: list[str]
) -> None:
    status, out, _ = user.run("--jobserver", form, "--", "ls", "/proc/self/fd")
    assert (status, sorted(out.split())) == (
        0,
        sorted(["0", "1", "2", "3", *more]),
    )  # 3: the folder that ls reads


def test_the_build_is_the_only_child_and_gets_the_signals_of_ours(user: User, agent: AgentEvents) -> None:
    process = user.start(*shell('trap "exit 9" TERM; echo $$; while :; do read x; done'))
    assert process.stdout is not None
    child = int(process.stdout.readline())
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children == [str(child)]
    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 9
    assert not is_alive(child)


def test_an_agent_is_started_when_none_runs_and_a_build_without_one_runs_too(user: User) -> None:
    user.folder.mkdir(mode=0o755)
    user.folder.chmod(0o755)
    status, out, err = user.run(*shell("echo built"))
    assert (status, out) == (0, "built\n")
    assert "must belong to uid" in err
    user.folder.chmod(0o700)
    try:
        assert user.run(*shell("echo built")) == (0, "built\n", "")
        assert (user.folder / "socket").exists()
    finally:
        stop = [sys.executable, "-m", "fleetcc", "agent", "stop"]
        subprocess.run(stop, env=environment_with(**user.variables), check=True, capture_output=True)


def test_no_agent_is_started_where_it_is_switched_off(user: User) -> None:
    assert user.run(*shell("exit 3"), variables={"FLEETCC_AGENT": "0"}) == (3, "", "")
    assert not (user.folder / "socket").exists()


def test_a_build_that_asks_no_agent_has_this_machine_alone(user: User, agent: AgentEvents) -> None:
    agent.hosts["a"] = host("a", 40)
    off = {"FLEETCC_AGENT": "0"}
    process = user.start("--summary", "--", sys.executable, "-c", COUNTER, variables=off)
    assert counts(process) == PROCESSORS - 1
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert err == b"fleetcc: no agent ran, so everything was compiled here\n"


# -- what the build is told


def test_compilers_are_links_first_on_path(user: User, agent: AgentEvents) -> None:
    tools = user.root / "bin"
    for name in ("gcc", "x86_64-linux-gnu-g++-12", "clang", "gcc-ar"):
        write_program(tools / name, "#!/bin/sh\n")
    path = f"{tools}:/usr/bin:/bin"
    script = 'echo "$PATH"; echo "$FLEETCC_BUILD"; echo "[$CC]"'
    status, out, _ = user.run(*shell(script), variables={"PATH": path})
    assert status == 0
    found, build, cc = out.splitlines()
    folder, _, rest = found.partition(":")
    assert rest == path
    links = {name: os.path.realpath(f"{folder}/{name}") for name in os.listdir(folder)}
    assert {"gcc", "x86_64-linux-gnu-g++-12", "clang"} <= links.keys()
    assert "gcc-ar" not in links
    assert {os.path.basename(target) for target in links.values()} == {"fleetcc"}
    assert build.startswith("sh-")
    assert cc == "[]"


def test_variables_on_request(user: User, agent: AgentEvents) -> None:
    script = 'echo "$CC|$CXX|$CMAKE_C_COMPILER_LAUNCHER"'
    path = f"{os.path.dirname(sys.executable)}:/usr/bin:/bin"
    variables = {"PATH": path, "CXX": "clang++ -m32"}
    status, out, _ = user.run("--variables", *shell(script), variables=variables)
    assert (status, out) == (0, "fleetcc cc|fleetcc clang++ -m32|fleetcc\n")


# -- the terminal


class Terminal:
    """A terminal with `fleetcc run` in its foreground."""

    def __init__(self, user: User, *words: Any, lines: int = 24) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
            os.chdir(user.root)
            os.execve(RUN[0], [*RUN, *map(str, words)], environment_with(**user.variables))
        self.seen = b""

    def wait_for(self, text: bytes) -> None:
        """Until this has been written."""
        while text not in self.seen:
            self.seen += os.read(self.master, 65536)

    def finish(self) -> int:
        """Everything until the end; the status as a shell would say it."""
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(self.master, 65536):
                self.seen += data
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize(
    ("trap", "status", "said"),
    [("", 130, b""), ("trap 'echo caught; exit 5' INT; ", 5, b"caught"), ("trap '' INT; ", 0, b"typed")],
)
def test_ctrl_c_is_the_builds_to_decide(
    user: User, agent: AgentEvents, trap: str, status: int, said: bytes
) -> None:
    terminal = Terminal(
        user, "--no-progress", "--no-summary", *shell(f"{trap}echo ready; read line; echo $line")
    )
    terminal.wait_for(b"ready")
    os.write(terminal.master, b"\x03")
    if not status:
        os.write(terminal.master, b"typed\n")
    assert terminal.finish() == status
    assert said in terminal.seen


def test_a_line_of_progress_below_the_output_and_the_terminal_as_it_was(
    user: User, agent: AgentEvents
) -> None:
    agent.hosts["beta"] = host("beta", 4)
    terminal = Terminal(user, *shell("echo one; read line; echo two"))
    terminal.wait_for(b"one")
    terminal.wait_for(b"beta ....")
    agent.tell_job(1, "another build", "remote")
    terminal.wait_for(b"1 done")
    os.write(terminal.master, b"\n")
    assert terminal.finish() == 0
    seen = terminal.seen.decode()
    assert seen.count("\0337\033[1;23r\0338") == 1
    assert seen.index("\033D\0337\033[1;23r\0338\033[1A") >= 0  # down and up again in the same column
    taken, given_back = seen.index("\033[1;23r"), seen.rindex("\0337\033[r\0338")
    painted = [match.start() for match in re.finditer(r"\0337\033\[24;1H\033\[2K", seen)]
    assert all(taken < place < given_back for place in painted)
    assert seen[painted[-1] :].startswith("\0337\033[24;1H\033[2K\0338")  # the last one leaves it empty
    assert "two" in seen
    # Saved and restored in pairs, so that the cursor stays the build's.
    assert seen.count("\0337") == seen.count("\0338")


def test_a_terminal_that_changes_its_size(user: User, agent: AgentEvents) -> None:
    terminal = Terminal(user, *shell("echo one; read line"))
    terminal.wait_for(b"\0337\033[24;1H")
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 30, 0, 0))
    terminal.wait_for(b"\033[1;9r")
    terminal.seen = b""
    terminal.wait_for(b"\033[10;1H\033[2Kfleetcc")
    os.write(terminal.master, b"\n")
    assert terminal.finish() == 0
    assert b"\033[24;1H" not in terminal.seen


def test_a_stopped_build_gives_the_terminal_back_until_it_goes_on(user: User, agent: AgentEvents) -> None:
    terminal = Terminal(user, *shell("echo one; read line; echo two"))
    terminal.wait_for(b"\0337\033[24;1H")
    os.write(terminal.master, b"\x1a")
    assert os.WIFSTOPPED(os.waitpid(terminal.pid, os.WUNTRACED)[1])
    terminal.wait_for(b"\0337\033[r\0338")
    terminal.seen = b""
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait_for(b"\033[1;23r")
    os.write(terminal.master, b"\n")
    assert terminal.finish() == 0
    assert b"two" in terminal.seen
    assert terminal.seen.rindex(b"\033[r") > terminal.seen.rindex(b"\033[1;23r")


def test_a_run_within_a_run_leaves_the_last_line_to_the_outer_one(user: User, agent: AgentEvents) -> None:
    terminal = Terminal(user, "--", *RUN, *shell("echo one; read line"))
    terminal.wait_for(b"one")
    terminal.wait_for(b"\0337\033[24;1H")
    os.write(terminal.master, b"\n")
    assert terminal.finish() == 0
    assert terminal.seen.count(b"\033[1;23r") == 1
    assert terminal.seen.count(b"fleetcc: 0 jobs") == 1


def test_a_small_or_dumb_terminal_is_left_alone(user: User, agent: AgentEvents) -> None:
    user.variables["TERM"] = "dumb"
    terminal = Terminal(user, *shell("echo one"))
    assert terminal.finish() == 0
    user.variables["TERM"] = "xterm"
    small = Terminal(user, *shell("echo one"), lines=3)
    assert small.finish() == 0
    for seen in (terminal.seen, small.seen):
        assert b"\033" not in seen
        assert seen.splitlines() == [b"one", b"fleetcc: 0 jobs: 0 on hosts, 0 here"]


def test_the_summary_tells_of_this_build_alone(user: User, agent: AgentEvents) -> None:
    process = user.start("--summary", *shell('echo "$FLEETCC_BUILD"; read line'))
    assert process.stdout is not None
    build = process.stdout.readline().decode().strip()
    agent.wait_for_viewer()
    reasons = ["remote"] * 5 + ["linking"] * 3 + ["configure-probe"] * 2 + ["no-input", "modules", "plugin"]
    for number, reason in enumerate(reasons):
        agent.tell_job(number, build, reason)
    agent.tell_job(100, "another", "linking")
    agent.tell_job(101, build, "", "cancelled")
    agent.tell_job(102, build, "linking", "failed")
    _, err = process.communicate(b"\n", timeout=PATIENCE_SECONDS)
    assert err.decode().splitlines() == [
        "fleetcc: 14 jobs: 5 on hosts, 9 here, 1 cancelled, 1 failed",
        "fleetcc: here because: linking 4, configure-probe 2, modules 1, others 2",
    ]


def test_nothing_is_said_in_a_pipe(user: User, agent: AgentEvents) -> None:
    assert user.run(*shell("echo one")) == (0, "one\n", "")
