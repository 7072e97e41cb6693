"""Slots of one machine: never more than agreed, whoever asks; fair between clients; freed whatever dies."""

import contextlib
import json
import os
import signal
import socket
import time

import pytest

from tests.support.servers import (
    FakeCompilers,
    is_closed_without_answer,
    read_response,
    request,
    start_fleetccd,
    start_inetd,
    stopping,
)

SLOTS = 4


@pytest.fixture
def fake(tmp_path):
    return FakeCompilers(tmp_path / "compilers")


def job(name: str, compiler: bytes = b"gcc-99", size: int = 8) -> bytes:
    return request((compiler, b"-c", name.encode() + b".i", b"-o", b"x.o"), b"int x;\n".ljust(size))


def test_two_daemons_and_many_inetd_processes_share_four_slots(fake, tmp_path):
    fake.add("gcc-99", 'note start\nsleep 0.05\necho object >"$out"\nnote end\n')
    environment = {"FLEETCCD_PATH": fake.path}
    states = tmp_path / "state"
    options = ("--jobs", str(SLOTS))
    one = start_fleetccd(tmp_path / "one", *options, environment=environment, state_dir=states)
    two = start_fleetccd(tmp_path / "two", *options, environment=environment, state_dir=states)
    with stopping(one, two):
        inetd = [start_inetd(tmp_path / "inetd", states, *options, **environment) for _ in range(12)]
        sockets = [client.socket for client in inetd]
        sockets += [server.connect() for _ in range(25) for server in (one, two)]
        for sock in sockets:
            sock.sendall(job("x"))
        outputs = [read_response(sock).output_raw for sock in sockets]
        assert outputs == [b"object\n"] * len(sockets)
        assert [client.process.wait(20) for client in inetd] == [0] * len(inetd)
        for sock in sockets:
            sock.close()
        assert len(os.listdir(states / "waiting")) <= 2
    assert fake.journal.count("end") == len(sockets)
    assert 2 <= fake.most_at_once <= SLOTS


