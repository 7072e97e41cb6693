"""Hosts and events as they are typed."""

from math import inf

import pytest

from fleetcc.simulation.grammar import parse_hosts, with_event, with_load
from fleetcc.simulation.scenario import Load, SimHost


def test_hosts_have_slots_speeds_and_names():
    assert parse_hosts("8@1 2x4@0.5 2") == (
        SimHost("h1", 8),
        SimHost("h2", 4, 0.5),
        SimHost("h3", 4, 0.5),
        SimHost("h4", 2),
    )


def test_events_change_the_host_that_they_name():
    hosts = parse_hosts("4 4")
    assert with_event(hosts, "dies", "h2@2.5") == (SimHost("h1", 4), SimHost("h2", 4, dies=2.5))
    loaded = with_load(with_load(hosts, "h1@1-2*0.5"), "h1@5-*0.25")
    assert loaded[0].loads == (Load(1.0, 2.0, 0.5), Load(5.0, inf, 0.25))


@pytest.mark.parametrize("text", ["", "@1", "a", "0@1", "4@0", "4@x", "4@1.2.3", "0x4@1", "5000x1", "4,4"])
def test_what_is_no_host_is_told(text):
    with pytest.raises(ValueError, match=r"no host|more than|number|SLOTS@SPEED"):
        parse_hosts(text)


@pytest.mark.parametrize("text", ["h2", "h2@", "@4", "h3@4", "h2@x", "h2@-4"])
def test_what_is_no_event_is_told(text):
    with pytest.raises(ValueError, match=r"HOST@SECONDS|none of the hosts"):
        with_event(parse_hosts("4 4"), "dies", text)


@pytest.mark.parametrize("text", ["h2@1", "h2@1-2", "h2@2-1*0.5", "h2@1-2*0", "h9@1-2*0.5", "h2@1-2*1.2.3"])
def test_what_is_no_load_is_told(text):
    with pytest.raises(ValueError, match=r"HOST@START|factor|none of the hosts|number"):
        with_load(parse_hosts("4 4"), text)
