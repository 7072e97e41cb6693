"""How many jobs the fleet takes, by its events."""

from typing import Any

import pytest

from fleetcc.jobserver.capacity import Capacity
from fleetcc.monitor.events import Hello, Host, Job, Local


def host(name: str, slots: int = 4, **fields: Any) -> Host:
    return Host(host=name, time=1.0, slots=slots, **{"state": "up", **fields})


def hello(*hosts: Host, slots: int = 2) -> Hello:
    local = Local(time=1.0, processors=2, slots=slots)
    return Hello(source="agent", program="fleetcc 1", pid=1, time=1.0, local=local, hosts=hosts)


def total(*events: Any, processors: int = 2) -> int:
    capacity = Capacity(processors)
    for event in events:
        capacity.take(event)
    return capacity.total


def test_before_any_event_there_is_this_machine() -> None:
    assert Capacity(6).total == 6
    assert Capacity(0).total == 1


def test_hosts_that_are_up_and_local_slots_count() -> None:
    assert total(hello(host("a"), host("b", 8))) == 14


@pytest.mark.parametrize("state", ["connecting", "draining", "down", "gone"])
def test_a_host_that_takes_no_jobs_does_not_count(state: str) -> None:
    assert total(hello(host("a", state=state), host("b"))) == 6
    assert total(hello(host("a"), host("b")), host("a", state=state)) == 6


def test_a_host_joins_grows_shrinks_and_comes_back() -> None:
    capacity = Capacity(2)
    seen = []
    for event in (host("a"), host("a", 16), host("a", 1), host("a", state="down"), host("a", 3)):
        capacity.take(event)
        seen.append((capacity.total, capacity.hosts))
    assert seen == [(6, 1), (18, 1), (3, 1), (2, 0), (5, 1)]


def test_the_entry_for_this_machine_counts_once() -> None:
    assert total(hello(host("localhost", 2))) == 2


def test_local_slots_are_what_the_agent_says() -> None:
    assert total(hello(), Local(time=2.0, processors=8, slots=5)) == 5
    assert total(Local(time=2.0), processors=3) == 3


def test_another_agent_starts_anew() -> None:
    assert total(hello(host("a")), hello(host("b", 1))) == 3


def test_jobs_change_nothing() -> None:
    assert total(hello(host("a")), Job(job=1, time=2.0, state="planning")) == 6


def test_without_an_agent_there_is_this_machine_again() -> None:
    capacity = Capacity(2)
    capacity.take(hello(host("a"), slots=7))
    capacity.forget()
    assert capacity.total == 2
