"""Hosts that the list calls `,lzo,cpp`: stock ones get files and preprocess them; the bytes are the same."""

import os
import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.fleet import Client, client, installed
from tests.support.one_compile import use_hosts
from tests.support.replica import Place, helper, own_place
from tests.support.scripted_server import ScriptedServer, Visit, compile_honestly
from tests.support.servers import SYSTEM_PATH
from tests.support.stock_distccd import stock_distccd

__all__ = ["client", "helper", "installed", "own_place"]  # fixtures

UNITS: Final = 20
RELATIVE: Final = "-Iinclude -Isrc -iquote include/more"
ABSOLUTE: Final = "-I{here}/include -I{here}/src -isystem {here}/include/more"
_PROTOCOL: Final = re.compile(r"got DIST0000000(\d)")


@dataclass
class Stock:
    """A stock distccd that takes pump mode, and what it was asked so far."""

    host: str
    log: Path

    def take_protocols(self) -> list[str]:
        """The protocols of its jobs since the last time."""
        found = _PROTOCOL.findall(self.log.read_text(errors="replace"))
        os.truncate(self.log, 0)
        return found


@pytest.fixture
def stock(client: Client, tmp_path: Path) -> Iterator[Stock]:
    """The client's only host."""
    environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C", "TMPDIR": "/tmp"}
    log = tmp_path / "distccd.log"
    with stock_distccd(4, environment, log=log, address="127.0.0.7") as host:
        client.environment["FLEETCC_HOSTS"] = f"{host}/4,lzo,cpp"
        yield Stock(host, log)


def write_units(client: Client) -> None:
    """Units in C and C++ whose headers tell their names, and are found in several ways."""
    write = client.write
    write("include/common.h", '#pragma once\n#include <stddef.h>\n#include "more/deep.h"\n#define COMMON 3\n')
    write("include/more/deep.h", "#ifndef DEEP_H\n#define DEEP_H\n#include <assert.h>\n"
          "static inline int deep(int x) { assert(x); return x + 1; }\n#endif\n")  # fmt: skip
    write("include/deep_too.hpp", '#pragma once\n#include <string>\n#include "common.h"\n'
          "inline std::string place() { return __FILE__; }\n")  # fmt: skip
    for number in range(UNITS):
        header = f"src/a_header_with_a_rather_long_name_for_unit_{number}.h"
        write(header, f'#include "common.h"\n#define OWN (COMMON + {number})\n')
        name = os.path.basename(header)
        if number % 2:
            write(f"src/unit{number}.c", f'#include "{name}"\n#include <stdio.h>\n'
                  f"int f{number}(int x) {{ puts(__FILE__); return deep(x) * OWN; }}\n")  # fmt: skip
        else:
            write(f"src/unit{number}.cc", f'#include "{name}"\n#include <vector>\n#include <deep_too.hpp>\n'
                  f"int f{number}(std::vector<int> v)\n"
                  "{ return v.at(deep(OWN)) + (int)place().size(); }\n")  # fmt: skip


def command(client: Client, number: int, flags: str, *, absolute: bool) -> list[str]:
    """The compile of one unit."""
    here = client.work
    compiler, source = ("gcc", f"src/unit{number}.c") if number % 2 else ("g++", f"src/unit{number}.cc")
    source = f"{here}/{source}" if absolute else source
    search = (ABSOLUTE if absolute else RELATIVE).format(here=here)
    return shlex.split(f"{compiler} -O1 {search} {flags} -c {source} -o unit{number}.o")


def outputs(number: int) -> list[str]:
    return [f"unit{number}.o", f"unit{number}.d"]


