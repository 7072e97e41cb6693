"""The trace: by the rules of its format, and with what people look for in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.trace import natural, trace_json
from tests.support.past_builds import START, busy_build, local, record, remote
from tests.support.trace_format import check_trace


def traced(*records):
    return check_trace(trace_json(records, "fleetcc 9"))


def named(events, name):
    return [event for event in events if event["name"] == name]


def test_each_host_is_a_process_and_each_slot_a_thread() -> None:
    events = traced(remote(1, "b2:3632", 1), remote(2, "b10:3632"), local(3))

    processes = {event["args"]["name"]: event["pid"] for event in named(events, "process_name")}
    order = {event["pid"]: event["args"]["sort_index"] for event in named(events, "process_sort_index")}
    assert sorted(processes, key=lambda name: order[processes[name]]) == [
        "queue",
        "localhost (this machine)",
        "b2:3632",
        "b10:3632",
    ]
    lanes = {(event["pid"], event["tid"]): event["args"]["name"] for event in named(events, "thread_name")}
    assert lanes[processes["b2:3632"], 1] == "slot 1"


def test_the_phases_lie_within_their_job() -> None:
    events = traced(remote(1, uploads=0.5, runs=2, returns=0.25))

    host = max(event["pid"] for event in events)
    told = [(e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["pid"] == host]
    assert told == [
        ("src/u1.cc", 10_000, 2_750_000),
        ("uploading", 10_000, 500_000),
        ("compiling", 510_000, 2_000_000),
        ("returning", 2_510_000, 250_000),
    ]


def test_a_flow_leads_from_the_queue_over_a_host_that_failed_to_the_one_that_did_it() -> None:
    steps = [("waiting", 1, ""), ("compiling", 1, "b1"), ("waiting", 1, ""), ("compiling", 1, "b2")]

    flow = [event for event in traced(record(1, 0, steps, host="b2"), remote(2)) if event["ph"] in "stf"]

    assert [event["ph"] for event in flow if event["id"] == 1] == ["s", "t", "t", "f"]
    assert [event["ph"] for event in flow if event["id"] == 2] == ["s", "f"]


def test_counters_say_how_many_run_and_wait() -> None:
    events = traced(remote(1, waits=1, runs=2), remote(2, slot=1, waits=1, runs=3), local(3, runs=9))

    running = [event["args"] for event in named(events, "running")]
    assert {"remote": 2, "local": 1} in running
    assert running[-1] == {"remote": 0, "local": 0}
    assert max(event["args"]["jobs"] for event in named(events, "queued")) == 3


def test_a_job_says_what_is_known_of_it() -> None:
    events = traced(
        remote(7, detail="why", predicted=0.5), record(8, 0, [("waiting", 1, "")], state="cancelled")
    )

    queue, args = (e["args"] for e in events if e["ph"] == "X" and e["name"] == "src/u7.cc")
    assert queue == {"build": "build-1", "job": 7, "state": "done"}
    assert args["reason"] == "remote"
    assert (args["sent"], args["received"], args["peak_bytes"]) == (1000, 20_000, 90 << 20)
    assert args["detail"] == "why"
    assert "raced" not in args
    cancelled = next(e for e in events if e["ph"] == "X" and e["name"] == "src/u8.cc")
    assert (cancelled["cname"], cancelled["args"]["state"]) == ("grey", "cancelled")


def test_the_file_says_when_and_of_which_builds() -> None:
    other = json.loads(trace_json([remote(1), remote(2, build="b")], "fleetcc 9"))["otherData"]

    assert other == {"program": "fleetcc 9", "start": START, "builds": ["build-1", "b"], "jobs": 2}


def test_a_whole_build_is_a_good_trace() -> None:
    events = traced(*busy_build(3, 4, 20, parallel=20))

    assert len([event for event in events if event["name"] == "compiling"]) == 240


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["planning", "scanning", "waiting", "preprocessing", "uploading", "compiling", "verifying"]
        ),
        st.one_of(st.floats(0, 2), st.sampled_from([1e-7, 1e-6, 3e-6])),
        st.sampled_from(["", "b1", "b2", "localhost"]),
    ),
    max_size=6,
)


@given(st.lists(st.tuples(_STEPS, st.floats(0, 2), st.integers(-1, 3)), min_size=1, max_size=12))
def test_whatever_happened_the_trace_keeps_the_rules(jobs) -> None:
    traced(*(record(n, at, steps, host="b1", slot=slot) for n, (steps, at, slot) in enumerate(jobs, 1)))


@pytest.mark.parametrize(
    "broken",
    [
        {"ph": "X", "name": "a", "pid": 1, "tid": 0, "ts": 5, "dur": 10},  # overlaps
        {"ph": "B", "name": "a", "pid": 1, "tid": 0, "ts": 20},  # never ends
        {"ph": "s", "name": "a", "cat": "c", "id": 1, "pid": 1, "tid": 0, "ts": 5},  # leads nowhere
        {"ph": "?", "name": "a", "pid": 1, "tid": 0, "ts": 20},
        {"ph": "X", "name": "a", "pid": 2, "tid": 0, "ts": 20, "dur": 1},  # of no named process
    ],
)
def test_the_checker_finds_broken_traces(broken) -> None:
    good = [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "p"}},
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 0, "args": {"name": "t"}},
        {"ph": "X", "name": "a", "pid": 1, "tid": 0, "ts": 0, "dur": 10},
    ]
    check_trace(json.dumps({"traceEvents": good}).encode())

    with pytest.raises(AssertionError):
        check_trace(json.dumps({"traceEvents": [*good, broken]}).encode())


def test_numbers_in_names_sort_as_numbers() -> None:
    assert sorted(["b10:1", "b2:1", "a", "b2:x"], key=natural) == ["a", "b2:1", "b2:x", "b10:1"]
