"""Checks a trace by the rules of the Trace Event Format's published description: JSON object form.

Every event has a name, a known phase, a process, a thread; all but metadata a time. Complete events have a
duration; those of one thread lie within each other or beside each other. Begin and end events pair up in each
thread. Counters have numbers. A flow has one start, then steps, then one end, at moments at which a slice of
that thread is there, and its id is nobody else's. Metadata has the arguments that its name asks for.
"""

import json
from collections import defaultdict
from typing import Any, Final

_KNOWN: Final = frozenset("BEXIiCbneSTpFstfPNODMVvRc(),")
_TIMELESS: Final = frozenset("M")
_METADATA: Final = {
    "process_name": ("name", str),
    "process_labels": ("labels", str),
    "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str),
    "thread_sort_index": ("sort_index", int),
}
_NAMELESS: Final = frozenset("E")


def check_trace(content: bytes) -> list[dict[str, Any]]:
    """The events, once all rules hold; fails with the event that breaks one."""
    trace = json.loads(content)
    assert isinstance(trace, dict), "the object form is an object"
    assert trace.get("displayTimeUnit", "ms") in {"ms", "ns"}
    events = trace["traceEvents"]
    assert isinstance(events, list)
    for event in events:
        _check_fields(event)
    _check_order(events)
    _check_slices(events)
    _check_pairs(events)
    _check_flows(events)
    _check_names(events)
    return events


def _check_fields(event: dict[str, Any]) -> None:
    phase = event["ph"]
    assert phase in _KNOWN, event
    assert isinstance(event["pid"], int), event
    assert isinstance(event["tid"], int), event
    if phase not in _NAMELESS:
        assert isinstance(event["name"], str), event
        assert event["name"], event
    if phase not in _TIMELESS:
        assert _is_time(event["ts"]), event
    if phase == "X":
        assert _is_time(event["dur"]), event
    if phase == "C":
        assert event["args"], event
        assert all(isinstance(value, int | float) for value in event["args"].values()), event
    if phase == "M":
        name, kind = _METADATA[event["name"]]
        assert isinstance(event["args"][name], kind), event
    if phase in "stf":
        assert "id" in event, event
        assert event["cat"], event
        assert event.get("bp", "e") == "e", event
    assert isinstance(event.get("args", {}), dict), event


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _check_order(events: list[dict[str, Any]]) -> None:
    """Within a thread times do not go back."""
    last: dict[tuple[int, int, bool], float] = {}
    for event in events:
        if event["ph"] not in _TIMELESS:
            lane = event["pid"], event["tid"], event["ph"] == "C"
            assert event["ts"] >= last.get(lane, 0), event
            last[lane] = event["ts"]


def _check_slices(events: list[dict[str, Any]]) -> None:
    open_slices: dict[tuple[int, int], list[float]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            ends = open_slices[event["pid"], event["tid"]]
            while ends and ends[-1] <= event["ts"]:
                ends.pop()
            end = event["ts"] + event["dur"]
            assert not ends or end <= ends[-1], f"{event} overlaps a slice that ends at {ends[-1]}"
            ends.append(end)


def _check_pairs(events: list[dict[str, Any]]) -> None:
    begun: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        lane = begun[event["pid"], event["tid"]]
        if event["ph"] == "B":
            lane.append(event)
        if event["ph"] == "E":
            assert lane, f"{event} ends what has not begun"
            lane.pop()
    assert not any(begun.values()), begun


def _check_flows(events: list[dict[str, Any]]) -> None:
    slices = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    flows = defaultdict(list)
    for event in events:
        if event["ph"] in "stf":
            flows[event["cat"], event["id"]].append(event)
            spans = slices[event["pid"], event["tid"]]
            assert any(start <= event["ts"] < end for start, end in spans), f"{event} is at no slice"
    for flow in flows.values():
        assert "".join(event["ph"] for event in flow).replace("t", "") == "sf", flow
        assert "".join(event["ph"] for event in flow)[0] == "s", flow
        assert flow[-1]["ph"] == "f", flow
        assert len({event["name"] for event in flow}) == 1, flow


def _check_names(events: list[dict[str, Any]]) -> None:
    """Each process and thread that has events has one name."""
    named = [(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"]
    assert len(named) == len(set(named))
    assert {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"} <= set(named)
    processes = [event["pid"] for event in events if event["ph"] == "M" and event["name"] == "process_name"]
    assert len(processes) == len(set(processes))
    assert {event["pid"] for event in events} <= set(processes)