@pytest.mark.parametrize(("absolute", "count"), [(False, UNITS), (True, 6)], ids=["relative", "absolute"])
def test_units_are_made_by_the_host_from_their_files(
    client: Client, stock: Stock, absolute: bool, count: int
) -> None:
    write_units(client)
    for number in range(count):
        flags = ("-MD", "-MMD -MP", f"-MMD -MT x -MF unit{number}.d")[number % 3]
        argv = command(client, number, flags, absolute=absolute)
        client.same_as_plain(*argv, outputs=outputs(number))
        assert client.last_reason == "remote"
    assert stock.take_protocols() == ["3"] * count


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_clangs_too(client: Client, stock: Stock, absolute: bool) -> None:
    write_units(client)
    for number in range(4):
        argv = command(client, number, ("-MD", "-MMD -MP")[number // 2], absolute=absolute)
        argv[0] = {"gcc": "clang", "g++": "clang++"}[argv[0]]
        client.same_as_plain(*argv, outputs=outputs(number))
        assert client.last_reason == "remote"
    assert stock.take_protocols() == ["3"] * 4


def test_many_at_once(client: Client, stock: Stock) -> None:
    write_units(client)
    names = [f"unit{number}.o" for number in range(UNITS)]
    rules = [
        f"unit{number}.o:\n\t$(PREFIX) {shlex.join(command(client, number, '', absolute=True))}\n"
        for number in range(UNITS)
    ]
    client.write("Makefile", f"all: {' '.join(names)}\n" + "".join(rules))
    made = []
    for prefix in (f"PREFIX={client.launcher}", "PREFIX="):
        assert client.plain("make", "-j8", prefix).status == 0
        made.append({name: (client.work / name).read_bytes() for name in names})
        for name in names:
            (client.work / name).unlink()
    assert made[0] == made[1]
    assert stock.take_protocols() == ["3"] * UNITS


@pytest.mark.parametrize(
    ("flags", "reason", "protocols"),
    [
        ("-g", "debug-columns", []),  # gcc's expanded text has other columns
        ("-fsanitize=undefined", "debug-columns", []),
        ("-DWHEN=__TIME__", "remote", ["2"]),
        ("-I{here}", "remote", ["2"]),  # by which of two names a header is called cannot be told
        ("-isystem include/more", "remote", ["2"]),
    ],
)
def test_what_would_differ_goes_another_way(
    client: Client, stock: Stock, flags: str, reason: str, protocols: list[str]
) -> None:
    write_units(client)
    argv = command(client, 1, flags.format(here=client.work) + " -MD", absolute=False)
    client.same_as_plain(*argv, outputs=outputs(1))
    assert (client.last_reason, stock.take_protocols()) == (reason, protocols)


@pytest.mark.parametrize(
    "text",
    [
        "const char *when = __DATE__;",
        "const char *whence = __BASE_FILE__;",
        '#include "{here}/include/common.h"',
        '#define NAME "{here}/include/common.h"\n#include NAME',
        '#include "one/same.h"\n#include "other/same.h"\nint count = SAME;',
    ],
    ids=["date", "base file", "absolute include", "computed include", "same content"],
)
def test_a_source_of_which_a_host_would_make_something_else_goes_as_text(
    client: Client, stock: Stock, text: str
) -> None:
    client.write("include/common.h", "int common;\n")
    for folder in ("one", "other"):
        path = client.write(
            f"{folder}/same.h", "#pragma once\n#ifdef SAME\n#undef SAME\n#define SAME 2\n#else\n"
            "#define SAME 1\n#endif\n",
        )  # fmt: skip
        os.utime(path, (1000 + len(folder), 1000))
    client.write("a.c", text.format(here=client.work) + "\nint a;\n")
    for _ in range(2):  # the second time that is known
        client.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
        assert client.last_reason == "remote"
    assert stock.take_protocols() == ["2", "2"]


def test_a_header_that_is_edited_deleted_or_shadowed_counts_at_once(client: Client, stock: Stock) -> None:
    client.write("second/h.h", "#define H 1\n")
    client.write("first/.keep", "")
    client.write("a.c", "#include <h.h>\nint h = H;\n")
    argv = ("gcc", "-Ifirst", "-Isecond", "-MD", "-c", "a.c")

    def build(count: int = 1) -> None:
        client.same_as_plain(*argv, outputs=["a.o", "a.d"])
        assert stock.take_protocols() == ["3"] * count

    build()
    client.write("second/h.h", "#define H 2\n")
    build()
    client.write("first/h.h", "#define H 3\n")
    build()
    (client.work / "first/h.h").unlink()
    build()
    (client.work / "second/h.h").unlink()
    result = client.same_as_plain(*argv)
    assert result.status == 1
    assert client.last_reason == "compiler-spoke"


def test_what_the_hosts_compiler_says_is_said_here(client: Client, stock: Stock) -> None:
    client.write("a.c", "int f(void) { int unused; return 0; }\n")
    result = client.same_as_plain("gcc", "-Wall", "-c", "a.c", outputs=["a.o"])
    assert b"unused" in result.stderr
    assert client.last_reason == "compiler-spoke"
    assert stock.take_protocols() == ["3"]
    client.same_as_plain("gcc", "-Wall", "-c", "a.c", outputs=["a.o"])
    assert client.last_reason == "warned-last-time"
    assert stock.take_protocols() == []


def test_a_variable_that_brings_directories_keeps_text(client: Client, stock: Stock) -> None:
    client.write("elsewhere/h.h", "int h;\n")
    client.write("a.c", "#include <h.h>\n")
    client.environment["CPATH"] = "elsewhere"
    client.same_as_plain("gcc", "-c", "a.c", outputs=["a.o"])
    assert (client.last_reason, stock.take_protocols()) == ("remote", ["2"])


def test_a_host_that_knows_no_pump_mode_gets_text_from_then_on(client: Client) -> None:
    asked: list[int] = []

    def old_server(visit: Visit) -> None:
        start = visit.connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL)
        asked.append(int(start[4:]))
        if asked[-1] < 3:
            compile_honestly(visit)

    with ScriptedServer(old_server) as server:
        use_hosts(client, server, option=",lzo,cpp")
        for name in ("a", "b"):
            client.write(f"{name}.c", f"int {name};\n")
            client.same_as_plain("gcc", "-c", f"{name}.c", outputs=[f"{name}.o"])
            assert client.last_reason == "remote"
    assert asked == [3, 2, 2]
    assert "left alone" not in client.log


def test_verified_jobs_are_identical(client: Client, stock: Stock) -> None:
    write_units(client)
    client.environment["FLEETCC_VERIFY"] = "100%"
    for number in range(4):
        client.same_as_plain(*command(client, number, "-MD", absolute=True), outputs=outputs(number))
        assert client.last_reason == "verified"
    status = client.idle_status()
    assert (status["verified"], status["differed"]) == (4, 0), status["differences"]
    assert stock.take_protocols() == ["3"] * 4


def test_fleet_hosts_get_files_whatever_the_list_says_of_pump_mode(own_place: Place) -> None:
    client = own_place.client
    server = own_place.add_server()
    client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}/4,lzo,cpp"
    client.write("a.c", "int a;\n")
    client.same_as_plain("gcc", "-g", "-c", "a.c", outputs=["a.o"])
    assert client.last_reason == "remote"
    server.wait_until_idle()
    assert "in=files" in server.log
