"""The `make` that stands before one which reads descriptors only."""

import os
import subprocess
from pathlib import Path

import pytest

from fleetcc.jobserver.old_make import make_script
from tests.support.launcher import write_program

# Stands in for the make: says its flags and arguments, and what is in descriptor 9.
MAKE = """#!/bin/sh
printf '%s|' "$MAKEFLAGS" "$@"
case "$MAKEFLAGS" in *=9,9*) readlink /proc/self/fd/9;; esac
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    make = write_program(tmp_path / "it's a $HOME folder" / "make", MAKE)
    os.mkfifo(tmp_path / "tokens")
    return write_program(tmp_path / "make", make_script(str(make)))


def said(script: Path, flags: str | None) -> str:
    environment = {"PATH": "/usr/bin:/bin"} | ({"MAKEFLAGS": flags} if flags is not None else {})
    done = subprocess.run([script, "-k", "a b", ""], env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("k -j4 --jobserver-auth=fifo:{fifo}", "k -j4 --jobserver-auth=9,9"),
        (" -j4 --jobserver-auth=fifo:{fifo} --x -- V=a\\ b", " -j4 --jobserver-auth=9,9 --x -- V=a\\ b"),
    ],
)
def test_a_named_pipe_becomes_a_descriptor(script: Path, tmp_path: Path, flags: str, told: str) -> None:
    fifo = tmp_path / "tokens"
    assert said(script, flags.format(fifo=fifo)) == f"{told}|-k|a b||{fifo}".strip()


@pytest.mark.parametrize(
    "flags", [None, "", "ks", " -j4 --jobserver-auth=3,4", " --jobserver-auth=fifo:/nowhere"]
)
def test_everything_else_is_left_alone(script: Path, flags: str | None) -> None:
    assert said(script, flags) == f"{flags or ''}|-k|a b||".strip()
