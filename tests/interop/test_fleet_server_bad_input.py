"""Fleet clients that lie, flood, stall or multiply: nothing hangs, nobody else waits, no job is lost."""

import contextlib
import os
import socket
import threading
import time

import psutil
import pytest

from fleetcc.wire.fleet import (
    HEADER,
    MAX_BODY_BYTES,
    OPENING,
    Demand,
    Drain,
    Grant,
    Hello,
    Job,
    Ping,
    Welcome,
    encode,
)
from fleetcc.wire.greeting import GREETING
from tests.support.fleet_client import NO_COMPILER, ClosedError, FleetClient, connect
from tests.support.servers import FakeCompilers, Fleetccd, read_to_end, start_fleetccd, stopping

TIMEOUT_SECONDS = 0.6
HELLO = encode(0, Hello("agent", "test 1"))


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    found = FakeCompilers(tmp_path_factory.mktemp("compilers"))
    found.add("gcc-99", 'echo object >"$out"\n')
    return found


@pytest.fixture(scope="module")
def server(fake, tmp_path_factory):
    found = start_fleetccd(
        tmp_path_factory.mktemp("server"),
        *("--jobs", "2", "--io-timeout", str(TIMEOUT_SECONDS), "--allow", "127.0.0.0/8"),
        environment={"FLEETCCD_PATH": fake.path_alone},
    )
    with stopping(found):
        yield found
        assert "Traceback" not in found.log


@pytest.fixture(autouse=True)
def others_are_served_all_the_while(server, fake):
    """A patient client connects before each case, and has jobs done during and after it."""
    with connect(server.connect("127.0.0.9"), "patient") as patient:
        done(patient, fake)
        yield patient
        done(patient, fake)
    server.wait_until_idle()
    assert server.process.poll() is None
    assert server.files() == []


def done(client: FleetClient, fake: FakeCompilers) -> None:
    client.demand(1)
    client.wait_for_grants(1)
    assert client.wait_for(client.run(fake.identity("gcc-99"))).part("object") == b"object\n"


def wait_for_answer(client: FleetClient) -> None:
    client.wait_until(lambda: client.welcomes or client.errors)


def raw(server: Fleetccd, data: bytes) -> FleetClient:
    client = FleetClient(server.connect())
    client.send(data)
    return client


