"""`fleetcc log`, as its user meets it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcc.cli.log import command
from fleetcc.errors import ExitCode
from fleetcc.monitor.journal import Journal
from tests.support.past_builds import local, remote, write_journal
from tests.support.past_cli import sentence, verb

__all__ = ["verb"]  # a fixture


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> Path:
    jobs = [remote(number) for number in range(1, 31)] + [local(31), remote(32, "b2:3632", status=256)]
    path = write_journal(tmp_path / "state", jobs).parent
    path.chmod(0o700)
    return path


def shown(result) -> list[int]:
    return [int(line.split()[2]) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        ([], [*range(13, 33)]),
        (["-n", "2"], [31, 32]),
        (["-n", "0"], [*range(1, 33)]),
        (["--reason", "linking"], [31]),
        (["--host", "b2"], [32]),
        (["--failed"], [32]),
        (["-n", "1", "--host", "b1:3632"], [30]),
    ],
)
def test_the_newest_jobs_come_last(verb, arguments: list[str], jobs: list[int]) -> None:
    assert shown(verb(command, *arguments)) == jobs


def test_programs_get_the_journals_lines(verb) -> None:
    lines = [json.loads(line) for line in verb(command, "--json", "-n", "2").stdout.splitlines()]

    assert [line["job"] for line in lines] == [31, 32]
    assert lines[1]["phases"][-1][0] == "returning"


def test_nothing_found_is_status_1(verb) -> None:
    result = verb(command, "--host", "nobody")

    assert (result.exit_code, result.output) == (1, "")


def test_a_reason_that_is_none_is_refused(verb) -> None:
    assert "perhaps linking" in sentence(verb(command, "--reason", "linkng"))


def environment_of(state: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONUNBUFFERED": "1",
        "FLEETCC_DIR": str(state), "HOME": str(state), "PATH": "/usr/bin:/bin",
    }  # fmt: skip


def calling(state: Path, stdout) -> subprocess.CompletedProcess[bytes]:
    """`fleetcc log` as a process of its own."""
    words = [sys.executable, "-c", "from fleetcc.cli.main import main; main()", "log", "-n", "0"]
    return subprocess.run(
        words, env=environment_of(state), stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
    )


def test_a_reader_that_has_gone_is_no_news(state: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = calling(state, writing)
    finally:
        os.close(writing)

    assert result.returncode != 0
    assert result.stderr == b""


def test_a_full_disk_is_said(state: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = calling(state, full)

    assert result.returncode == ExitCode.IO_ERROR
    assert result.stderr == b"fleetcc: standard output: cannot be written: No space left on device\n"


def test_following_goes_on_until_it_is_interrupted(state: Path) -> None:
    journal = Journal(str(state))
    script = "import sys; from fleetcc.cli.log import command; command.main(args=sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", script, "-f", "-n", "1", "--reason", "remote"],
        env=environment_of(state), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert " 32 " in process.stdout.readline()
        journal.add(local(33))
        journal.add(remote(34))
        journal.flush()
        assert " 34 " in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == ""
