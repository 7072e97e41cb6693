"""`fleetcc stats`, as its user meets it."""

import json
import time
from pathlib import Path

import pytest

from fleetcc.cli.stats import command
from tests.support.past_builds import START, local, remote, write_journal
from tests.support.past_cli import sentence, verb

__all__ = ["verb"]  # a fixture


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> None:
    now = time.time() - START
    jobs = [remote(1, build="old"), remote(2, build="new", at=now - 1), local(3, build="new", at=now - 1)]
    write_journal(tmp_path / "state", jobs)
    (tmp_path / "state").chmod(0o700)


def jobs_in(result) -> dict[str, int]:
    return {name: stats["jobs"] for name, stats in json.loads(result.stdout).items()}


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        ([], {"build": 2, "today": 2}),
        (["--build", "old"], {"build": 1}),
        (["--today"], {"today": 2}),
        (["--all"], {"all": 3}),
    ],
)
def test_the_last_build_and_today_or_what_is_asked_for(verb, arguments: list[str], jobs) -> None:
    assert jobs_in(verb(command, "--json", *arguments)) == jobs


def test_people_get_a_table(verb) -> None:
    output = verb(command).output

    assert output.startswith("build new: 2 jobs, 1 on hosts, 1 here\n")
    assert "\ntoday: 2 jobs" in output


def test_no_name_does_anything_to_the_terminal(verb, tmp_path: Path) -> None:
    name = "\x1b[2J\n"
    write_journal(tmp_path / "state", [remote(1, name, label=name, build=name, reason=name)])

    assert "\x1b" not in verb(command, "--all").output
    assert "\\x1b[2J\\n" in verb(command, "--all").output


def test_two_choices_at_once_are_refused(verb) -> None:
    assert "exclude each other" in sentence(verb(command, "--all", "--today"))
