"""From a request's head to what will run."""

import os

import pytest

from fleetcc.command.directives import Prepared
from fleetcc.model import Form
from fleetcc.server.compilers import CompilerRules, Missing, Program
from fleetcc.server.orders import Order, understand_job, understand_request
from fleetcc.wire.distcc import RequestHead
from fleetcc.wire.fleet import Job


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


def test_a_source_with_directives_is_named_by_its_whole_path():
    wanted = job(b"gcc", b"-g", b"-c", b"a.c", b"-o", b"a.o", form="directives")
    found = understand_job(wanted, b"/bin/gcc")
    assert isinstance(found, Order)
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


# -- jobs of fleet clients


def job(*argv: bytes, form: str = "expanded") -> Job:
    return Job("preprocessed", "0" * 64, argv, form, 0, 0)


def test_the_identity_decides_which_program_runs_and_the_name_only_the_language():
    found = understand_job(job(b"anything-g++", b"-O2", b"-c", b"x.c", b"-o", b"x.o"), b"/opt/gcc")
    assert isinstance(found, Order)
    assert found.program == Program(b"/opt/gcc")
    assert found.input_name == b"x.ii"
    assert found.compiler_name == "anything-g++"


def test_the_form_of_a_fleet_job_is_what_it_says():
    found = understand_job(job(b"gcc", b"-c", b"x.c", form="directives"), b"/opt/gcc")
    assert isinstance(found, Order)
    assert found.command.form is Form.DIRECTIVES


@pytest.mark.parametrize(
    "refused",
    [
        job(),
        job(b""),
        job(b"/usr/bin/gcc", b"-c", b"x.c"),
        job(b"gcc", b"-c", b"x.i", form="directives"),
        job(b"gcc", b"-c", b"x.c", b"-wrapper", b"x"),
    ],
    ids=lambda refused: b" ".join(refused.argv).decode() or "nothing",
)
def test_a_fleet_job_that_is_refused_has_a_sentence(refused):
    assert isinstance(understand_job(refused, b"/opt/gcc"), str)
