"""From a request's head to what will run."""

import os

import pytest

from fleetcc.command.directives import Prepared
from fleetcc.model import Form
from fleetcc.server.compilers import CompilerRules, Missing, Program
from fleetcc.server.orders import Order, understand_request
from fleetcc.wire.distcc import RequestHead


@pytest.fixture
def rules(tmp_path):
    for name in ("gcc", "g++"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return CompilerRules(path=os.fsencode(tmp_path))


def order(rules: CompilerRules, *argv: bytes) -> Order:
    found = understand_request(RequestHead(1, argv, 10), rules)
    assert isinstance(found, Order)
    return found


def test_the_input_gets_the_clients_name_and_a_preprocessed_suffix(rules, tmp_path):
    found = order(rules, b"g++", b"-O2", b"-c", b"lib/my file.cc", b"-o", b"out/my.o")
    assert isinstance(found.program, Program)
    assert found.input_name == b"my_file.ii"
    assert found.compiler_argv(b"/bin/g++", b"/job", None) == [
        b"/bin/g++", b"-O2", b"-c", b"my_file.ii", b"-o", b"output.o",
    ]  # fmt: skip
    assert found.summary == "g++ 'lib/my file.cc'"


def test_a_source_with_directives_is_named_by_its_whole_path(rules):
    found = order(rules, b"gcc", b"-g", b"-c", b"a.c", b"-o", b"a.o", b"--fleetcc-form=directives")
    assert found.command.form is Form.DIRECTIVES
    argv = found.compiler_argv(b"/bin/gcc", b"/job", Prepared(b"", b"a.c", b"/home/u"))
    assert b"/job/a.c" in argv
    assert b"-fdebug-prefix-map=/job/a.c=a.c" in argv


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (b"-x.c", b"_-x.i"),
        (b"..c", b"_..c.i"),
        (b"a\nb.c", b"a_b.i"),
        (b"\xff.c", b"_.i"),
        (b"x" * 500 + b".c", b"x" * 100 + b".i"),
    ],
)
def test_names_become_harmless(rules, source, name):
    assert order(rules, b"gcc", b"-c", b"-o", b"x.o", b"--", source).input_name == name


def test_a_compiler_that_is_not_here_is_still_an_order(rules):
    assert isinstance(order(rules, b"clang", b"-c", b"a.c").program, Missing)


@pytest.mark.parametrize(
    "argv",
    [(b"rm", b"-c", b"a.c"), (b"gcc", b"a.c"), (b"gcc", b"-c", b"a.c", b"-wrapper", b"x"), (b"-c", b"a.c")],
)
def test_a_refusal_is_a_sentence(rules, argv):
    assert isinstance(understand_request(RequestHead(1, argv, 0), rules), str)
