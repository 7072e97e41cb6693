"""Which programs a server runs for a client's word."""

import os
from pathlib import Path
from typing import Any

import pytest

from fleetcc.server import compilers
from fleetcc.server.compilers import CompilerRules, Forbidden, Missing, Program


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(compilers, "MASQUERADE_DIRECTORIES", (os.fsencode(tmp_path / "masquerade"),))
    (tmp_path / "masquerade").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("gcc", "aarch64-linux-gnu-g++-12", "sh", "weird-cc1"):
        program(tmp_path / "bin" / name)
    return tmp_path


def program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def rules(folder: Path, **settings: Any) -> CompilerRules:
    return CompilerRules(path=os.fsencode(folder / "bin"), **settings)


@pytest.mark.parametrize("word", [b"gcc", b"/usr/bin/gcc", b"/bin/gcc", b"aarch64-linux-gnu-g++-12"])
def test_a_compilers_name_is_looked_up_on_the_servers_path(folder, word):
    assert rules(folder).resolve(word) == Program(
        os.fsencode(folder / "bin" / os.path.basename(word.decode()))
    )


@pytest.mark.parametrize(
    "word",
    [b"sh", b"weird-cc1", b"/tmp/gcc", b"./gcc", b"/usr/bin/../../tmp/gcc", b"/usr/bin//gcc", b"", b"..",
     b"g\xffcc", b"/usr/local/bin/gcc", b"../bin/gcc"],
)  # fmt: skip
def test_other_words_are_forbidden(folder, word):
    assert isinstance(rules(folder).resolve(word), Forbidden)


def test_a_compiler_that_is_not_here_is_missing_rather_than_forbidden(folder):
    missing = rules(folder).resolve(b"clang-99")
    assert isinstance(missing, Missing)
    assert "failed to exec clang-99" in missing.sentence


def test_the_distributions_list_allows_more_names(folder):
    program(folder / "masquerade" / "weird-cc1")
    assert rules(folder).resolve(b"weird-cc1") == Program(os.fsencode(folder / "bin" / "weird-cc1"))


def test_what_is_not_executable_is_no_compiler(folder):
    (folder / "bin" / "gcc").chmod(0o644)
    (folder / "bin" / "g++").mkdir()
    assert isinstance(rules(folder).resolve(b"gcc"), Missing)
    assert isinstance(rules(folder).resolve(b"g++"), Missing)


@pytest.mark.parametrize("distributor", ["distcc", "fleetcc"])
def test_links_that_would_send_the_job_on_are_passed_over(folder, distributor):
    first = folder / "first"
    first.mkdir()
    program(first / distributor)
    (first / "gcc").symlink_to(distributor)
    path = os.fsencode(first) + b":relative::" + os.fsencode(folder / "bin")
    assert CompilerRules(path=path).resolve(b"gcc") == Program(os.fsencode(folder / "bin" / "gcc"))


def test_the_insecure_mode_runs_any_program(folder):
    insecure = rules(folder, insecure=True)
    assert insecure.resolve(b"sh") == Program(os.fsencode(folder / "bin" / "sh"))
    assert insecure.resolve(os.fsencode(folder / "bin" / "sh")) == Program(os.fsencode(folder / "bin" / "sh"))
    assert isinstance(insecure.resolve(b"/no/such/thing"), Missing)
    assert isinstance(insecure.resolve(b"a/b"), Forbidden)


def test_a_list_of_commands_replaces_the_names(folder):
    listing = folder / "list"
    gcc = os.fsencode(folder / "bin" / "gcc")
    listing.write_bytes(gcc + b"\nrelative\n/opt/other/clang\n")
    listed = rules(folder, command_list=str(listing))
    assert listed.resolve(b"gcc") == Program(gcc)
    assert listed.resolve(b"/anything/gcc") == Program(gcc)
    assert isinstance(listed.resolve(b"clang"), Missing)
    assert isinstance(listed.resolve(b"sh"), Forbidden)
    assert isinstance(listed.resolve(b"relative"), Forbidden)


def test_more_words_of_a_listed_path_can_be_compared(folder):
    listing = folder / "list"
    gcc = os.fsencode(folder / "bin" / "gcc")
    listing.write_bytes(gcc)
    listed = rules(folder, command_list=str(listing), command_list_words=2)
    assert listed.resolve(b"bin/gcc") == Program(gcc)
    assert isinstance(listed.resolve(b"gcc"), Forbidden)


def test_a_list_that_cannot_be_read_allows_nothing(folder):
    refused = rules(folder, command_list=str(folder / "absent")).resolve(b"gcc")
    assert isinstance(refused, Forbidden)
    assert "absent" in refused.sentence
