"""`fleetcc simulate`: options, table, JSON and errors."""

import json

import pytest
from click.testing import CliRunner

from fleetcc.cli.simulate import command

SMALL = ["--jobs", "20", "--seeds", "1", "--hosts", "2@1 1@0.5"]


def run(*arguments, fails=False):
    result = CliRunner().invoke(command, [*SMALL, *arguments])
    assert (result.exit_code != 0) == fails, result.output
    return result.output


def test_a_table_of_all_policies():
    lines = run().splitlines()
    assert lines[0].startswith("2 hosts, 3 slots, capacity 2.5")
    assert len(lines) == 11


def test_json_for_programs():
    (row,) = json.loads(run("--json", "--policies", "fleetcc", "--clients", "2"))
    assert row["policy"] == "fleetcc"
    assert list(row["clients"]) == ["client1", "client2"]
    assert row["ratio"] >= 1


def test_events_of_hosts():
    output = run(
        "--die", "h2@1", "--hidden", "h1@0-2*0.5", "--join", "h2@0.5", "--leave", "h2@0.9", "-j", "4"
    )
    assert "fleetcc-again" in output


def test_recorded_durations(tmp_path):
    path = tmp_path / "seconds.json"
    path.write_text("[1, 2, 3]")
    assert "ideal" in run("--durations", str(path), "--seeds", "2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hosts", "many"], "SLOTS@SPEED"),
        (["--die", "h9@1"], "none of the hosts h1 to h2"),
        (["--die", "h1@1", "--leave", "h2@1"], "at least one must stay"),
        (["--policies", "best"], "'best' is none of ideal, distcc-names"),
        (["--policies", ","], "--policies: none"),
        (["--hidden", "h1@1"], "HOST@START-END*FACTOR"),
        (["--durations", "/nowhere/at/all"], "No such file"),
    ],
)
def test_mistakes_are_told(arguments, message):
    assert message in run(*arguments, fails=True)


def test_a_file_without_durations_is_told(tmp_path):
    path = tmp_path / "empty"
    path.write_text("")
    assert "has no durations" in run("--durations", str(path), fails=True)
