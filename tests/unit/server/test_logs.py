"""Where the log goes."""

import logging

import pytest

from fleetcc.errors import ExitCode
from fleetcc.server import logs


@pytest.fixture(autouse=True)
def the_log_of_the_tests_comes_back():
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], logging.raiseExceptions = handlers, raises
    root.setLevel(level)


def test_a_file_takes_the_records_of_its_level_and_above(tmp_path):
    logs.set_up(logs.LEVELS["notice"], str(tmp_path / "log"), to_stderr=False)
    logging.getLogger("x").info("quiet")
    logging.getLogger("x").log(logs.NOTICE, "noted")
    logs.warn("loud")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == ["NOTICE noted", "WARNING loud"]


def test_a_renamed_file_is_left_alone_after_reopening(tmp_path):
    logs.set_up(logging.INFO, str(tmp_path / "log"), to_stderr=False)
    logs.warn("one")
    (tmp_path / "log").rename(tmp_path / "old")
    logs.reopen()
    logs.warn("two")
    assert "two" not in (tmp_path / "old").read_text()
    assert "two" in (tmp_path / "log").read_text()


def test_standard_error_when_asked(capsys):
    logs.set_up(logging.INFO, None, to_stderr=True)
    logs.warn("here")
    assert "WARNING here" in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_is_an_error_with_its_own_status():
    with pytest.raises(logs.LogFileError, match="/no/such/log") as error:
        logs.set_up(logging.INFO, "/no/such/log", to_stderr=False)
    assert error.value.exit_code is ExitCode.IO_ERROR
