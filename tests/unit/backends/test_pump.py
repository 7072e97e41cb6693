"""The files of a job for a stock host, in the order and form of distcc's include server."""

from fleetcc.backends.link import PumpOrder
from fleetcc.backends.pump import PumpFiles, PumpSpoken, names_a_server_root, packed, pump_request
from fleetcc.server.pump_tree import plan_tree
from fleetcc.wire import lzo
from fleetcc.wire.distcc import RequestReader
from fleetcc.wire.files import Directory, Entry, File, Link
from fleetcc.wire.pump import Content, PumpBody, PumpFile, PumpHead, Target


def told(files: PumpFiles) -> tuple[tuple[bytes, bytes | Target], ...]:
    """Its entries, with plain contents."""
    return tuple((file.name, plain(file)) for file in files.entries())


def plain(file: PumpFile) -> bytes | Target:
    holds = file.holds
    if isinstance(holds, Target):
        return holds
    return lzo.decompress(holds.raw, 1 << 20) if holds.raw else b""


def test_entries_are_files_system_directories_links_and_forced_directories():
    files = PumpFiles()
    files.add_directory(b"/p/only")
    files.add_link(b"/p/link", b"real")
    files.add_system_directory(b"/usr/include")
    files.add_file(b"/p/t.c", b"int x;\n")

    assert told(files) == (
        (b"/p/t.c", b"int x;\n"),
        (b"/usr/include", Target(b"../" * 22 + b"usr/include")),
        (b"/p/link", Target(b"real")),
        (b"/p/only/forcing_technique_271828", b""),
    )


def test_what_lies_in_a_system_directory_is_not_sent():
    files = PumpFiles()
    for path in (b"/usr/include/c++/12", b"/usr/include", b"/usr/include/c++"):
        files.add_system_directory(path)
    files.add_file(b"/usr/include/stdio.h", b"x")
    files.add_link(b"/usr/include/link.h", b"stdio.h")
    files.add_directory(b"/usr/include/sys")

    assert [file.name for file in files.entries()] == [b"/usr/include"]


def test_a_directory_in_which_something_is_needs_no_forcing():
    files = PumpFiles()
    files.add_file(b"/p/a/b/t.h", b"x")
    files.add_directory(b"/p/a")
    files.add_directory(b"/p/a/b")

    assert [file.name for file in files.entries()] == [b"/p/a/b/t.h"]


def test_a_file_with_an_absolute_name_says_it():
    files = PumpFiles()
    files.add_file(b"/p/t.h", b"int x;\n", b'/q/"a\\b".h')

    assert told(files) == ((b"/p/t.h", b'#line 1 "/q/\\"a\\\\b\\".h"\nint x;\n'),)


MANIFEST: dict[bytes, Entry] = {
    b"/p": Directory(),
    b"/p/t.c": File(b"1" * 32, 7, 0),
    b"/p/l": Link(b"inc"),
    b"/p/empty": Directory(),
    b"/q/a.h": File(b"2" * 32, 7, 0),
    b"/usr/include/stdio.h": File(b"3" * 32, 7, 0),
}


def test_a_manifest_is_files_links_and_directories_without_what_the_server_has():
    files = PumpFiles()
    files.add_system_directory(b"/usr/include")
    texts = {b"1" * 32: b"int x;\n", b"2" * 32: b"int y;\n"}

    def content(digest: bytes, name: bytes | None) -> bytes:
        return packed(texts[digest], name)

    assert files.add_entries(MANIFEST, content, {b"/q/a.h": b"/q/b/../a.h"}) is None

    assert told(files) == (
        (b"/p/t.c", b"int x;\n"),
        (b"/q/a.h", b'#line 1 "/q/b/../a.h"\nint y;\n'),
        (b"/usr/include", Target(b"../" * 22 + b"usr/include")),
        (b"/p/l", Target(b"inc")),
        (b"/p/empty/forcing_technique_271828", b""),
    )


def test_a_file_whose_text_is_gone_is_told():
    texts = {b"1" * 32: b"int x;\n"}
    assert PumpFiles().add_entries(MANIFEST, lambda digest, _: texts.get(digest), {}) == b"/q/a.h"


def test_a_request_is_read_as_it_was_meant_and_makes_a_tree():
    files = PumpFiles()
    files.add_file(b"/p/t.c", b"int x;\n" * 100)
    files.add_link(b"/p/l", b"/p")
    files.add_system_directory(b"/usr/include")
    order = PumpOrder((b"gcc", b"-c", b"t.c"), b"/p", files.entries())

    head, body = RequestReader().receive(b"".join(pump_request(order)))

    assert head == PumpHead(b"/p", (b"gcc", b"-c", b"t.c"), 3)
    assert isinstance(body, PumpBody)
    source, _, link = body.files
    assert isinstance(source.holds, Content)
    assert lzo.decompress(source.holds.raw, 1000) == b"int x;\n" * 100
    assert link.holds == Target(b"/p")
    assert plan_tree(b"/p", body.files).own == (b"/usr/include",)


def test_a_servers_root_is_found_wherever_it_is():
    def spoken(output: bytes = b"", stderr: bytes = b"", dependencies: bytes = b"") -> PumpSpoken:
        return PumpSpoken(0, b"", stderr, output, 0.1, dependencies=dependencies)

    leak = b"x/tmp/distccd_aB3xyz/home"
    assert names_a_server_root(spoken(output=leak))
    assert names_a_server_root(spoken(stderr=leak))
    assert names_a_server_root(spoken(dependencies=leak))
    assert names_a_server_root(spoken(output=b"_GLOBAL__N__tmp_distccd_aB3xyz_home"))
    assert not names_a_server_root(spoken(b"distccd", b"/home/distccd", b"/usr/bin/distccd"))
