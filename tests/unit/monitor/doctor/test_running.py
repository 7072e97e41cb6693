"""Checks run beside each other, each within its time."""

import threading
import time

import pytest

from fleetcc.errors import FleetccError, UsageError
from fleetcc.monitor.doctor.findings import Check, Level, ok
from fleetcc.monitor.doctor.running import Once, run_checks


def test_findings_come_in_the_tables_order_whoever_is_first():
    second_is_done = threading.Event()

    def first(_):
        second_is_done.wait(10)
        yield ok("a", "fine")

    def second(_):
        yield ok("b", "fine")
        second_is_done.set()

    checked = run_checks([Check("one", first), Check("two", second)], None)

    assert [(one.name, [finding.title for finding in one.findings]) for one in checked] == [
        ("one", ["a"]),
        ("two", ["b"]),
    ]


def test_a_check_that_hangs_is_an_error_beside_what_it_found_before():
    never = threading.Event()

    def hangs(_):
        yield ok("a", "fine")
        never.wait(10)

    begun = time.monotonic()
    (checked,) = run_checks([Check("one", hangs, seconds=0.05)], None)
    took = time.monotonic() - begun
    never.set()

    assert took < 5
    assert [finding.level for finding in checked.findings] == [Level.OK, Level.ERROR]
    assert checked.findings[1].text == "this check did not end within 0.05 s"
    assert checked.findings[1].remedy


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (UsageError("--jobs 0: expected more"), "--jobs 0: expected more"),
        (FleetccError("no answer"), "this check failed: no answer"),
        (LookupError("idna"), "this check failed: LookupError('idna')"),
    ],
)
def test_a_check_that_breaks_is_an_error_and_the_others_go_on(problem, text):
    def breaks(_):
        raise problem

    broken, fine = run_checks(
        [Check("one", breaks), Check("two", lambda context: [ok("b", context)])], "here"
    )

    (finding,) = broken.findings
    assert (finding.level, finding.title, finding.text) == (Level.ERROR, "one", text)
    assert fine.findings == (ok("b", "here"),)


def test_what_several_checks_need_is_made_once():
    made = []

    def make():
        made.append("made")
        return len(made)

    once = Once(make)
    threads = [threading.Thread(target=once.get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert once.get() == 1
    assert made == ["made"]
