"""`fleetcc doctor`, as its user meets it."""

import json
from functools import partial

import pytest

from fleetcc.cli.doctor import command
from fleetcc.cli.doctor_checks import make_context, table
from fleetcc.server.doctor_looks import TABLE
from tests.support.launcher import ROOT


@pytest.fixture
def run(call, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETCC_DIR", str(tmp_path / "agent"))
    return partial(call, command)


def rows_of(result):
    return {(row["check"], row["title"]): row for row in json.loads(result.stdout)}


def test_a_quick_look_names_every_subject_but_the_network(run):
    result = run("--quick", FLEETCC_HOSTS="127.0.0.1:1")

    headings = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    assert headings[:-1] == [
        "compilers",
        "launcher",
        "agent",
        "settings",
        "host list",
        "environment",
        "this machine",
    ]


def test_a_host_that_cannot_be_reached_is_exit_1_with_a_remedy(run):
    result = run("--json", "--host", "127.0.0.1:1")

    assert result.exit_code == 1
    assert [check for check, _ in rows_of(result)] == ["names", "hosts"]
    row = rows_of(result)["hosts", "127.0.0.1:1"]
    assert row["level"] == "error"
    assert "Connection refused" in row["text"]
    assert row["remedy"].startswith("start fleetccd there")


def test_one_host_of_the_list_keeps_what_the_list_says_of_it(run):
    result = run("--json", "--host", "127.0.0.1", FLEETCC_HOSTS="127.0.0.1:1/7 127.0.0.2:1")
    assert [title for check, title in rows_of(result) if check == "hosts"] == ["127.0.0.1:1"]


def test_this_machine_needs_no_visit(run):
    result = run("--json", "--host", "localhost", FLEETCC_HOSTS="localhost/3 127.0.0.1:1")
    assert result.exit_code == 0
    assert rows_of(result)["hosts", "localhost"]["text"] == "this machine; limit 3"


def test_a_host_that_is_no_entry_is_one_sentence(run):
    result = run("--host", "red:port")
    assert result.exit_code != 0
    assert "--host:1:5: in entry 'red:port'" in str(result.exception)


def test_a_host_is_not_looked_at_without_the_network(run):
    assert "choose one" in str(run("--host", "127.0.0.1:1", "--quick").exception)


@pytest.mark.parametrize("words", ["", " # nobody"])
def test_words_that_name_no_host_are_not_in_order(run, words):
    assert str(run("--host", words).exception) == f"--host {words!r} names no host"


def test_bad_settings_and_lists_are_findings_and_the_rest_is_looked_at(run):
    result = run("--quick", "--json", FLEETCC_MODE="fast", FLEETCC_HOSTS="red:port")

    rows = rows_of(result)
    assert result.exit_code == 1
    assert rows["settings", "FLEETCC_MODE"]["level"] == "error"
    assert rows["host list", "host list"]["text"].startswith("FLEETCC_HOSTS:1:5: in entry")
    assert ("this machine", "memory") in rows


def test_the_table_leaves_the_network_out_where_nobody_is_named(tmp_path):
    environment = {b"HOME": bytes(tmp_path), b"FLEETCC_HOSTS": b"", b"PATH": bytes(tmp_path)}
    names = [check.name for check in table(make_context(environment, None, is_quick=False), host_only=False)]
    assert "names" not in names
    assert "hosts" not in names
    assert names[0] == "compilers"


def test_the_manual_has_every_check(tmp_path):
    environment = {b"HOME": bytes(tmp_path), b"FLEETCC_HOSTS": b"red", b"PATH": bytes(tmp_path)}
    client = table(make_context(environment, None, is_quick=False), host_only=False)
    manual = (ROOT / "docs/doctor.md").read_text()
    for name in [*(check.name for check in client), *(check.name for check in TABLE)]:
        assert f"| {name} | " in manual
