"""The completions in real shells: what bash, zsh and fish make of a line that is not finished."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.checkout import PACKAGING

FOLDER = PACKAGING / "completions"
SECONDS = 30.0
ENVIRONMENT = {"TERM": "dumb", "LC_ALL": "C"}


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def world(tmp_path):
    """A folder with a file, and the only PATH: some compilers, and what the completions call."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gcc", "g++-12", "x86_64-linux-gnu-gcc", "ccache", "make"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for name in ("grep", "sort", "basename"):
        (programs / name).symlink_to(shutil.which(name))
    (tmp_path / "trace.json").write_text("{}")
    return tmp_path


def program(name: str) -> str:
    """Its path, which the world's own PATH does not tell."""
    path = shutil.which(name)
    assert path is not None
    return path


def run(world: Path, shell: str, *arguments: str) -> str:
    told: str = subprocess.run(
        [program(shell), *arguments],
        cwd=world,
        env={**ENVIRONMENT, "PATH": str(world / "bin"), "HOME": str(world)},
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    ).stdout
    return told


def bash(world: Path, line: str) -> list[str]:
    """What bash would offer: a word for each, the last being the one to complete; = is a word of its own."""
    words = (
        [word for part in line.split(" ") for word in re.split(r"(=)", part)]
        if "=" in line
        else line.split(" ")
    )
    ours = words[0]
    told = run(
        world,
        "bash",
        "--norc",
        "-c",
        f"source {FOLDER}/{ours}.bash; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
        f'_{ours}; printf "%s\\n" "${{COMPREPLY[@]}}"',
    )
    return [offered for offered in told.split("\n") if offered]


def fish(world: Path, line: str) -> list[str]:
    ours = line.partition(" ")[0]
    told = run(
        world,
        "fish",
        "--no-config",
        "-c",
        f"source {FOLDER}/{ours}.fish; complete -C {shlex.quote(line)}",
    )
    return [offered.partition("\t")[0] for offered in told.splitlines()]


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, world: Path) -> None:
        self._seen = b""
        self._terminal, inside = pty.openpty()
        self._process = subprocess.Popen(
            [program("setsid"), "--ctty", program("zsh"), "-f", "-i"],
            cwd=world,
            env={**ENVIRONMENT, "PATH": str(world / "bin"), "HOME": str(world), "PS1": "$ "},
            stdin=inside, stdout=inside, stderr=inside,
        )  # fmt: skip
        os.close(inside)
        self.type(f"fpath=({FOLDER} $fpath); autoload -U compinit; compinit -D -u; print beg''un\n")
        assert self.shows("begun\r")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def shows(self, text: str) -> bool:
        """Whether this appears, now or within the time."""
        deadline = time.monotonic() + SECONDS
        while text.encode() not in self._seen and time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 1.0)[0]:
                self._seen += os.read(self._terminal, 1 << 16)
        found = text.encode() in self._seen
        self._seen = b""
        return found

    def close(self) -> None:
        os.close(self._terminal)  # hangs it up
        self._process.wait(SECONDS)


@pytest.fixture
def zsh(world):
    shell = Zsh(world)
    yield shell
    shell.close()


CASES = [
    ("fleetcc sta", ["stats", "status"]),
    ("fleetcc log --r", ["--reason"]),
    ("fleetcc log --reason link", ["link-time", "linking"]),
    ("fleetcc run --jobserver ", ["auto", "fifo", "none", "pipe"]),
    ("fleetcc agent st", ["start", "status", "stop"]),
    ("fleetcc g", ["g++-12", "gcc"]),
    ("fleetcc --no-fallback g", ["g++-12", "gcc"]),
    ("fleetcc run -- mak", ["make"]),
    ("fleetcc run --jobserver fifo mak", ["make"]),
    ("fleetcc explain -- gcc -c tra", ["trace.json"]),
    ("fleetcc x86_64-linux-gnu-gcc -c tra", ["trace.json"]),
    ("fleetcc trace -o tra", ["trace.json"]),
    ("fleetccd --state-d", ["--state-dir"]),
    ("fleetccd doc", ["doctor"]),
]


@needs("bash")
@pytest.mark.parametrize(("line", "offered"), [*CASES, ("fleetcc --priority=c", ["ci"])])
def test_bash_offers(world, line, offered):
    assert sorted(bash(world, line)) == offered


@needs("bash")
def test_bash_offers_nothing_where_only_the_user_knows(world):
    assert bash(world, "fleetccd --jobs ") == []
    assert bash(world, "fleetcc log --host b") == []


@needs("fish")
@pytest.mark.parametrize(("line", "offered"), [*CASES, ("fleetcc --priority=c", ["--priority=ci"])])
def test_fish_offers(world, line, offered):
    assert sorted(fish(world, line)) == offered


@needs("zsh")
@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("fleetcc expl", "explain "),
        ("fleetcc log --rea", "--reason="),
        ("fleetcc run --jobserver fi", "fifo "),
        ("fleetcc agent sto", "stop "),
        ("fleetcc g++", "g++-12 "),
        ("fleetcc --priority=c", "--priority=ci "),
        ("fleetcc run -- mak", "make "),
        ("fleetcc trace -o tra", "trace.json "),
        ("fleetccd --state-d", "--state-dir="),
    ],
)
def test_zsh_completes(zsh, line, becomes):
    zsh.type(line + "\t")
    assert zsh.shows(line.rpartition(" ")[0] + " " + becomes)


@pytest.mark.parametrize(("shell", "name"), [("bash", "*.bash"), ("zsh", "_*"), ("fish", "*.fish")])
def test_every_file_is_a_program_of_its_shell(shell, name):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    paths = sorted(FOLDER.glob(name))
    assert len(paths) == 2
    for path in paths:
        subprocess.run([shell, "-n", path], check=True)
