"""`fleetcc verify`: what it runs, and what it makes of the agent's counts before and after."""

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fleetcc.cli import verify
from fleetcc.errors import UsageError

BEFORE = {"pid": 7, "verified": 3, "differed": 1, "differences": ["an old one"]}


@pytest.fixture
def run(bare: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    def invoke(*arguments: str, status: tuple[dict[str, Any] | None, ...] = (None, None)) -> Result:
        answers = iter(status)
        monkeypatch.setattr(verify, "ask_agent", lambda *_: next(answers))
        return CliRunner().invoke(verify.command, arguments)

    return invoke


def after(verified: int, *differences: str, **fields: Any) -> dict[str, Any]:
    told = {"verified": 3 + verified, "differed": 1 + len(differences)}
    return BEFORE | told | {"differences": ["an old one", *differences]} | fields


def test_a_build_is_run_and_its_status_is_ours(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    result = run("--", "sh", "-c", 'echo "share $FLEETCC_VERIFY"; exit 3', status=(BEFORE, after(2)))

    assert (result.exit_code, result.output) == (3, "2 compiles verified, 0 differed\n")
    assert capfd.readouterr().out == "share 100%\n"


def test_a_build_that_was_killed_has_the_status_that_shells_give_it(run: Any) -> None:
    assert run("--", "sh", "-c", "kill -TERM $$").exit_code == 128 + 15


def test_a_sample_is_told_to_the_build(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    run("--sample", "1%", "--", "sh", "-c", 'echo "$FLEETCC_VERIFY"')

    assert capfd.readouterr().out == "1%\n"


def test_what_differs_is_named_and_is_exit_1(run: Any) -> None:
    result = run("true", status=(BEFORE, after(9, "a.c on red: a.o: in length", "b.c on red: stderr")))

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "differs: a.c on red: a.o: in length",
        "differs: b.c on red: stderr",
        "9 compiles verified, 2 differed",
    ]


def test_of_more_differences_than_the_agent_remembers_all_that_it_does_are_named(run: Any) -> None:
    told = after(500, differed=400, differences=[f"{number}.c" for number in range(100)])

    assert len(run("true", status=(BEFORE, told)).output.splitlines()) == 101


@pytest.mark.parametrize("before", [None, BEFORE | {"pid": 6, "verified": 50, "differed": 50}])
def test_another_agent_has_counted_from_the_start(run: Any, before: dict[str, Any] | None) -> None:
    found = {"pid": 7, "verified": 2, "differed": 1, "differences": ["a.c"]}

    result = run("true", status=(before, found))

    assert result.output.splitlines() == ["differs: a.c", "2 compiles verified, 1 differed"]


@pytest.mark.parametrize("status", [(None, None), (BEFORE, after(0))])
def test_a_build_without_remote_compiles_says_so(run: Any, status: Any) -> None:
    result = run("true", status=status)

    assert result.exit_code == 0
    assert result.output.startswith("nothing was verified: no compile of this share went to a host. ")


def test_a_compiler_is_run_through_fleetcc(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fleetcc"
    program.write_text('#!/bin/sh\necho "$@" > "$HOME/told"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    run("--", "g++", "-O2", "-c", "x.cc")

    assert (tmp_path / "told").read_text() == "g++ -O2 -c x.cc\n"


def test_a_command_that_is_not_there_is_the_users_mistake(run: Any) -> None:
    result = run("/nowhere/make")

    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "/nowhere/make: No such file or directory"


def test_a_share_that_is_none_is_the_users_mistake(run: Any) -> None:
    assert isinstance(run("--sample", "200%", "true").exception, UsageError)
