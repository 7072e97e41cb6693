"""fleetccd as a process: how it starts, is told to stop, and serves one connection."""

import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.servers import (
    FLEETCCD,
    FakeCompilers,
    free_port,
    read_response,
    read_to_end,
    request,
    server_environment,
    start_fleetccd,
    start_inetd,
    stopping,
)

ARGV = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
GOOD = request(ARGV, b"int x;\n")


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "tmp").mkdir()
    return server_environment(tmp_path / "tmp", {"FLEETCCD_STATE_DIR": str(tmp_path / "state")})


def run(environment: Mapping[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*FLEETCCD, *options], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip


# -- the command line


def test_version_has_the_two_lines_that_scripts_look_for(environment):
    result = run(environment, "--version")
    first, second = result.stdout.splitlines()
    assert re.fullmatch(r"fleetccd [\w.-]+ [.\w-]+", first)
    assert re.fullmatch(r"[ \t]+\(protocol.*\) \(default port 3632\)", second)
    assert (result.returncode, result.stderr) == (0, "")


def test_help_shows_the_usage(environment):
    result = run(environment, "--help")
    assert result.returncode == 0
    assert "Usage:" in result.stdout
    assert "--allow" in result.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("gcc", "--bogus-option"),
        ("--port", "80000"),
        ("--port", "0"),
        ("--jobs", "0"),
        ("--allow", "10.0.0.0/99"),
        ("--allow", "999.1.1.1"),
        ("--memory-reserve", "plenty"),
        ("--inetd", "--daemon"),
        ("--user", "no-such-user-here"),
        ("--pid-file", "/nonexistent/folder/pid"),
        ("--state-dir", "/dev/null/state"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_used_end_with_101(environment, options):
    result = run(environment, "--log-stderr", "--port", str(free_port()), *options)
    assert result.returncode == 101, result.stderr
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


def test_a_port_in_use_ends_with_102_and_names_it(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(environment, "--daemon", "--listen", "127.0.0.1", "--port", str(port))
    assert result.returncode == 102
    assert str(port) in result.stderr


def test_a_log_file_that_cannot_be_opened_ends_with_107(environment):
    assert run(environment, "--log-file", "/nonexistent/log").returncode == 107


# -- as a daemon


def daemon_options(tmp_path: Path, port: int) -> list[str]:
    return [
        "--daemon", "--listen", "127.0.0.1", "--port", str(port), "--user", "root", "--lifetime", "60",
        "--pid-file", str(tmp_path / "pid"), "--log-file", str(tmp_path / "log"), "--no-fifo",
    ]  # fmt: skip


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline
        os.sched_yield()
    return True


def test_the_launching_process_ends_when_the_daemon_listens(environment, tmp_path):
    port = free_port()
    result = run(environment, *daemon_options(tmp_path, port))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    pid = int((tmp_path / "pid").read_text())
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall(GOOD)
            assert read_response(sock).status == 0
        assert os.getsid(pid) != os.getsid(0)
    finally:
        os.kill(pid, signal.SIGTERM)
    assert ends(pid)
    assert not (tmp_path / "pid").exists()
    assert os.listdir(tmp_path / "tmp") == []
    assert "result=ok compiler=gcc file=x.i exit=0" in (tmp_path / "log").read_text()


def test_a_daemon_that_cannot_start_gives_its_status_to_the_launching_process(environment, tmp_path):
    environment["TMPDIR"] = "/nonexistent/folder"
    result = run(environment, *daemon_options(tmp_path, free_port()))
    assert result.returncode == 107
    assert "/nonexistent/folder" in result.stderr
    assert not (tmp_path / "pid").exists()


def test_root_becomes_another_user(environment):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    # Not below pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as name:
        becomes_nobody(Path(name), environment)


def becomes_nobody(folder: Path, environment: dict[str, str]) -> None:
    folder.chmod(0o755)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    environment |= {"TMPDIR": str(folder / "tmp"), "FLEETCCD_STATE_DIR": str(folder / "state")}
    options = daemon_options(folder, free_port())
    options[options.index("root")] = "nobody"
    assert run(environment, *options).returncode == 0
    pid = int((folder / "pid").read_text())
    nobody = pwd.getpwnam("nobody")
    try:
        status = (folder / "state").stat()
        with open(f"/proc/{pid}/status") as file:
            facts = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert facts["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert facts["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert facts["NoNewPrivs"] == "1"
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (nobody.pw_uid, 0o700)
        with socket.create_connection(("127.0.0.1", int(options[4])), timeout=20) as sock:
            sock.sendall(GOOD)
            assert read_response(sock).status == 0
    finally:
        os.kill(pid, signal.SIGTERM)
    assert ends(pid)


def test_sigterm_lets_running_jobs_end_and_closes_waiting_ones(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server), server.connect() as first, server.connect() as second:
        first.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        fake.wait_for(1)
        second.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        server.wait_until(lambda welcome: welcome.waiting == 1)
        server.process.send_signal(signal.SIGTERM)
        assert read_to_end(second) == b""
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        lock.let_go()
        assert read_response(first).output_raw == b"object\n"
        assert server.process.wait(20) == 0
    lock.close()
    assert list(server.temp_dir.iterdir()) == []


@pytest.mark.parametrize("again", [True, False], ids=["second SIGTERM", "--drain-timeout"])
def test_patience_with_running_jobs_ends(tmp_path, again):
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(
        tmp_path / "server",
        *("--drain-timeout", "60" if again else "0.3"),
        environment={"FLEETCCD_PATH": fake.path},
    )
    with stopping(server), server.connect() as sock:
        sock.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        fake.wait_for(1)
        (compiler,) = server.running_compilers()
        server.process.send_signal(signal.SIGTERM)
        if again:
            server.wait_for_log("leaving when 1")
            server.process.send_signal(signal.SIGTERM)
        assert read_to_end(sock) == b""
        assert server.process.wait(20) == 0
        assert not os.path.exists(f"/proc/{compiler}")
    lock.close()
    assert list(server.temp_dir.iterdir()) == []
    assert "Traceback" not in server.log


def test_sighup_opens_the_log_again(environment, tmp_path):
    port = free_port()
    assert run(environment, *daemon_options(tmp_path, port)).returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        (tmp_path / "log").rename(tmp_path / "log.1")
        os.kill(pid, signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not (tmp_path / "log").exists():
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                sock.sendall(GOOD)
                assert read_response(sock).status == 0
            assert time.monotonic() < deadline
    finally:
        os.kill(pid, signal.SIGTERM)
    assert ends(pid)


def test_a_server_leaves_at_the_end_of_its_lifetime(tmp_path):
    server = start_fleetccd(tmp_path / "server", "--lifetime", "0.2")
    assert server.process.wait(20) == 0


def test_options_that_distccd_has_are_taken_and_dangerous_ones_are_named(tmp_path):
    server = start_fleetccd(tmp_path / "server", "--make-me-a-botnet", "--no-fork", "--no-fifo")
    with stopping(server):
        assert "any program" in server.log


def test_a_server_announces_itself_or_says_why_not_and_serves_all_the_same(tmp_path):
    server = start_fleetccd(tmp_path / "server", "--zeroconf")
    with stopping(server):
        with server.connect() as sock:
            sock.sendall(GOOD)
            assert read_response(sock).status == 0
        server.wait_for_log("announced")
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_the_insecure_mode_runs_any_program(tmp_path):
    server = start_fleetccd(tmp_path / "server", "--enable-tcp-insecure")
    with stopping(server):
        for name, status in ((b"true", 0), (b"false", 1 << 8), (b"/bin/false", 1 << 8)):
            with server.connect() as sock:
                sock.sendall(request((name, *ARGV[1:]), b"int x;\n"))
                assert read_response(sock).status == status


def test_systemd_hands_over_a_listening_socket(environment, tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        process = with_passed_socket(environment, sock, "--no-detach", "--log-stderr", "--user", "root")
        with socket.create_connection(sock.getsockname(), timeout=20) as client:
            client.sendall(GOOD)
            assert read_response(client).status == 0
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0


def test_systemd_hands_over_one_connection(environment):
    mine, theirs = socket.socketpair()
    with mine, theirs:
        process = with_passed_socket(environment, theirs, "--log-stderr", "--user", "root")
        theirs.close()
        mine.sendall(GOOD)
        assert read_response(mine).status == 0
        process.communicate()
        assert process.returncode == 0


def with_passed_socket(
    environment: Mapping[str, str], sock: socket.socket, *options: str
) -> "subprocess.Popen[bytes]":
    # LISTEN_PID must be the server's own number, so a shell becomes the server.
    script = f'exec 3<&{sock.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    return subprocess.Popen(
        ["/bin/bash", "-c", script, "sh", *FLEETCCD, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[sock.fileno()],
    )


# -- one connection on standard input and output


def test_inetd_serves_a_socket(tmp_path):
    client = start_inetd(tmp_path, tmp_path / "state")
    with client.socket:
        client.socket.sendall(GOOD)
        response = read_response(client.socket)
    assert response.status == 0
    assert response.output_raw[:4] == b"\x7fELF"
    assert client.process.wait(20) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert f"client=uid:{os.getuid()}" in (tmp_path / "inetd.log").read_text()


def test_inetd_is_what_a_socket_on_standard_input_means(environment):
    mine, theirs = socket.socketpair()
    with mine, theirs:
        process = subprocess.Popen(
            [*FLEETCCD, "--log-stderr", "--user", "root"],
            env=environment, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=theirs.fileno(),
        )  # fmt: skip
        theirs.close()
        mine.sendall(GOOD)
        # Standard error is the socket too: not a byte of a log may come with the answer.
        assert read_response(mine).status == 0
        assert process.wait(20) == 0


def test_inetd_serves_pipes_as_ssh_may_give_them(environment):
    process = subprocess.Popen(
        [*FLEETCCD, "--inetd", "--log-stderr", "--user", "root"],
        env={**environment, "SSH_CLIENT": "192.0.2.7 50000 22"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    big = request(ARGV, b"int x;\n" + b"/* padding */\n" * 30_000, 2)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(big)
    process.stdin.flush()
    answer = process.stdout.read()
    assert answer.startswith(b"DONE00000002STAT00000000")
    _, errors = process.communicate()
    assert process.returncode == 0
    assert b"client=192.0.2.7 result=ok" in errors


@pytest.mark.parametrize("length", [0, 30, len(GOOD)])
def test_inetd_ends_when_its_pipe_ends(environment, length):
    process = subprocess.Popen(
        [*FLEETCCD, "--inetd", "--log-stderr", "--user", "root"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    answer, errors = process.communicate(GOOD[:length], timeout=20)
    assert answer == b""
    assert b"Traceback" not in errors
    assert process.returncode == 107


def test_inetd_refuses_bad_input_with_a_status(tmp_path):
    client = start_inetd(tmp_path, tmp_path / "state")
    with client.socket:
        client.socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_end(client.socket) == b""
    assert client.process.wait(20) == 109


def test_inetd_takes_less_than_a_poll_of_a_second(tmp_path):
    """distccd's inetd mode notices the compiler's end by looking once a second."""
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", 'sleep 0.05\necho object >"$out"\n')
    client = start_inetd(tmp_path, tmp_path / "state", FLEETCCD_PATH=fake.path)
    with client.socket:
        client.socket.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        assert read_response(client.socket).status == 0
    client.process.wait(20)
    run_ms = re.search(r"run_ms=(\d+)", (tmp_path / "inetd.log").read_text())
    assert run_ms
    assert 50 <= int(run_ms[1]) < 500


def test_inetd_ends_its_compiler_when_it_is_told_to_end(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    client = start_inetd(tmp_path, tmp_path / "state", FLEETCCD_PATH=fake.path)
    with client.socket:
        client.socket.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        fake.wait_for(1)
        client.process.send_signal(signal.SIGTERM)
        assert read_to_end(client.socket) == b""
    client.process.wait(20)
    assert list((tmp_path / "tmp").iterdir()) == []
    lock.close()
