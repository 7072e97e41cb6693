"""What clients are called."""

import pytest

from fleetcc.server.clients import client_key, printable


@pytest.mark.parametrize(
    ("agent", "key"),
    [("1a2b", "10.0.0.7/1a2b"), ("a b\n/c", "10.0.0.7/a_b__c"), ("é", "10.0.0.7/_"), ("", "10.0.0.7/"),
     ("x" * 100, "10.0.0.7/" + "x" * 64)],
)  # fmt: skip
def test_an_agent_is_a_client_of_its_address_by_a_harmless_name(agent, key):
    assert client_key("10.0.0.7", agent) == key


def test_what_a_client_says_is_one_line_of_bounded_length():
    assert printable("fleetcc 0.1.0") == "fleetcc 0.1.0"
    assert "\n" not in printable("a\nb")
    assert len(printable("x" * 10_000)) <= 202
