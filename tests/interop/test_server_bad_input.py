"""Malformed, truncated, oversized and slow requests: each ends alone, none disturbs another."""

import contextlib
import resource
import socket
import struct

import pytest

from fleetcc.wire.distcc import pack_body, unpack_body
from fleetcc.wire.greeting import GREETING
from tests.support.servers import (
    FakeCompilers,
    Fleetccd,
    is_closed_without_answer,
    read_response,
    read_to_end,
    request,
    start_fleetccd,
    stopping,
)

ARGV = (b"gcc", b"-c", b"x.i", b"-o", b"x.o")
GOOD = request(ARGV, b"int x;\n")
TIMEOUT_SECONDS = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start_fleetccd(
        tmp_path_factory.mktemp("server"), "--jobs", "2", "--io-timeout", str(TIMEOUT_SECONDS)
    )
    with stopping(found):
        yield found
        assert "Traceback" not in found.log


@pytest.fixture(autouse=True)
def others_are_served_all_the_while(server):
    """A patient client connects before each case, and gets its object after it."""
    process = server.process.pid
    yield
    with server.connect() as sock:
        sock.sendall(GOOD)
        response = read_response(sock)
    assert response.status == 0
    assert response.output_raw[:4] == b"\x7fELF"
    assert server.process.poll() is None
    assert server.process.pid == process
    server.wait_until_idle()
    assert server.files() == []


def packet(token: bytes, number: int) -> bytes:
    return b"%b%08x" % (token, number)


def answer_to(server: Fleetccd, data: bytes) -> bytes:
    with server.connect() as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)
        return read_to_end(sock)
    return b""


HEAD = packet(b"DIST", 1) + packet(b"ARGC", 5)
WORDS = b"".join(packet(b"ARGV", len(word)) + word for word in ARGV)

CLOSED_WITHOUT_A_BYTE = {
    "twelve bytes of garbage": b"x" * 12,
    "one byte of garbage": b"\0",
    "a web browser": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS client": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an authenticating client": b"*",
    "nearly a greeting": b"FLEETCD/1\r\n\r\n",
    "version 3": packet(b"DIST", 3) + packet(b"CDIR", 1) + b"/",
    "version 4": packet(b"DIST", 4),
    "version ffffffff": packet(b"DIST", 0xFFFFFFFF),
    "bad hex": b"DIST0000000g",
    "blanks after the number": b"DIST1       ",
    "a wrong token": packet(b"DIST", 1) + packet(b"ARGX", 1),
    "no arguments": packet(b"DIST", 1) + packet(b"ARGC", 0),
    "too many arguments": packet(b"DIST", 1) + packet(b"ARGC", 0xFFFFFFFF),
    "a huge argument": HEAD + packet(b"ARGV", 0xFFFFFFFF),
    "a huge source": HEAD + WORDS + packet(b"DOTI", 0xFFFFFFFF),
    "a huge compressed source": packet(b"DIST", 2) + HEAD[12:] + WORDS + packet(b"DOTI", 0xFFFFFFF0),
    "an argument with a NUL": HEAD + packet(b"ARGV", 3) + b"g\0c",
    "an option for a compiler": request((b"-c", b"x.i", b"-o", b"x.o"), b""),
    "an empty compiler": request((b"", b"-c", b"x.i"), b""),
    "a path for a compiler": request((b"/tmp/gcc", b"-c", b"x.i"), b""),
    "a path that climbs": request((b"/usr/bin/../../tmp/gcc", b"-c", b"x.i"), b""),
    "a shell for a compiler": request((b"sh", b"-c", b"x.i"), b""),
    "a wrapper": request((b"gcc", b"-wrapper", b"/bin/echo,hi", *ARGV[1:]), b""),
    "a plugin": request((b"gcc", b"-fplugin=/tmp/x.so", *ARGV[1:]), b""),
    "other programs": request((b"gcc", b"-B/tmp", *ARGV[1:]), b""),
    "specs": request((b"gcc", b"-specs", b"/tmp/x", *ARGV[1:]), b""),
    "a response file": request((b"gcc", b"@/tmp/x", *ARGV[1:]), b""),
    "no -c": request((b"gcc", b"x.i", b"-o", b"x"), b""),
    "no source": request((b"gcc", b"-c"), b""),
    "two sources": request((b"gcc", b"-c", b"x.i", b"y.i"), b""),
    "an option without its value": request((b"gcc", b"-c", b"x.i", b"-MF"), b""),
    "corrupt LZO": packet(b"DIST", 2) + HEAD[12:] + WORDS + packet(b"DOTI", 4) + b"\xff\xff\xff\xff",
    "LZO without an end": packet(b"DIST", 2) + HEAD[12:] + WORDS + packet(b"DOTI", 2) + b"\x12x",
    "more extra bytes than anybody sends": GOOD + b"x" * (3 << 20),
}


@pytest.mark.parametrize("data", CLOSED_WITHOUT_A_BYTE.values(), ids=CLOSED_WITHOUT_A_BYTE)
def test_it_is_closed_without_a_byte(server, data):
    assert answer_to(server, data) == b""


