"""Which host can do which job."""

import pytest

from fleetcc.model import Form
from fleetcc.scheduling.fleet import Facts, HostType, Needs, can_do

BOTH = (Form.DIRECTIVES, Form.EXPANDED)


@pytest.mark.parametrize(
    ("facts", "needs", "expected"),
    [
        (Facts(HostType.FLEET, 1, frozenset({"x"})), Needs("x", b"g++", BOTH), True),
        (Facts(HostType.FLEET, 1, frozenset({"y"})), Needs("x", b"g++", BOTH), False),
        (Facts(HostType.FLEET, 1, frozenset({"y"})), Needs(None, b"g++", BOTH), False),
        (
            Facts(HostType.FLEET, 1, frozenset({"x"}), frozenset({Form.EXPANDED})),
            Needs("x", b"g++", (Form.DIRECTIVES,)),
            False,
        ),
        (Facts(HostType.STOCK, 1), Needs("x", b"g++", BOTH), True),
        (Facts(HostType.STOCK, 1), Needs(None, b"g++", (Form.DIRECTIVES,)), False),
        (Facts(HostType.STOCK, 1, takes_pump=True), Needs(None, b"g++", (Form.DIRECTIVES,)), False),
        (Facts(HostType.STOCK, 1, takes_pump=True), Needs(None, b"g++", (), pump=True), True),
        (Facts(HostType.STOCK, 1), Needs(None, b"g++", (), files=True, pump=True), False),
        (Facts(HostType.FLEET, 1, takes_pump=True), Needs(None, b"g++", (), pump=True), False),
        (Facts(HostType.LOCAL, 1), Needs(None, b"g++", ()), True),
        (Facts(HostType.FLEET, 1, takes_files=True), Needs(None, b"g++", (), files=True), True),
        (Facts(HostType.FLEET, 1, takes_files=True), Needs(None, b"g++", ()), False),
        (Facts(HostType.FLEET, 1, takes_files=True), Needs("x", b"g++", BOTH), False),
        (Facts(HostType.FLEET, 1), Needs("x", b"g++", BOTH, files=True), False),
        (Facts(HostType.FLEET, 1, frozenset({"x"})), Needs("x", b"g++", BOTH, files=True), True),
        (Facts(HostType.STOCK, 1), Needs("x", b"g++", (), files=True), False),
    ],
)
def test_only_hosts_that_keep_the_bytes_can_do_a_job(facts, needs, expected):
    assert can_do(facts, needs) is expected
