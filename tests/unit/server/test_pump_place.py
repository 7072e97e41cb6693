"""What is on the disk for a pump job."""

import os

import pytest

from fleetcc.errors import ProtocolError
from fleetcc.server.pump_place import Place, lay_out
from fleetcc.server.pump_tree import plan_tree
from fleetcc.wire import lzo
from fleetcc.wire.pump import Content, PumpFile, Target

MAX = 1 << 20


def place(folder, *sent: PumpFile, cwd: bytes = b"/p", max_bytes: int = MAX, is_root: bool = False) -> Place:
    return lay_out(plan_tree(cwd, sent), cwd, os.fsencode(folder), max_bytes, is_root=is_root)


def file(name: bytes, text: bytes) -> PumpFile:
    return PumpFile(name, Content(lzo.compress(text)))


def test_files_are_below_the_root_with_their_text(tmp_path):
    found = place(tmp_path, file(b"/p/\xff a.h", b"int x;\n" * 1000), file(b"/p/empty.h", b""))

    with open(found.root + b"/p/\xff a.h", "rb") as opened:
        assert opened.read() == b"int x;\n" * 1000
    assert os.path.getsize(found.root + b"/p/empty.h") == 0
    assert found.cwd == found.root + b"/p"


def test_no_two_files_are_of_one_second(tmp_path):
    found = place(tmp_path, *(file(b"/p/%d" % number, b"same") for number in range(20)))

    assert len({int(os.stat(found.root + b"/p/%d" % number).st_mtime) for number in range(20)}) == 20


def test_links_lead_to_places_within_the_root(tmp_path):
    found = place(
        tmp_path,
        file(b"/q/real/x.h", b"x"),
        PumpFile(b"/p/absolute", Target(b"/q/real")),
        PumpFile(b"/p/relative", Target(b"../q/real")),
        PumpFile(b"/p/through", Target(b"absolute/../../q/real/x.h")),
        PumpFile(b"/p/round", Target(b"round")),
        PumpFile(b"/p/nowhere", Target(b"/etc/passwd")),
    )

    for link in (b"absolute/x.h", b"relative/x.h", b"through"):
        assert os.path.realpath(found.cwd + b"/" + link) == found.root + b"/q/real/x.h"
    assert not os.path.exists(found.cwd + b"/round")
    assert not os.path.exists(found.cwd + b"/nowhere")


def test_the_servers_own_directories_are_its_own(tmp_path):
    found = place(tmp_path, PumpFile(b"/usr/include", Target(b"../" * 22 + b"usr/include")))

    assert os.readlink(found.root + b"/usr/include") == b"/usr/include"


def test_for_a_compiler_that_sees_it_as_the_root_all_is_as_it_came(tmp_path):
    found = place(
        tmp_path,
        file(b"/q/x.h", b"x"),
        PumpFile(b"/p/absolute", Target(b"/q/x.h")),
        PumpFile(b"/p/relative", Target(b"../q")),
        PumpFile(b"/usr/include", Target(b"../" * 22 + b"usr/include")),
        is_root=True,
    )

    assert os.readlink(found.root + b"/p/absolute") == b"/q/x.h"
    assert os.readlink(found.root + b"/p/relative") == b"../q"
    assert not os.path.lexists(found.root + b"/usr/include")
    assert (found.prefix, found.cwd) == (b"", b"/p")
    assert os.path.isdir(found.root + os.path.dirname(found.output))
    assert found.client_names(b"/p/a.c:1: " + found.root + b"/x\n") == b"/p/a.c:1: " + found.root + b"/x\n"


def test_a_root_below_a_link_is_called_by_its_real_name(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert place(tmp_path / "link").root == os.fsencode(tmp_path / "real" / "root")


def test_contents_have_a_limit_for_all_together(tmp_path):
    with pytest.raises(ProtocolError, match=r"NAME b'/p/b'.*more than the 400 allowed"):
        place(tmp_path, file(b"/p/a", bytes(600)), file(b"/p/b", bytes(600)), max_bytes=1000)


def test_contents_that_are_not_lzo_are_refused_by_name(tmp_path):
    with pytest.raises(ProtocolError, match=r"NAME b'/p/a': a body that is not LZO"):
        place(tmp_path, PumpFile(b"/p/a", Content(b"\xff\xff\xff")))


def test_what_a_compiler_said_gets_the_clients_names(tmp_path):
    found = place(tmp_path)

    assert found.client_names(found.root + b"/p/a.c:1: " + found.root + b"x\n") == (
        b"/p/a.c:1: " + found.root + b"x\n"
    )