@pytest.mark.parametrize(
    "data",
    [b"", b"D", GOOD[:6], GOOD[:12], GOOD[:20], GOOD[:40], GOOD[:-1], GREETING[:5]],
    ids=[
        "nothing",
        "1 byte",
        "half a header",
        "a header",
        "a count",
        "an argument",
        "all but one",
        "greeting",
    ],
)
def test_a_client_that_stops_sending_is_closed_in_time(server, data):
    assert answer_to(server, data) == b""


def test_a_client_that_drips_its_head_is_closed_in_time(server):
    with server.connect() as sock:
        sock.settimeout(TIMEOUT_SECONDS / 5)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            drip(sock, GOOD * 100)


def drip(sock: socket.socket, data: bytes) -> None:
    for byte in data:
        sock.send(bytes([byte]))
        with contextlib.suppress(TimeoutError):
            if not sock.recv(1):
                raise ConnectionResetError


@pytest.mark.parametrize("length", [*range(1, 30), 50, 100, len(GOOD) - 1])
def test_a_client_that_leaves_at_any_byte_is_forgotten(server, length):
    with server.connect() as sock:
        sock.sendall(GOOD[:length])


@pytest.mark.parametrize("length", [0, 5, 60, len(GOOD)])
def test_a_client_that_resets_at_any_byte_is_forgotten(server, length):
    with server.connect() as sock:
        sock.sendall(GOOD[:length])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_single_bytes_make_a_request_too(server):
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(GOOD)):
            sock.send(GOOD[at : at + 1])
        assert read_response(sock).status == 0


@pytest.mark.parametrize("extra", [b"\0", b"DIST00000001", b"x" * 100_000])
def test_extra_bytes_after_a_request_change_nothing(server, extra):
    with server.connect() as sock:
        sock.sendall(GOOD + extra)
        response = read_response(sock)
    assert response.status == 0
    assert response.stderr_raw == b""


def test_version_0_is_echoed(server):
    received = answer_to(server, b"DIST00000000" + GOOD[12:])
    assert received.startswith(b"DONE00000000STAT00000000")


def test_an_empty_source_is_compiled(server):
    with server.connect() as sock:
        sock.sendall(request(ARGV, b"", 2))
        response = read_response(sock, 2)
    assert response.status == 0
    assert unpack_body(2, response.output_raw, 1 << 20)[:4] == b"\x7fELF"


def test_a_small_body_that_claims_to_be_enormous_plain_is_refused(server):
    zeros = pack_body(2, bytes(600 << 20))
    body = packet(b"DOTI", len(zeros)) + zeros
    assert answer_to(server, packet(b"DIST", 2) + HEAD[12:] + WORDS + body) == b""


def test_a_half_close_after_the_request_cancels_it(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": fake.path})
    with stopping(server):
        with server.connect() as sock:
            sock.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
            fake.wait_for(1)
            sock.shutdown(socket.SHUT_WR)
            assert read_to_end(sock) == b""
        server.wait_until_idle()
    lock.close()


def test_names_with_any_bytes_reach_the_compiler_as_a_harmless_file(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", 'note input "$input"\necho ok >"$out"\n')
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": fake.path})
    names = [
        b"a b.i",
        b"a\nb.i",
        b"\xff\xfe.i",
        b"-x.i",
        b"../../up.i",
        b".hidden.i",
        b"$(touch x).i",
        b"n" * 300 + b".i",
    ]
    with stopping(server):
        for name in names:
            with server.connect() as sock:
                sock.sendall(request((b"gcc-99", b"-c", b"-o", b"x.o", b"--", name), b"int x;\n"))
                assert read_response(sock).output_raw == b"ok\n"
    assert len(fake.journal) == len(names)
    for line in fake.journal:
        word, given = line.split(" ", 1)
        assert word == "input"
        assert "/" not in given
        assert given.isascii()
        assert not given.startswith(("-", "."))
        assert len(given) < 120


def test_a_client_that_takes_no_answer_is_closed(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", 'dd if=/dev/zero of="$out" bs=1M count=64 2>/dev/null\n')
    server = start_fleetccd(
        tmp_path / "server", "--io-timeout", "0.3", environment={"FLEETCCD_PATH": fake.path}
    )
    with stopping(server), server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(request((b"gcc-99", *ARGV[1:]), b"int x;\n"))
        server.wait_for_log("took none of its answer")


def test_a_full_disk_closes_the_connection_and_says_why_in_the_log(tmp_path):
    server = start_fleetccd(tmp_path / "server")
    with stopping(server):
        # The limit on file sizes fails a write just where a full disk would.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        with server.connect() as sock:
            sock.sendall(request(ARGV, b"int x;\n" * 10_000))
            assert is_closed_without_answer(sock)
        assert "result=failed" in server.log
        with server.connect() as sock:
            sock.sendall(GOOD)
            assert read_response(sock).status == 0
        assert server.files() == []
