"""Pump requests that are malformed, hostile or slow: each ends alone, and writes only into its own root."""

import contextlib
import os
import socket

import pytest

from fleetcc.wire.distcc import pack_body
from fleetcc.wire.packets import header
from fleetcc.wire.pump import Content, PumpFile, Target, encode_pump_request
from tests.support.servers import (
    FakeCompilers,
    Fleetccd,
    read_response,
    read_to_end,
    start_fleetccd,
    stopping,
)

ARGV = (b"gcc", b"-Iinc", b"-c", b"x.c", b"-o", b"x.o")
SOURCE = PumpFile(b"/p/x.c", Content(pack_body(3, b"int x;\n")))


def request(*files: PumpFile, argv: tuple[bytes, ...] = ARGV, cwd: bytes = b"/p") -> bytes:
    return b"".join(encode_pump_request(cwd, argv, files))


def file(name: bytes, text: bytes = b"int y;\n") -> PumpFile:
    return PumpFile(name, Content(pack_body(3, text)))


def link(name: bytes, target: bytes) -> PumpFile:
    return PumpFile(name, Target(target))


GOOD = request(SOURCE)


SERVERS = {"in a sandbox": {}, "rewritten": {"FLEETCC_SANDBOX": "/nowhere"}}


@pytest.fixture(scope="module", params=SERVERS.values(), ids=list(SERVERS))
def server(request, tmp_path_factory):
    found = start_fleetccd(
        tmp_path_factory.mktemp("server"), "--jobs", "2", "--io-timeout", "0.5", environment=request.param
    )
    with stopping(found):
        yield found
        assert "Traceback" not in found.log


@pytest.fixture(autouse=True)
def others_are_served_afterwards_and_nothing_is_left(server):
    yield
    with server.connect() as sock:
        sock.sendall(GOOD)
        response = read_response(sock, 3)
    assert response.status == 0
    server.wait_until_idle()
    assert server.files() == []


def answer_to(server: Fleetccd, data: bytes) -> bytes:
    with server.connect() as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)
        return read_to_end(sock)
    return b""


HEAD = GOOD[: GOOD.index(b"NFIL")]

CLOSED_WITHOUT_A_BYTE = {
    "no directory": header(b"DIST", 3) + header(b"ARGC", 1) + header(b"ARGV", 3) + b"gcc",
    "a relative directory": request(SOURCE, cwd=b"p"),
    "a directory that climbs": request(SOURCE, cwd=b"/p/../.."),
    "more files than anybody has": HEAD + header(b"NFIL", 0xFFFFFFFF),
    "a huge file": HEAD + header(b"NFIL", 1) + header(b"NAME", 2) + b"/a" + header(b"FILE", 0xFFFFFFFF),
    "a huge name": HEAD + header(b"NFIL", 1) + header(b"NAME", 0xFFFFFFFF),
    "a huge link": HEAD + header(b"NFIL", 1) + header(b"NAME", 2) + b"/a" + header(b"LINK", 0xFFFFFFFF),
    "a name with a NUL": request(SOURCE, file(b"/p/\0x")),
    "a relative name": request(SOURCE, file(b"beside.h")),
    "a name that climbs": request(SOURCE, file(b"/../../../../../../../../tmp/fleetcc-hole")),
    "a name that climbs further down": request(SOURCE, file(b"/p/../../x.h")),
    "a file and a link of one name": request(SOURCE, link(b"/p/x.c", b"y")),
    "a link and a file of one name": request(link(b"/p/x.c", b"/tmp/fleetcc-hole"), SOURCE),
    "a file through a link": request(SOURCE, link(b"/p/a", b"/tmp"), file(b"/p/a/fleetcc-hole")),
    "a file through a link that comes later": request(
        SOURCE, file(b"/p/a/fleetcc-hole"), link(b"/p/a", b"/tmp")
    ),
    "a link out of the root": request(SOURCE, link(b"/p/a", b"../../../../etc")),
    "a link to a home": request(SOURCE, link(b"/root/x", b"../" * 30 + b"root/x")),
    "corrupt contents": request(SOURCE, PumpFile(b"/p/a", Content(b"\xff\xff\xff\xff"))),
    "contents that are enormous plain": request(SOURCE, file(b"/p/a", bytes(600 << 20))),
    "a wrapper": request(SOURCE, argv=(*ARGV, b"-wrapper", b"/bin/echo,hi")),
    "a shell": request(SOURCE, argv=(b"sh", *ARGV[1:])),
    "a second output": request(SOURCE, argv=(*ARGV, b"-o", b"/etc/x")),
    "only a head": HEAD,
    "half a list": GOOD[:-10],
}


@pytest.mark.parametrize("data", CLOSED_WITHOUT_A_BYTE.values(), ids=CLOSED_WITHOUT_A_BYTE)
def test_it_is_closed_without_a_byte(server, data):
    assert answer_to(server, data) == b""
    assert not os.path.exists("/tmp/fleetcc-hole")


def test_a_missing_source_is_the_compilers_business(server):
    with server.connect() as sock:
        sock.sendall(request())
        response = read_response(sock, 3)
    assert response.status == 0x100
    assert response.output_raw == response.dependencies_raw == b""


@pytest.mark.parametrize("length", [12, 30, len(HEAD), len(HEAD) + 30, len(GOOD) - 1])
def test_a_client_that_leaves_at_any_byte_is_forgotten(server, length):
    with server.connect() as sock:
        sock.sendall(GOOD[:length])


def test_single_bytes_make_a_request_too(server):
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(GOOD)):
            sock.send(GOOD[at : at + 1])
        assert read_response(sock, 3).status == 0


def test_a_name_with_any_byte_is_a_name(server):
    strange = bytes({*range(1, 256)} - {ord("/")})
    for part in (strange[:200], strange[200:]):
        with server.connect() as sock:
            sock.sendall(request(file(b"/p/x.c", b"int x;\n"), file(b"/p/" + part)))
            assert read_response(sock, 3).status == 0


@pytest.mark.parametrize("environment", SERVERS.values(), ids=SERVERS)
def test_what_a_compiler_leaves_in_the_root_is_removed_with_it(tmp_path, environment):
    fake = FakeCompilers(tmp_path / "compilers")
    fake.add("gcc-99", 'mkdir -p deep/er; touch deep/er/file; echo ok >"$out"\n')
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": fake.path, **environment})
    with stopping(server):
        with server.connect() as sock:
            sock.sendall(request(SOURCE, argv=(b"gcc-99", *ARGV[1:])))
            assert read_response(sock, 3).status == 0
        server.wait_until_idle()
        assert server.files() == []


def test_a_client_that_leaves_takes_its_compiler_and_its_files_with_it(tmp_path):
    fake = FakeCompilers(tmp_path / "compilers")
    lock = fake.add_blocking("gcc-99")
    # Without a sandbox, in which the compiler could not tell us that it has begun.
    server = start_fleetccd(
        tmp_path / "server", environment={"FLEETCCD_PATH": fake.path, **SERVERS["rewritten"]}
    )
    with stopping(server):
        with server.connect() as sock:
            sock.sendall(request(SOURCE, argv=(b"gcc-99", *ARGV[1:])))
            fake.wait_for(1)
        server.wait_until_idle()
        server.wait_for_log("result=disconnected")
        assert server.files() == []
    lock.close()


def test_a_missing_compiler_is_explained_by_status_110(tmp_path):
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": "/nowhere"})
    with stopping(server), server.connect() as sock:
        sock.sendall(GOOD)
        assert read_response(sock, 3).status == 110 << 8
