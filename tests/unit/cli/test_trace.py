"""`fleetcc trace`, as its user meets it."""

import gzip
from pathlib import Path

import pytest

from fleetcc.cli.trace import command
from tests.support.past_builds import local, remote, write_journal
from tests.support.past_cli import sentence, verb
from tests.support.trace_format import check_trace

__all__ = ["verb"]  # a fixture


@pytest.fixture
def state(tmp_path: Path) -> Path:
    jobs = [
        remote(1, build="20260101-a"),
        remote(2, build="20260102-b", at=100),
        local(3, build="20260102-b"),
    ]
    write_journal(tmp_path / "state", jobs)
    (tmp_path / "state").chmod(0o700)
    return tmp_path


def labels(content: bytes) -> list[str]:
    return [event["name"] for event in check_trace(content) if event.get("cat") == "job" and event["pid"] > 1]


def test_the_last_build_is_meant(verb, state: Path) -> None:
    result = verb(command, "-o", "build.json")

    assert result.exit_code == 0
    assert "build.json: 2 jobs" in result.stderr
    assert set(labels((state / "build.json").read_bytes())) == {"src/u2.cc", "app3"}


def test_a_build_is_named_by_how_it_begins(verb, state: Path) -> None:
    verb(command, "-o", "build.json", "--build", "20260101")

    assert labels((state / "build.json").read_bytes()) == ["src/u1.cc"]


def test_all_is_everything(verb, state: Path) -> None:
    verb(command, "-o", "build.json", "--all")

    assert len(labels((state / "build.json").read_bytes())) == 3


def test_a_pipe_gets_it_without_a_name(verb, state: Path) -> None:
    assert len(labels(verb(command).stdout_bytes)) == 2
    assert len(labels(verb(command, "-o", "-").stdout_bytes)) == 2


def test_a_name_that_ends_in_gz_is_packed(verb, state: Path) -> None:
    verb(command, "-o", "build.json.gz")

    assert len(labels(gzip.decompress((state / "build.json.gz").read_bytes()))) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--build", "x"], "the journal has no build 'x'; the last ones are 20260101-a, 20260102-b"),
        (["--build", "2026"], "2 builds begin with '2026'"),
        (["--build", "x", "--all"], "exclude each other"),
        (["-o", "none/build.json"], "-o none/build.json: cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_is_said(verb, state: Path, arguments: list[str], words: str) -> None:
    assert words in sentence(verb(command, *arguments))


def test_an_empty_journal_is_said(verb, tmp_path: Path) -> None:
    assert "no job has ended yet" in sentence(verb(command, "-o", "build.json"))
    assert not (tmp_path / "build.json").exists()
