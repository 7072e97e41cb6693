"""`fleetcc config`, as its user meets it."""

import json
import os
from functools import partial

import pytest

from fleetcc.cli.config import command


@pytest.fixture
def run(call):
    return partial(call, command)


def test_each_setting_has_a_line_with_its_value_and_where_it_came_from(run):
    result = run(FLEETCC_HOSTS="red/3 blue", DISTCC_IO_TIMEOUT="20")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["hosts"].split() == ["hosts", "red/3", "blue", "FLEETCC_HOSTS"]
    assert lines["io_timeout_seconds"].split() == ["io_timeout_seconds", "20", "DISTCC_IO_TIMEOUT"]
    assert lines["fallback"].split() == ["fallback", "on", "default"]
    assert result.exit_code == 0


def test_the_origins_stand_below_each_other(run):
    lines = run(FLEETCC_HOSTS="red").stdout.splitlines()
    columns = {line.rindex("  ") for line in lines if "default" in line and len(line) < 80}
    assert len(columns) == 1


def test_json_has_values_with_their_types(run):
    rows = {row["name"]: row for row in json.loads(run("--json", FLEETCC_EXACT="0").stdout)}
    assert rows["exact"]["value"] is False
    assert rows["exact"]["origin"] == "FLEETCC_EXACT"
    assert rows["ssh"]["value"] == ["ssh"]
    assert rows["local_slots"]["value"] is None
    assert rows["idle_exit_seconds"]["help"]


def test_a_bad_value_is_one_line_and_exit_101(run):
    result = run(FLEETCC_FALLBACK="perhaps")
    assert result.exit_code == 101
    assert result.stdout == ""
    assert result.stderr.startswith("fleetcc: FLEETCC_FALLBACK: found 'perhaps'; expected 0 or 1")
    assert result.stderr.count("\n") == 1


def test_a_misspelt_variable_is_mentioned_on_standard_error(run):
    result = run(FLEETCC_HOST="red")
    assert (
        result.stderr == "fleetcc: FLEETCC_HOST is set, but nothing reads it; did you mean FLEETCC_HOSTS?\n"
    )
    assert result.exit_code == 0


def test_a_value_that_no_terminal_can_show_is_escaped(run):
    result = run(FLEETCC_HOSTS="red\x1b[31m\nblue", DISTCC_LOG=os.fsdecode(b"/l/\xff"))
    assert r"red\x1b[31m\nblue" in result.stdout
    assert r"/l/\udcff" in result.stdout