BROKEN = {
    "no Hello": OPENING + encode(0, Demand(1)),
    "two Hellos": OPENING + HELLO + HELLO,
    "a Hello without end": OPENING + HEADER.pack(100_000, 1, 0) + b"x" * 50_000,
    "a body that is no message": OPENING + HELLO + HEADER.pack(3, 3, 0) + b"xyz",
    "a Hello that is no message": OPENING + HEADER.pack(3, 1, 0) + b"xyz",
    "a frame that is too long": OPENING + HELLO + HEADER.pack(MAX_BODY_BYTES + 1, 3, 0),
    "a blob that is too long": OPENING + HELLO + HEADER.pack((128 << 10) + 1, 8, 1),
    "a huge frame": OPENING + HELLO + HEADER.pack(0xFFFFFFFF, 99, 0),
    "random bytes": OPENING + HELLO + os.urandom(100_000),
    "random bytes at once": OPENING + b"\xff" + os.urandom(100_000),
    "a negative demand": OPENING + HELLO + HEADER.pack(7, 3, 0) + b"\x81\xa4most\xff",
    "a server's message": OPENING + HELLO + encode(0, Grant(1)),
    "another server's message": OPENING + HELLO + encode(0, Welcome("x", "y", 1)),
    "a drain": OPENING + HELLO + encode(0, Drain()),
    "a blob of no job": OPENING + HELLO + HEADER.pack(1, 8, 5) + b"x",
    "a cancel of no job": OPENING + HELLO + HEADER.pack(1, 12, 5) + b"\x80",
    "declined without a grant": OPENING + HELLO + HEADER.pack(8, 5, 0) + b"\x81\xa5count\x01",
    "a job 0": OPENING + HELLO + encode(0, Job("preprocessed", NO_COMPILER, (), "expanded", 0, 0)),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_protocol_is_told_and_ends_the_connection(server, data):
    with raw(server, data) as client:
        client.wait_closed()
        assert client.fatal.code == "bad-frame"
        assert client.fatal.text
        assert client.fatal.remedy


def test_an_id_is_used_once(server, fake):
    with connect(server.connect()) as client:
        client.demand(2)
        client.wait_for_grants(2)
        client.wait_for(client.run(fake.identity("gcc-99")))
        client.last_id -= 1
        client.run(fake.identity("gcc-99"))
        client.wait_closed()
        assert "ids must grow" in client.fatal.text


def test_a_source_longer_than_announced_ends_the_connection(server, fake):
    with connect(server.connect()) as client:
        client.demand(1)
        client.wait_for_grants(1)
        job = client.offer(fake.identity("gcc-99"), source=b"int x;\n" * 50)
        client.blobs(job, b"x" * 10_000)
        client.wait_closed()
        assert "more bytes of Blob" in client.fatal.text


@pytest.mark.parametrize("data", [b"", OPENING[:5], OPENING, OPENING + HELLO[:7]], ids=repr)
def test_who_does_not_say_hello_is_closed_in_time(server, data):
    with raw(server, data) as client:
        client.wait_closed(10 * TIMEOUT_SECONDS)


def test_a_client_that_demands_and_never_sends_is_closed(server):
    with connect(server.connect(), "idle") as idle:
        idle.demand(100)
        idle.wait_for_grants(3)
        idle.wait_closed()
        assert idle.fatal.code == "timed-out"
        assert "grant" in idle.fatal.text


@pytest.mark.parametrize("count", [1, 30])
def test_clients_that_demand_and_never_send_keep_nobody_waiting(fake, tmp_path, count):
    """They are closed after half a minute only; until then their grants must not be what others lack."""
    server = start_fleetccd(
        tmp_path / "server", "--jobs", "2", "--allow", "127.0.0.0/8",
        environment={"FLEETCCD_PATH": fake.path_alone},
    )  # fmt: skip
    with stopping(server), contextlib.ExitStack() as stack:
        for number in range(count):
            idle = stack.enter_context(connect(server.connect(), f"idle{number}"))
            idle.demand(100)
        with connect(server.connect("127.0.0.3"), "busy") as busy:
            began = time.monotonic()
            for _ in range(10):
                done(busy, fake)
            seconds = time.monotonic() - began
            print(f"ten jobs beside {count} clients that use no grant: {seconds:.2f} s")
            assert seconds < 10


def test_an_upload_that_stops_is_ended(server, fake):
    with connect(server.connect()) as client:
        client.demand(1)
        client.wait_for_grants(1)
        job = client.offer(fake.identity("gcc-99"), source=b"", blob_bytes=1000, plain_bytes=1000)
        client.blobs(job, b"x" * 500)
        client.wait_closed()
        assert client.fatal.code == "timed-out"
        assert "no byte of 1 unfinished jobs" in client.fatal.text


def test_a_flood_of_frames_ends_the_connection_with_its_name(server):
    with connect(server.connect()) as client:
        frames = encode(0, Ping(1, answer=True)) * 1000
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                client.send(frames)
        client.wait_closed()
        assert "flood" in client.fatal.text


@pytest.mark.parametrize("kind", ["pings", "scraps of blobs", "jobs", "unknown messages", "demands"])
def test_every_kind_of_flood_is_one(server, fake, kind):
    with connect(server.connect()) as client:
        if kind == "scraps of blobs":
            client.demand(1)
            client.wait_for_grants(1)
            job = client.offer(fake.identity("gcc-99"), source=b"", blob_bytes=1 << 29, plain_bytes=1 << 29)
            frame = HEADER.pack(1, 8, job) + b"x"
        empty = Job("preprocessed", NO_COMPILER, (), "expanded", 0, 0)
        frames = {
            "pings": lambda _: encode(0, Ping(1)),
            "scraps of blobs": lambda _: frame,
            "jobs": lambda number: encode(number + 1, empty),
            "unknown messages": lambda _: HEADER.pack(0, 77, 0),
            "demands": lambda number: encode(0, Demand(number % 2)),
        }[kind]
        reader = threading.Thread(target=read_all, args=(client,))
        reader.start()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, 200_000, 1000):
                client.send(b"".join(frames(number) for number in range(start, start + 1000)))
        reader.join(30)
        assert "flood" in client.fatal.text


