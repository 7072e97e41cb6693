"""Findings as text, as JSON, and as an exit status."""

import json

from fleetcc.monitor.doctor.findings import Checked, error, ok, warning
from fleetcc.monitor.doctor.report import as_json, as_text, exit_status

FINE = Checked("hosts", (ok("red", "fleetccd"),), 0.1)
WARNED = Checked("hosts", (warning("blue", "is far", "move it"),), 0.1)
BAD = Checked("agent", (error("agent", "is gone\x1b[31m", "start it"),), 0.1)


def test_text_has_a_heading_a_line_for_each_finding_and_its_remedy_below():
    assert as_text([FINE, WARNED, BAD]).splitlines() == [
        "hosts",
        "  ok       red: fleetccd",
        "  warning  blue: is far",
        "           -> move it",
        "agent",
        r"  ERROR    agent: is gone\x1b[31m",
        "           -> start it",
        "",
        "1 error, 1 warning, 1 in order",
    ]


def test_a_check_without_findings_is_not_shown():
    assert as_text([Checked("systemd", (), 0.0), FINE]).splitlines()[0] == "hosts"
    assert as_text([FINE]).splitlines()[-1] == "everything is in order (1 findings)"


def test_a_terminal_may_paint_the_signs():
    painted = as_text([BAD], lambda text, level: f"<{level.value}>{text}</>")
    assert "  <error>ERROR  </>  agent" in painted


def test_json_has_an_object_for_each_finding():
    assert json.loads(as_json([FINE, WARNED])) == [
        {"check": "hosts", "level": "ok", "title": "red", "text": "fleetccd", "remedy": ""},
        {"check": "hosts", "level": "warning", "title": "blue", "text": "is far", "remedy": "move it"},
    ]


def test_only_errors_count_for_the_exit_status():
    assert exit_status([FINE, WARNED]) == 0
    assert exit_status([FINE, WARNED, BAD]) == 1
