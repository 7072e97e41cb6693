"""For all verbs: called without a variable of whoever runs the tests."""

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that we read is set, and home is an empty folder."""
    for name in list(os.environ):
        if name.startswith(("FLEETCC", "DISTCC", "XDG_")) or name in {"CC", "CXX"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def call(bare: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls a command with arguments, and with variables as keywords."""

    def invoke(command: click.Command, *arguments: str, **variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(command, arguments)

    return invoke