def read_all(client: FleetClient) -> None:
    with contextlib.suppress(ClosedError, TimeoutError):
        while True:
            client.receive()


def test_an_unknown_message_is_answered_and_passed_over(server, fake):
    with connect(server.connect()) as client:
        client.send(HEADER.pack(5, 77, 3) + b"hello")
        client.wait_until(lambda: client.errors)
        assert client.errors[0][1].code == "unknown-message"
        assert "77" in client.errors[0][1].text
        done(client, fake)


@pytest.mark.parametrize(
    "opening",
    [
        b"FLEETCC/2 FRAMES\r\n" + HELLO,
        b"FLEETCC/1 PANCAKES\r\n",
        b"FLEETCC/2\r\n\r\n",
        b"FLEETCC/" + b"9" * 100,
    ],
)
def test_another_version_is_told_what_is_served_here(server, opening):
    with server.connect() as sock:
        sock.sendall(opening)
        answer = read_to_end(sock)
    assert answer.startswith(b"FLEETCC/1\r\nerror: ")
    assert answer.endswith(b"\r\n\r\n")
    assert b"\r\nframes: 1\r\n" in answer


def test_an_opening_may_come_in_single_bytes(server, fake):
    sock = server.connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(OPENING) - 1):
        sock.send(OPENING[at : at + 1])
    with FleetClient(sock) as client:
        for byte in OPENING[-1:] + HELLO:
            client.send(bytes([byte]))
        client.wait_until(lambda: client.welcomes and not client.welcome.looking)
        done(client, fake)
    with server.connect() as sock:
        sock.sendall(GREETING)
        assert b"\r\nframes: 1\r\n" in read_to_end(sock)


def test_a_thousand_connections_leave_room_for_others(server, fake):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(contextlib.closing(server.connect("127.0.0.5"))) for _ in range(1000)]
        for sock in socks:
            sock.sendall(OPENING + HELLO)
        clients = [FleetClient(sock) for sock in socks]
        for client in clients:
            wait_for_answer(client)
        served = [client for client in clients if client.welcomes]
        assert len(served) == 32
        for client in clients:
            if not client.welcomes:
                assert client.fatal.code == "too-many"
                client.wait_closed()
        memory = psutil.Process(server.process.pid).memory_info().rss
        assert memory < 200 << 20
        with connect(server.connect("127.0.0.6"), "other") as other:
            began = time.monotonic()
            done(other, fake)
            assert time.monotonic() - began < 5
        served[0].close()
        server.wait_for_log("fleet connection closed")
        with connect(server.connect("127.0.0.5"), "late") as late:
            done(late, fake)


def test_a_client_that_takes_none_of_its_results_is_closed(fake, tmp_path):
    fake.add("gcc-98", 'dd if=/dev/urandom of="$out" bs=1M count=40 2>/dev/null\n')
    server = start_fleetccd(
        tmp_path / "server", "--io-timeout", "0.5", environment={"FLEETCCD_PATH": fake.path_alone}
    )
    with stopping(server), connect(server.connect()) as client:
        client.demand(1)
        client.wait_for_grants(1)
        client.run(fake.identity("gcc-98"))
        server.wait_for_log("given up: took none of what it was sent for")
        server.wait_until_idle()


def test_words_of_a_client_do_not_become_lines_of_the_log(server):
    with raw(server, OPENING + encode(0, Hello("a\nb /c", "p\nresult=ok client=x", "ann\x1b[2J"))) as client:
        client.wait_until(lambda: client.welcomes)
        server.wait_for_log("client=127.0.0.1/a_b__c fleet connection opened program='p\\nresult=ok")
        assert "\x1b" not in server.log
