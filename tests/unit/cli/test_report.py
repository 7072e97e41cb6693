"""`fleetcc report`, as its user meets it."""

import webbrowser
from pathlib import Path

import pytest

from fleetcc.agent.history_file import encode_history, write_history
from fleetcc.cli.report import command
from fleetcc.scheduling.history import History, HostSpeed
from tests.support.past_builds import busy_build, write_journal
from tests.support.past_cli import sentence, verb

__all__ = ["verb"]  # a fixture


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = write_journal(tmp_path / "state", busy_build(2, 2, 5, parallel=8)).parent
    path.chmod(0o700)
    return path


def test_the_page_is_written(verb, state: Path, tmp_path: Path) -> None:
    result = verb(command)

    assert result.exit_code == 0
    assert "report.html: about 20 jobs of build build-1" in result.stderr
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_speeds_are_those_that_an_agent_has_learned(verb, state: Path, tmp_path: Path) -> None:
    history = History()
    speeds = {"b0:3632": HostSpeed(0.5, 0.1), "b1:3632": HostSpeed(-0.5, 0.1)}
    history.restore([], speeds)
    write_history(str(state / "history"), encode_history(history))

    verb(command, "-o", "page.html")

    page = (tmp_path / "page.html").read_text()
    assert "1.6" in page
    assert "0.61" in page


def test_a_browser_is_asked_to_show_it(verb, state: Path, tmp_path: Path, monkeypatch) -> None:
    shown: list[str] = []

    def show(where: str) -> bool:
        shown.append(where)
        return True

    monkeypatch.setattr(webbrowser, "open", show)

    assert verb(command, "-o", "page.html", "--open").exit_code == 0
    assert shown == [(tmp_path / "page.html").as_uri()]


def test_no_browser_is_said(verb, state: Path, monkeypatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    assert "open report.html by hand" in sentence(verb(command, "--open"))


def test_a_build_that_is_not_there_is_said(verb, state: Path, tmp_path: Path) -> None:
    assert "the journal has no build" in sentence(verb(command, "--build", "x"))
    assert not (tmp_path / "report.html").exists()
