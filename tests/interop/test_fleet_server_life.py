"""How jobs and connections of fleet clients end: cancelled, vanished, silent, drained; nothing is left."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.support.fleet_client import SOURCE, ClosedError, FleetClient, connect
from tests.support.servers import (
    FLEETCCD,
    START_SECONDS,
    FakeCompilers,
    Fleetccd,
    base_options,
    request,
    server_environment,
    start_fleetccd,
    start_inetd,
    stopping,
)

# The promise is 100 ms; a machine that runs other tests beside this one gets more.
FREE_SECONDS = 1.0


@pytest.fixture
def fake(tmp_path):
    return FakeCompilers(tmp_path / "compilers")


@pytest.fixture
def lock(fake):
    found = fake.add_blocking("gcc-99")
    yield found
    found.close()


def start(fake: FakeCompilers, directory, *options: str) -> Fleetccd:
    return start_fleetccd(directory, "--jobs", "1", *options, environment={"FLEETCCD_PATH": fake.path_alone})


def granted(client: FleetClient, count: int = 1) -> None:
    client.demand(count)
    client.wait_for_grants(count)


def running(client: FleetClient, fake: FakeCompilers) -> int:
    """A job whose compiler runs."""
    granted(client)
    job = client.run(fake.identity("gcc-99"))
    client.wait_until(lambda: job in client.started)
    fake.wait_for(1)
    return job


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(condition: Callable[[], bool]) -> float:
    """Seconds until it was so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < START_SECONDS
        os.sched_yield()
    return time.monotonic() - began


def test_a_cancelled_job_is_killed_with_its_children_and_frees_its_slot_at_once(fake, tmp_path):
    fake.add("gcc-99", 'trap "" TERM\nsleep 60 & note start $! $$\nwait\nwait\n')
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client, connect(server.connect(), "other") as other:
        job = running(client, fake)
        granted(other)
        next_job = other.run(fake.identity("gcc-99"))
        other.barrier()
        children = [int(word) for word in fake.journal[0].split()[1:]]
        began = time.monotonic()
        client.cancel(job)
        other.wait_until(lambda: next_job in other.started)
        seconds = time.monotonic() - began
        print(f"the slot had its next job after {seconds * 1000:.1f} ms")
        assert seconds < FREE_SECONDS
        assert client.wait_for(job).code == "cancelled"
        wait_until(lambda: all(map(is_gone, children)))
        other.cancel(next_job)
        assert other.wait_for(next_job).code == "cancelled"
        server.wait_until_idle()
        assert server.files() == []
        assert "result=cancelled" in server.log


def test_jobs_are_cancelled_in_every_stage_and_ids_stay_known(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client:
        job = running(client, fake)
        granted(client)
        waiting = client.run(fake.identity("gcc-99"))
        client.barrier()
        client.cancel(waiting)
        assert client.wait_for(waiting).code == "cancelled"
        granted(client)
        uploading = client.offer(fake.identity("gcc-99"), source=b"int x;\n" * 100, blob_bytes=700)
        client.cancel(uploading)
        client.blobs(uploading, b"y" * 10_000)  # what was on its way
        assert client.wait_for(uploading).code == "cancelled"
        client.cancel(uploading)  # it crossed the answer
        lock.let_go()
        assert client.wait_for(job).part("object") == b"object\n"
        client.cancel(job)
        client.barrier()
        server.wait_until_idle()
    assert [line.split()[0] for line in fake.journal] == ["start", "end"]


def test_a_cancelled_big_result_is_not_sent_to_its_end(fake, tmp_path):
    fake.add("gcc-99", 'dd if=/dev/urandom of="$out" bs=1M count=40 2>/dev/null\n')
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client:
        granted(client)
        job = client.run(fake.identity("gcc-99"))
        server.wait_for_log("result=ok")
        client.cancel(job)
        assert client.wait_for(job).code == "cancelled"
        assert len(client.outputs[job]) < 40 << 20


def test_jobs_that_wait_when_their_client_leaves_never_run(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect(), "stays") as stays:
        job = running(stays, fake)
        leaves = connect(server.connect(), "leaves")
        granted(leaves)
        leaves.run(fake.identity("gcc-99"))
        leaves.barrier()
        assert server.welcome().waiting >= 1
        leaves.close()
        server.wait_until(lambda welcome: welcome.waiting == 0)
        lock.let_go()
        assert stays.wait_for(job).status == 0
        server.wait_until_idle()
    assert [line.split()[0] for line in fake.journal] == ["start", "end"]


@pytest.mark.parametrize("how", ["closes", "resets", "says eof", "breaks the protocol"])
def test_when_a_client_goes_its_compilers_die_and_the_slot_is_free(fake, lock, tmp_path, how):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect(), "other") as other:
        client = connect(server.connect())
        running(client, fake)
        (compiler,) = server.running_compilers()
        granted(other)
        next_job = other.run(fake.identity("gcc-99"))
        other.barrier()
        began = time.monotonic()
        if how == "says eof":
            client.sock.shutdown(socket.SHUT_WR)
        elif how == "breaks the protocol":
            client.blobs(77, b"x")
        else:
            if how == "resets":
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        other.wait_until(lambda: next_job in other.started)
        seconds = time.monotonic() - began
        print(f"{how}: the slot had its next job after {seconds * 1000:.1f} ms")
        assert seconds < FREE_SECONDS
        assert is_gone(compiler)
        client.close()
        lock.let_go(2)
        assert other.wait_for(next_job).status == 0
        server.wait_until_idle()
        assert "result=disconnected" in server.log


