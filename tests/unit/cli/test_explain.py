"""`fleetcc explain`, with this machine's gcc and hosts that are listeners on loopback."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fleetcc.cli.explain import command
from fleetcc.model import Form
from fleetcc.wire.greeting import Welcome, encode_welcome
from tests.unit.cli.test_hosts import host

__all__ = ["host"]  # a fixture

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")

FILES = encode_welcome(Welcome("fleetccd 9", tuple(Form), (1, 2), 8, 8, 0, 0, no_files=""))
TEXT = encode_welcome(Welcome("fleetccd 9", tuple(Form), (1, 2), 8, 8, 0, 0, no_files="no namespaces"))
STOCK = b""


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any) -> Any:
    for name in list(os.environ):
        if name.startswith(("FLEETCC", "DISTCC", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def invoke(line: str, *answers: bytes, **variables: str) -> tuple[dict[str, str], list[str]]:
        hosts = [host(answer).entry for answer in answers]
        monkeypatch.setenv("FLEETCC_HOSTS", " ".join(hosts))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(command, ["--", *line.split()], catch_exceptions=False)
        assert result.exit_code == 0
        lines = [tuple(text.split(None, 1)) for text in result.output.splitlines()]
        told = [text for name, text in lines if name == "host"]
        for entry, short in zip(hosts, "ABC", strict=False):
            told = [text.replace(entry, short) for text in told]
        return {name: text for name, text in lines if name not in {"host", "and", "runs"}}, told

    return invoke


def test_a_host_that_takes_files_gets_files(explain: Any) -> None:
    told, hosts = explain("gcc -O2 -MD -c a.c -o out/a.o", FILES)

    assert told["decision"] == "on a host (remote), as files"
    assert (told["source"], told["output"]) == ("a.c", "out/a.o")
    assert hosts == ["A: can take it (as files)"]
    assert "depfile" not in told  # the compiler there writes it


def test_a_host_without_a_sandbox_gets_text(explain: Any) -> None:
    told, hosts = explain("gcc -O2 -MD -c a.c -o out/a.o", TEXT, STOCK)

    assert told["decision"] == "on a host (remote), as preprocessed text"
    assert hosts == ["A: can take it (expanded)", "B: can take it (expanded)"]
    assert told["depfile"] == "out/a.d (written by the preprocessor here)"


def test_each_host_gets_what_it_can_take(explain: Any) -> None:
    _, hosts = explain("gcc -g -c a.c", FILES, TEXT, STOCK)

    assert hosts[:2] == ["A: can take it (as files)", "B: can take it (directives)"]
    assert hosts[2].startswith("C: cannot: ")


def test_what_only_files_carry_stays_where_no_host_takes_them(explain: Any) -> None:
    told, hosts = explain("gcc -march=native -c a.c", TEXT)

    assert told["decision"] == "here (native-cpu)"
    assert hosts == []


@pytest.mark.parametrize(
    ("mode", "decision"),
    [
        ("auto", "on a host (remote), as files"),
        ("replica", "on a host (remote), as files"),
        ("preprocessed", "on a host (remote), as preprocessed text"),
        ("local", "here (mode-local)"),
    ],
)
def test_the_mode_is_obeyed(explain: Any, mode: str, decision: str) -> None:
    told, _ = explain("gcc -c a.c", FILES, FLEETCC_MODE=mode)

    assert told["decision"] == decision


def test_replica_mode_without_a_sandbox_says_why_it_stays(explain: Any) -> None:
    told, _ = explain("gcc -c a.c", TEXT, FLEETCC_MODE="replica")

    assert told["decision"] == "here (no-sandbox)"


def test_what_stays_in_any_case_asks_no_host(explain: Any) -> None:
    told, _ = explain("gcc a.c", FILES)

    assert told["decision"] == "here (linking)"
