"""What a fleetccd does beyond distcc: it says what it is, and compiles sources with their macros in them."""

import subprocess

import pytest

from fleetcc.model import Form
from fleetcc.wire.distcc import unpack_body
from fleetcc.wire.greeting import GREETING
from tests.support.servers import read_response, read_to_end, request, start_fleetccd, stopping

SOURCE = """#include <stdio.h>
#include "here.h"
#define TWICE(x) ((x) + (x))
static int twice(int value) { return TWICE(value); }
int main(int argc, char **argv) { return printf("%s %d\\n", NAME, twice(argc)); }
"""
MARK = b"--fleetcc-form=directives"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "3")
    with stopping(found):
        yield found


def test_the_greeting_tells_what_a_client_must_know(server):
    welcome = server.welcome()
    assert welcome.server.startswith("fleetccd ")
    assert welcome.forms == (Form.EXPANDED, Form.DIRECTIVES)
    assert welcome.protocols == (1, 2)
    assert (welcome.slots, welcome.capacity, welcome.running, welcome.waiting) == (3, 3, 0, 0)


def test_a_greeting_may_come_in_pieces(server):
    with server.connect() as sock:
        for at in range(len(GREETING)):
            sock.send(GREETING[at : at + 1])
        assert read_to_end(sock).startswith(b"FLEETCC/1\r\nserver: fleetccd ")


@pytest.mark.parametrize("options", [["-g", "-O2"], ["-O2", "-Wall"], ["-ggdb", "-O1"]], ids=" ".join)
@pytest.mark.parametrize("protocol", [1, 2])
def test_a_source_with_its_macros_gives_the_local_object(server, tmp_path, options, protocol):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.c").write_text(SOURCE)
    (tmp_path / "sub" / "here.h").write_text('#pragma once\n#define NAME "here"\n')
    compile_options = [*options, "-c", "sub/main.c", "-o", "main.o"]
    text = subprocess.run(
        ["gcc", *options, "-E", "-fdirectives-only", "-fworking-directory", "sub/main.c"],
        cwd=tmp_path, check=True, capture_output=True,
    ).stdout  # fmt: skip
    subprocess.run(["gcc", *compile_options], cwd=tmp_path, check=True)
    with server.connect() as sock:
        argv = [b"gcc", *(word.encode() for word in compile_options), MARK]
        sock.sendall(request(argv, text, protocol))
        response = read_response(sock, protocol)
    assert (response.status, unpack_body(protocol, response.stderr_raw, 1 << 20)) == (0, b"")
    assert unpack_body(protocol, response.output_raw, 1 << 24) == (tmp_path / "main.o").read_bytes()


@pytest.mark.parametrize(
    "text", [b"int x;\n", b'# 0 "x.c"\n# 1 "/w//"\n# 0 "<command-line>"\nchar *when = __DATE__;\n']
)
def test_a_text_that_cannot_be_done_in_this_form_has_status_120_and_a_sentence(server, text):
    with server.connect() as sock:
        sock.sendall(request((b"gcc", b"-c", b"x.c", b"-o", b"x.o", MARK), text))
        response = read_response(sock)
    assert response.status == 120 << 8
    assert response.stderr_raw.strip()
    assert response.output_raw == b""


def test_a_form_that_is_not_known_is_refused(server):
    with server.connect() as sock:
        sock.sendall(request((b"gcc", b"-c", b"x.c", b"-o", b"x.o", b"--fleetcc-form=future"), b""))
        assert read_to_end(sock) == b""