def test_all_slots_are_used_when_enough_waits(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(
        tmp_path / "server", "--jobs", str(SLOTS), environment={"FLEETCCD_PATH": fake.path}
    )
    with stopping(server):
        sockets = [server.connect() for _ in range(10)]
        for sock in sockets:
            sock.sendall(job("x"))
        fake.wait_for(SLOTS)
        welcome = server.wait_until(lambda welcome: welcome.waiting == 10 - SLOTS)
        assert (welcome.slots, welcome.capacity, welcome.running) == (SLOTS, SLOTS, SLOTS)
        lock.let_go(10)
        for sock in sockets:
            assert read_response(sock).status == 0
            sock.close()
    lock.close()
    assert fake.most_at_once == SLOTS


@pytest.mark.parametrize("through_other_daemon", [False, True], ids=["same daemon", "second daemon"])
def test_a_client_with_two_jobs_does_not_wait_behind_forty(fake, tmp_path, through_other_daemon):
    lock = fake.add_blocking("gcc-99")
    environment = {"FLEETCCD_PATH": fake.path}
    states = tmp_path / "state"
    one = start_fleetccd(
        tmp_path / "one", "--jobs", "2", "--allow", "127.0.0.0/8", environment=environment, state_dir=states
    )
    two = one
    if through_other_daemon:
        two = start_fleetccd(
            tmp_path / "two",
            "--jobs",
            "2",
            "--allow",
            "127.0.0.0/8",
            environment=environment,
            state_dir=states,
        )
    with stopping(one, two):
        many = [one.connect("127.0.0.2") for _ in range(40)]
        for sock in many:
            sock.sendall(job("many"))
        fake.wait_for(2)
        one.wait_until(lambda welcome: welcome.waiting == 38)
        few = [two.connect("127.0.0.3") for _ in range(2)]
        for sock in few:
            sock.sendall(job("few"))
        two.wait_for_log_count("client=127.0.0.3 upload", 1)
        for count in range(3, 9):
            lock.let_go()
            fake.wait_for(count)
        starts = [line.split()[1] for line in fake.journal if line.startswith("start")]
        assert starts[:2] == ["many.i", "many.i"]
        # Two of the next: each time a slot came free, the one with fewer compilers running was next.
        assert starts[2:6].count("few.i") == 2
        lock.let_go(50)
        for sock in (*many, *few):
            assert read_response(sock).status == 0
            sock.close()
    lock.close()


def test_the_slot_of_a_killed_server_comes_back_when_its_compiler_has_ended(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    environment = {"FLEETCCD_PATH": fake.path}
    states = tmp_path / "state"
    one = start_fleetccd(tmp_path / "one", "--jobs", "1", environment=environment, state_dir=states)
    two = start_fleetccd(tmp_path / "two", "--jobs", "1", environment=environment, state_dir=states)
    with stopping(one, two), one.connect() as first, two.connect() as second:
        first.sendall(job("first"))
        fake.wait_for(1)
        (orphan,) = one.running_compilers()
        second.sendall(job("second"))
        two.wait_until(lambda welcome: welcome.waiting == 1)
        one.stop(signal.SIGKILL)
        os.kill(orphan, 0)  # it lives, and so holds the slot
        welcome = two.welcome()
        assert (welcome.running, welcome.waiting) == (0, 1)
        lock.let_go()
        fake.wait_for(2)
        lock.let_go()
        assert read_response(second).status == 0
        # What the killed one left behind is removed by the next server of this user.
        (one.temp_dir / "fleetccd-1-stale").mkdir()
        left_over = [
            name for name in os.listdir(one.temp_dir) if name.startswith(f"fleetccd-{one.process.pid}")
        ]
        assert left_over
        three = start_fleetccd(tmp_path / "one", environment=environment, state_dir=states)
        with stopping(three):
            assert not (one.temp_dir / left_over[0]).exists()
    lock.close()
    assert fake.most_at_once == 1


def test_a_stopped_process_that_waits_blocks_nobody_for_long(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    environment = {"FLEETCCD_PATH": fake.path}
    states = tmp_path / "state"
    one = start_fleetccd(tmp_path / "one", "--jobs", "1", environment=environment, state_dir=states)
    two = start_fleetccd(tmp_path / "two", "--jobs", "1", environment=environment, state_dir=states)
    with stopping(one, two), one.connect() as first, two.connect() as second, one.connect() as third:
        first.sendall(job("first"))
        fake.wait_for(1)
        second.sendall(job("second"))
        two.wait_for_log("upload")
        two.process.send_signal(signal.SIGSTOP)
        third.sendall(job("third"))
        one.wait_until(lambda welcome: welcome.waiting == 1)
        lock.let_go()
        began = time.monotonic()
        fake.wait_for(2)
        assert time.monotonic() - began < 5
        two.process.send_signal(signal.SIGCONT)
        lock.let_go(2)
        for sock in (first, second, third):
            assert read_response(sock).status == 0
    lock.close()
    starts = [line for line in fake.journal if line.startswith("start")]
    assert starts == ["start first.i", "start third.i", "start second.i"]


def test_a_held_slot_names_its_client_and_command(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server), server.connect() as sock:
        sock.sendall(job("hello"))
        fake.wait_for(1)
        facts = json.loads((server.state_dir / "slots" / "0").read_text())
        assert facts["client"] == "127.0.0.1"
        assert facts["command"] == "gcc-99 hello.i"
        assert facts["pid"] == server.process.pid
        lock.let_go()
        read_response(sock)
    lock.close()


def test_who_waits_too_long_is_told_in_time_to_try_elsewhere(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(
        tmp_path / "server", "--jobs", "1", "--queue-timeout", "1", environment={"FLEETCCD_PATH": fake.path}
    )
    with stopping(server), server.connect() as first, server.connect() as second:
        first.sendall(job("first"))
        fake.wait_for(1)
        second.sendall(job("second", size=100_000))
        assert is_closed_without_answer(second)
        assert "waited too long" in server.log
        lock.let_go()
        assert read_response(first).status == 0
    lock.close()


def test_a_full_waiting_room_closes_the_door_and_keeps_a_place_for_others(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(
        tmp_path / "server",
        *("--jobs", "1", "--max-waiting", "8", "--allow", "127.0.0.0/8"),
        environment={"FLEETCCD_PATH": fake.path},
    )
    with stopping(server):
        greedy = [server.connect("127.0.0.2") for _ in range(12)]
        for sock in greedy:
            send_or_be_closed(sock)
        server.wait_for_log_count("result=overloaded", 1)
        with server.connect("127.0.0.3") as modest:
            modest.sendall(job("modest"))
            lock.let_go(20)
            assert read_response(modest).status == 0
        refused = [is_closed_without_answer(sock) for sock in greedy]
        assert refused.count(True) >= 3
        assert refused.count(False) >= 6
        for sock in greedy:
            sock.close()
    lock.close()


def send_or_be_closed(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(job("greedy"))


def test_a_client_that_leaves_while_it_waits_is_taken_out_of_the_line(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server), server.connect() as first:
        first.sendall(job("first"))
        fake.wait_for(1)
        waiting = [server.connect() for _ in range(20)]
        for sock in waiting:
            sock.sendall(job("big", size=50_000))
        server.wait_until(lambda welcome: welcome.waiting == 20)
        for sock in waiting:
            sock.close()
        server.wait_until(lambda welcome: welcome.waiting == 0)
        lock.let_go()
        assert read_response(first).status == 0
    lock.close()
    assert [line for line in fake.journal if line.startswith("start")] == ["start first.i"]


def test_a_job_that_outlives_its_lifetime_is_stopped_with_status_118(fake, tmp_path):
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(
        tmp_path / "server", "--jobs", "1", "--job-lifetime", "0.3", environment={"FLEETCCD_PATH": fake.path}
    )
    with stopping(server), server.connect() as sock:
        sock.sendall(job("long"))
        response = read_response(sock)
        assert response.status == 118 << 8
        assert b"stopped after 0.3 s" in response.stderr_raw
        assert server.running_compilers() == []
    lock.close()


def test_a_compiler_that_ignores_being_asked_is_killed(fake, tmp_path):
    fake.add("gcc-99", 'trap "" TERM\nnote start\nsleep 60 & wait\nwait\n')
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server):
        with server.connect() as sock:
            sock.sendall(job("stubborn"))
            fake.wait_for(1)
        server.wait_until_idle()
        assert server.running_compilers() == []
        assert server.files() == []


def test_a_child_that_a_compiler_left_behind_does_not_outlive_its_job(fake, tmp_path):
    fake.add("gcc-99", 'sleep 60 >/dev/null 2>&1 &\nnote child $!\necho object >"$out"\n')
    server = start_fleetccd(tmp_path / "server", "--jobs", "1", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server), server.connect() as sock:
        sock.sendall(job("x"))
        assert read_response(sock).output_raw == b"object\n"
        child = fake.journal[0].split()[1]
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{child}") and "Z" not in state_of(child):
            assert time.monotonic() < deadline


def state_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
