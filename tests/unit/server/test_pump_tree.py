"""Which trees of a pump request are put on a disk, and what their links mean."""

import pytest

from fleetcc.errors import ProtocolError
from fleetcc.server.pump_tree import Tree, is_own, plan_tree, without_line_mark
from fleetcc.wire.pump import Content, PumpFile, Target

OWN_INCLUDE = PumpFile(b"/usr/include", Target(b"../" * 22 + b"usr/include"))


def file(name: bytes, raw: bytes = b"x") -> PumpFile:
    return PumpFile(name, Content(raw))


def link(name: bytes, target: bytes) -> PumpFile:
    return PumpFile(name, Target(target))


def tree(*sent: PumpFile, cwd: bytes = b"/p") -> Tree:
    return plan_tree(cwd, sent)


def test_directories_are_made_from_the_top() -> None:
    found = tree(file(b"/p/a/b/c.h"), OWN_INCLUDE, cwd=b"/p/build")

    assert found.directories == (b"/p", b"/p/a", b"/p/a/b", b"/p/build", b"/usr")
    assert found.files == {b"/p/a/b/c.h": b"x"}
    assert found.own == (b"/usr/include",)


def test_a_forced_directory_is_one_without_its_file() -> None:
    found = tree(file(b"/p/only/forcing_technique_271828", b""))

    assert b"/p/only" in found.directories
    assert found.files == {}


def test_the_root_is_a_directory_to_work_in() -> None:
    assert tree(file(b"/a.c"), cwd=b"/").directories == ()


def test_a_file_that_is_sent_twice_is_the_second() -> None:
    assert tree(file(b"/p/a", b"1"), file(b"/p/a", b"2")).files == {b"/p/a": b"2"}


def test_a_link_that_is_sent_twice_is_one() -> None:
    assert tree(link(b"/p/a", b"b"), link(b"/p/a", b"b")).links == {b"/p/a": b"b"}


def test_a_directory_of_the_server_covers_those_below_it() -> None:
    inner = link(b"/usr/include/c++/12", b"../" * 24 + b"usr/include/c++/12")

    assert tree(inner, OWN_INCLUDE).own == (b"/usr/include",)


REFUSED = {
    "a relative name": (file(b"a.c"),),
    "a name that climbs": (file(b"/p/../../etc/passwd"),),
    "a name that ends by climbing": (file(b"/p/.."),),
    "a name with a dot": (file(b"/p/./a"),),
    "a name with two slashes": (file(b"/p//a"),),
    "a name that ends with a slash": (file(b"/p/a/"),),
    "the root": (file(b"/"),),
    "a long component": (file(b"/p/" + b"n" * 256),),
    "a file below a file": (file(b"/p/a"), file(b"/p/a/b")),
    "a file above a file": (file(b"/p/a/b"), file(b"/p/a")),
    "a file below a link": (link(b"/p/a", b"/etc"), file(b"/p/a/passwd")),
    "a link below a link": (link(b"/p/a", b"b"), link(b"/p/a/x", b"y")),
    "a file below the server's own": (OWN_INCLUDE, file(b"/usr/include/stdio.h")),
    "a file and a link of one name": (file(b"/p/a"), link(b"/p/a", b"b")),
    "a link and a file of one name": (link(b"/p/a", b"b"), file(b"/p/a")),
    "two links of one name": (link(b"/p/a", b"b"), link(b"/p/a", b"c")),
    "a file in the place of the working directory": (file(b"/p"),),
    "a link in the place of the working directory": (link(b"/p", b"/q"),),
    "a link that leaves the root": (link(b"/p/a", b"../../etc/passwd"),),
    "a link that leaves it in the middle": (link(b"/p/a", b"b/../../../../etc/../p/c"),),
    "a link to a directory of the server that is not a system's": (
        link(b"/home/u/.ssh", b"../" * 22 + b"home/u/.ssh"),
    ),
    "a link to the server's root": (link(b"/usr", b"../" * 22 + b"usr"),),
    "a link to another directory of the server": (link(b"/p/inc", b"../" * 22 + b"usr/include"),),
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(sent) -> None:
    with pytest.raises(ProtocolError):
        tree(*sent)


@pytest.mark.parametrize("cwd", [b"p", b"/p/..", b"/p/", b"//p", b"/p/./q"])
def test_a_working_directory_is_a_true_path(cwd) -> None:
    with pytest.raises(ProtocolError, match="CDIR"):
        plan_tree(cwd, ())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/etc/passwd", False),
        (b"stdio.h", False),
        (b"../x", False),
        (b"../../x", False),
        (b"../" * 22 + b"usr/x/include", True),
        (b"../../../usr/x/include", True),
    ],
)
def test_the_servers_own_is_a_link_to_itself_by_way_of_the_root(target, expected) -> None:
    assert is_own(b"/usr/x/include", target) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/p/real/x", b"/p/real/x"),
        (b"/p/near/x", b"/p/real/x"),
        (b"/p/far/x", b"/q/deep/x"),
        (b"/p/far/../x", b"/q/x"),
        (b"/p/twice/x", b"/q/deep/x"),
        (b"/../../p/near", b"/p/real"),
        (b"/p/./near//x", b"/p/real/x"),
        (b"/p/round/x", None),
    ],
)
def test_links_are_followed_as_the_clients_kernel_does(path, expected) -> None:
    found = tree(
        file(b"/p/real/x"),
        link(b"/p/near", b"real"),
        link(b"/p/far", b"/q/deep"),
        link(b"/p/twice", b"../p/far"),
        link(b"/p/round", b"round"),
        file(b"/q/deep/x"),
    )

    assert found.resolve(path) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (b"/p/a.h", b'#line 1 "/p/a.h"\nint x;\n', b"int x;\n"),
        (b"/p/a.h", b'#line 1 "/l/a.h"\nint x;\n', b"int x;\n"),
        (b"/p/a.h", b'#line 1 "/q/a.h"\nint x;\n', b'#line 1 "/q/a.h"\nint x;\n'),
        (b"/p/a.h", b'#line 1 "a.y"\nint x;\n', b'#line 1 "a.y"\nint x;\n'),
        (b"/p/a.h", b'int x;\n#line 1 "/p/a.h"\n', b'int x;\n#line 1 "/p/a.h"\n'),
        (b"/p/a.h", b"", b""),
    ],
)
def test_the_include_servers_mark_is_taken_off_and_no_other(name, text, expected) -> None:
    found = tree(file(b"/p/a.h"), link(b"/l", b"p"))

    assert without_line_mark(found, name, text) == expected
