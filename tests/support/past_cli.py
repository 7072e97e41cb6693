"""The verbs that look at the journal, called as a user calls them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from fleetcc.errors import FleetccError


@pytest.fixture
def verb(bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls a command; the state folder is `tmp_path/state`. Our own errors come out as a user sees them."""
    monkeypatch.setenv("FLEETCC_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def call(command: click.Command, *arguments: Any) -> Result:
        result = CliRunner().invoke(command, [str(word) for word in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit | FleetccError):
            raise result.exception
        return result

    return call


def sentence(result: Result) -> str:
    """What our own error says."""
    assert isinstance(result.exception, FleetccError), result.output
    return str(result.exception)