def test_a_client_that_answers_no_ping_is_taken_for_gone(fake, lock, tmp_path):
    """As if the network had been cut: no FIN ever comes."""
    server = start(fake, tmp_path / "server", "--ping-interval", "0.4")
    with stopping(server), connect(server.connect(), answers_pings=False) as client:
        assert client.welcome.ping_seconds == 0.4
        running(client, fake)
        (compiler,) = server.running_compilers()
        server.wait_for_log("fleet connection given up: nothing came for")
        wait_until(lambda: is_gone(compiler))
        server.wait_until_idle()
        client.wait_closed()
        assert any(not ping.answer and ping.jobs == (1,) for ping in client.pings)


def test_a_client_that_answers_pings_is_kept_for_as_long_as_it_likes(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--ping-interval", "0.2")
    with stopping(server), connect(server.connect()) as client:
        job = running(client, fake)
        client.wait_until(lambda: len(client.pings) >= 10)
        lock.let_go()
        assert client.wait_for(job).status == 0


def test_a_ping_is_answered_with_its_token_and_the_jobs_that_are_here(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client:
        job = running(client, fake)
        granted(client)
        uploading = client.offer(fake.identity("gcc-99"), source=b"int x;\n" * 100)
        client.barrier()
        assert list(client.pings[-1].jobs) == [job, uploading]
        lock.let_go()
        client.wait_for(job)
        client.barrier()
        assert list(client.pings[-1].jobs) == [uploading]


def test_a_server_that_was_stopped_does_not_take_its_clients_for_gone(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--ping-interval", "0.4")
    with stopping(server), connect(server.connect()) as client:
        job = running(client, fake)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # what is tested is the passing of time itself
        server.process.send_signal(signal.SIGCONT)
        client.wait_until(lambda: len(client.pings) >= 3)
        lock.let_go()
        assert client.wait_for(job).status == 0


def test_a_compiler_that_outlives_the_lifetime_of_jobs_is_said_to(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--job-lifetime", "0.3")
    with stopping(server), connect(server.connect()) as client:
        done = client.wait_for(running(client, fake))
        assert done.code == "lifetime"
        assert "0.3 s" in done.refusal.text
        assert server.running_compilers() == []


def test_a_job_that_waits_too_long_comes_back(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--queue-timeout", "1")
    with stopping(server), connect(server.connect()) as client:
        running(client, fake)
        granted(client)
        done = client.wait_for(client.run(fake.identity("gcc-99")))
        assert done.code == "timed-out"
        client.barrier()  # the connection goes on


# -- draining


def test_a_server_that_leaves_answers_what_it_has_and_says_so(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client, connect(server.connect(), "idle") as idle:
        job = running(client, fake)
        granted(client)
        beyond = client.run(fake.identity("gcc-99"))
        client.demand(10)
        idle.demand(10)
        client.barrier()
        idle.barrier()
        server.process.send_signal(signal.SIGTERM)
        client.wait_until(lambda: client.drained)
        idle.wait_closed()
        assert idle.drained
        assert not idle.errors
        lock.let_go(2)
        assert client.wait_for(job).status == 0
        assert client.wait_for(beyond).status == 0
        client.wait_closed()
        assert client.grants == 0
        assert server.process.wait(20) == 0
        assert "fleet connection drains" in server.log


def test_a_job_that_waits_too_long_for_its_upload_does_not_keep_a_server_that_leaves(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--queue-timeout", "2")
    with stopping(server), connect(server.connect()) as busy, connect(server.connect(), "late") as late:
        running(busy, fake)
        granted(late)
        job = late.offer(fake.identity("gcc-99"))
        late.barrier()
        server.process.send_signal(signal.SIGTERM)
        assert late.wait_for(job).code == "timed-out"
        late.wait_closed()
        assert late.drained
        assert not busy.closed


def test_grants_are_good_when_the_server_leaves_if_they_are_used_at_once(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client:
        granted(client, 2)
        server.process.send_signal(signal.SIGTERM)
        client.wait_until(lambda: client.drained)
        job = client.run(fake.identity("gcc-99"))
        lock.let_go()
        assert client.wait_for(job).status == 0
        client.wait_closed()
        assert server.process.wait(20) == 0


def test_a_client_that_ignores_the_drain_keeps_no_server(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server")
    with stopping(server), connect(server.connect()) as client:
        job = running(client, fake)
        server.process.send_signal(signal.SIGTERM)
        client.wait_until(lambda: client.drained)
        client.demand(10)
        refused = client.run(fake.identity("gcc-99"))
        assert client.wait_for(refused).code == "draining"
        client.demand(10)
        client.barrier()
        lock.let_go()
        assert client.wait_for(job).status == 0
        assert server.process.wait(20) == 0


@pytest.mark.parametrize("again", [True, False], ids=["second SIGTERM", "--drain-timeout"])
def test_patience_with_running_jobs_ends(fake, lock, tmp_path, again):
    server = start(fake, tmp_path / "server", "--drain-timeout", "60" if again else "0.3")
    with stopping(server), connect(server.connect()) as client:
        running(client, fake)
        (compiler,) = server.running_compilers()
        server.process.send_signal(signal.SIGTERM)
        client.wait_until(lambda: client.drained)
        if again:
            server.process.send_signal(signal.SIGTERM)
        client.wait_closed()
        assert server.process.wait(20) == 0
        assert is_gone(compiler)
    assert list(server.temp_dir.iterdir()) == []
    assert "Traceback" not in server.log


# -- one connection on standard input and output


def test_a_session_over_pipes_as_ssh_may_give_them(fake, tmp_path):
    fake.add("gcc-99", 'cat "$input" "$input" >"$out"\n')
    (tmp_path / "tmp").mkdir()
    ours, theirs = socket.socketpair()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [*FLEETCCD, "--inetd", *base_options(tmp_path / "state")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=server_environment(tmp_path / "tmp", {"FLEETCCD_PATH": fake.path_alone}),
        )  # fmt: skip
    relay = [
        subprocess.Popen(["cat"], stdin=theirs.fileno(), stdout=process.stdin),
        subprocess.Popen(["cat"], stdin=process.stdout, stdout=theirs.fileno()),
    ]
    theirs.close()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    source = os.urandom(3_000_000)
    with connect(ours) as client:
        for _ in range(3):
            granted(client)
            done = client.wait_for(client.run(fake.identity("gcc-99"), source=source))
            assert done.part("object") == 2 * source
        client.sock.shutdown(socket.SHUT_WR)
        client.wait_closed()
    assert process.wait(20) == 0, (tmp_path / "log").read_text()
    for each in relay:
        each.wait(20)
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_inetd_process_ends_with_its_session_and_its_compilers(fake, lock, tmp_path):
    server = start_inetd(
        tmp_path, tmp_path / "state", "--jobs", "1", "--ping-interval", "0.4", FLEETCCD_PATH=fake.path_alone
    )
    with connect(server.socket, answers_pings=False) as client:
        running(client, fake)
        with contextlib.suppress(ClosedError):
            client.wait_until(lambda: False)
    server.process.wait(20)
    assert [line.split()[0] for line in fake.journal] == ["start"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_stock_request_that_ends_at_once_leaves_no_trace(fake, lock, tmp_path):
    """The job is cancelled before its task has taken a step."""
    server = start(fake, tmp_path / "server")
    with stopping(server):
        for _ in range(50):
            with server.connect() as sock:
                sock.sendall(request((b"gcc-99", b"-c", b"x.i", b"-o", b"x.o"), SOURCE))
                sock.shutdown(socket.SHUT_WR)
        server.wait_until_idle()
