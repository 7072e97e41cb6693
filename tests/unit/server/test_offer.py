"""What a daemon announces of itself."""

import os
import socket

from fleetcc.server.announce import AnnouncedCompiler
from fleetcc.server.compilers import CompilerRules
from fleetcc.server.offer import announced_compilers, offer_of
from tests.unit.toolchain.fake_compilers import program

GCC = '#!/bin/sh\ncase "$1" in -dumpmachine) echo riscv64-linux-gnu;; -dumpversion) echo 13;; esac\n'


def rules(tmp_path) -> CompilerRules:
    return CompilerRules(path=os.fsencode(tmp_path))


def test_compilers_are_announced_once_by_machine_and_version(tmp_path):
    program(tmp_path / "cc", GCC)
    program(tmp_path / "gcc", GCC)
    program(tmp_path / "clang", GCC.replace("13", "17.0.6"))
    assert announced_compilers(rules(tmp_path)) == [
        AnnouncedCompiler("riscv64-linux-gnu", "13"),
        AnnouncedCompiler("riscv64-linux-gnu", "17.0.6"),
    ]


def test_a_compiler_that_does_not_answer_is_not_announced(tmp_path):
    program(tmp_path / "cc", "#!/bin/sh\nexit 1\n")
    program(tmp_path / "gcc", "no program at all")
    program(tmp_path / "clang", "#!/bin/sh\nkill -9 $$\n")
    assert announced_compilers(rules(tmp_path)) == []


def test_the_offer_names_where_the_daemon_listens(tmp_path):
    with socket.socket() as network, socket.socket(socket.AF_UNIX) as local:
        network.bind(("127.0.0.1", 0))
        local.bind(os.fspath(tmp_path / "socket"))
        found = offer_of([local, network], 7, rules(tmp_path))
        assert found is not None
        assert (found.port, found.slots) == (network.getsockname()[1], 7)
        assert found.addresses == ["127.0.0.1"]
        assert offer_of([local], 7, rules(tmp_path)) is None
