"""A helper is found and tried; here only those that do not work."""

import os
import sys

import pytest

from fleetcc.sandbox.probe import CannotSandbox, find_helper, probe


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_a_chosen_helper_comes_first():
    assert find_helper({"FLEETCC_SANDBOX": "/chosen", "PATH": "/usr/bin"}) == "/chosen"


def test_a_helper_beside_python_comes_before_one_on_path(tmp_path, monkeypatch):
    for name in ("beside", "path"):
        (tmp_path / name).mkdir()
        write_program(tmp_path / name / "fleetcc-sandbox", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "beside" / "python"))

    assert find_helper({"PATH": str(tmp_path / "path")}) == str(tmp_path / "beside" / "fleetcc-sandbox")
    os.unlink(tmp_path / "beside" / "fleetcc-sandbox")
    assert find_helper({"PATH": str(tmp_path / "path")}) == str(tmp_path / "path" / "fleetcc-sandbox")
    assert find_helper({"PATH": str(tmp_path)}) is None


def test_no_helper_is_a_reason(tmp_path):
    found = probe(str(tmp_path), None)

    assert isinstance(found, CannotSandbox)
    assert "not installed" in found.reason
    assert "C compiler" in found.remedy


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$", "echo short", ""])
def test_a_helper_that_does_not_answer_is_a_reason(tmp_path, script):
    helper = write_program(tmp_path / "helper", f"#!/bin/sh\n{script}\n")

    found = probe(str(tmp_path / "state"), helper)

    assert isinstance(found, CannotSandbox)
    assert "cannot be run" in found.reason


def test_a_helper_that_is_no_program_is_a_reason(tmp_path):
    assert isinstance(probe(str(tmp_path), str(tmp_path / "missing")), CannotSandbox)


def test_a_failure_of_the_helper_is_explained(tmp_path):
    # What the helper says where a container forbids namespaces: failed, at stage 3, with EPERM.
    record = r"\1\0\0\0\3\0\0\0\1" + r"\0" * 31
    helper = write_program(tmp_path / "helper", f"#!/bin/sh\nprintf '{record}'\nexit 125\n")

    found = probe(str(tmp_path), helper)

    assert isinstance(found, CannotSandbox)
    assert "making namespaces: Operation not permitted" in found.reason
    assert found.remedy


def test_a_helper_that_runs_nothing_is_a_reason_and_leaves_nothing(tmp_path):
    started = r"\3" + r"\0" * 39
    script = f"#!/bin/sh\ncase $1 in hold) printf '{started}'; cat;; esac\nexit 3\n"
    helper = write_program(tmp_path / "helper", script)
    before = set(os.listdir("/proc/self/fd"))

    found = probe(str(tmp_path / "state"), helper)

    assert isinstance(found, CannotSandbox)
    assert "unexpectedly" in found.reason
    assert os.listdir(tmp_path / "state") == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_directory_that_cannot_be_used_is_a_reason(tmp_path):
    (tmp_path / "file").touch()

    found = probe(str(tmp_path / "file" / "state"), "/bin/true")

    assert isinstance(found, CannotSandbox)
    assert "--state-dir" in found.remedy
