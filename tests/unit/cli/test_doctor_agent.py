"""The checks of agent and launcher."""

import os
import shutil
import sys

import pytest

from fleetcc import __version__
from fleetcc.cli.doctor_agent import (
    Lstat,
    check_agent,
    check_launcher,
    judge_agent,
    judge_folder,
    judge_launcher,
    try_to_start,
)
from fleetcc.monitor.doctor.findings import Level
from fleetcc.settings import load_settings

ELF = b"\x7fELF" + __version__.encode() + b"\0"
SAID = f"fleetcc {__version__} x86_64-linux-gnu\n"


@pytest.fixture
def settings(tmp_path):
    return load_settings({b"FLEETCC_DIR": bytes(tmp_path / "agent"), b"HOME": bytes(tmp_path)}, system="/no")


@pytest.mark.parametrize("found", [None, Lstat(is_folder=True, owner=7, mode=0o700)])
def test_a_folder_that_is_ours_alone_or_not_there_yet_is_in_order(found):
    assert judge_folder("/run/fleetcc", found, 7) == []


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        (Lstat(is_folder=True, owner=7, mode=0o750), "chmod 700 /run/fleetcc"),
        (Lstat(is_folder=True, owner=8, mode=0o700), "set FLEETCC_DIR to a folder of yours"),
        (Lstat(is_folder=False, owner=7, mode=0o777), "remove it, or set FLEETCC_DIR"),
    ],
)
def test_a_folder_that_launchers_do_not_enter_is_an_error(found, remedy):
    (finding,) = judge_folder("/run/fleetcc", found, 7)
    assert (finding.level, finding.remedy) == (Level.ERROR, remedy)


def test_an_agent_of_this_version_is_in_order_and_of_another_not():
    status = {"version": __version__, "pid": 12, "total": 3}
    (finding,) = judge_agent("/run/fleetcc", status)
    assert (finding.level, "pid 12" in finding.text) == (Level.OK, True)
    (finding,) = judge_agent("/run/fleetcc", {**status, "version": "0.0"})
    assert (finding.level, "fleetcc agent stop" in finding.remedy) == (Level.ERROR, True)


def test_without_an_agent_one_is_started_elsewhere_and_nothing_is_left(settings, tmp_path):
    (finding,) = check_agent(settings, is_quick=False)

    assert (finding.level, finding.title) == (Level.OK, "agent")
    assert "has been started elsewhere" in finding.text
    assert not os.path.exists(settings.agent_dir)


def test_a_quick_look_starts_none(settings):
    (finding,) = check_agent(settings, is_quick=True)
    assert finding.level is Level.OK
    assert "elsewhere" not in finding.text


def test_a_start_that_failed_lately_is_told(settings, tmp_path):
    os.mkdir(settings.agent_dir, 0o700)
    (tmp_path / "agent/start-failed").touch()
    found = check_agent(settings, is_quick=True)
    assert [finding.level for finding in found] == [Level.WARNING, Level.OK]
    assert "launchers try again" in found[0].text


def test_a_folder_of_another_mode_is_found(settings):
    os.mkdir(settings.agent_dir, 0o755)
    (finding,) = check_agent(settings, is_quick=False)
    assert finding.level is Level.ERROR
    assert "mode 0755" in finding.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    settings = load_settings({b"FLEETCC_DIR": bytes(tmp_path / "agent")}, system="/no")
    (finding,) = check_agent(settings, is_quick=True)
    assert finding.level is Level.ERROR


def test_an_agent_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert try_to_start({}) == "/nonexistent/python: No such file or directory"
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert try_to_start({}) == "it ended with status 1"


@pytest.mark.parametrize(
    ("content", "said", "level", "words"),
    [
        (ELF, SAID, Level.OK, "the launcher in C"),
        (b"#!/usr/bin/python3\n", SAID, Level.WARNING, "the launcher in Python"),
        (b"\x7fELF 0.0.1\0", SAID, Level.WARNING, "was built for another version"),
        (ELF, "fleetcc 0.0.1 x86_64\n", Level.ERROR, "is version 0.0.1"),
        (ELF, "", Level.ERROR, "does not say its version"),
    ],
)
def test_the_launcher_belongs_to_this_installation(content, said, level, words):
    (finding,) = judge_launcher("/usr/bin/fleetcc", content, said)
    assert finding.level is level
    assert words in finding.text


def test_a_launcher_that_is_not_on_path_or_does_not_run(tmp_path):
    environment = {b"PATH": bytes(tmp_path)}
    (finding,) = check_launcher(environment)
    assert finding.level is Level.WARNING
    program = tmp_path / "fleetcc"
    program.write_text("#!/nonexistent\n")
    program.chmod(0o755)
    (finding,) = check_launcher(environment)
    assert finding.level is Level.ERROR
    program.write_text(f"#!/bin/sh\necho fleetcc {__version__} here\n")
    (finding,) = check_launcher(environment)
    assert (finding.level, "in Python" in finding.text) == (Level.WARNING, True)
