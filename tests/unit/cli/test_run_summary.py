"""Where the jobs of one build ran."""

from typing import Any

from fleetcc.cli.run_summary import Tally
from fleetcc.monitor.events import Hello, Job, Local, Lost


def job(number: int, state: Any, **fields: Any) -> Job:
    return Job(job=number, time=1.0, state=state, **fields)


def told(*events: Any) -> list[str]:
    tally = Tally("ours")
    for event in events:
        tally.take(event)
    return tally.lines()


def test_no_job() -> None:
    hello = Hello(source="agent", program="", pid=1, time=1.0, local=Local(time=1.0))
    assert told(hello) == ["fleetcc: 0 jobs: 0 on hosts, 0 here"]


def test_no_agent() -> None:
    assert told() == ["fleetcc: no agent ran, so everything was compiled here"]


def test_only_the_first_event_of_a_job_says_its_build() -> None:
    events = [job(1, "planning", build="ours"), job(2, "planning", build="other"), job(1, "waiting")]
    ends = [job(1, "done", reason="remote"), job(2, "done", reason="linking")]
    assert told(*events, *ends) == ["fleetcc: 1 job: 1 on hosts, 0 here"]


def test_jobs_that_run_when_the_watching_begins_count() -> None:
    hello = Hello(
        source="agent", program="", pid=1, time=1.0, local=Local(time=1.0),
        jobs=(job(7, "compiling", build="ours"), job(8, "compiling", build="other")),
    )  # fmt: skip
    lines = told(hello, job(7, "done", reason="remote"), job(8, "done", reason="remote"))
    assert lines == ["fleetcc: 1 job: 1 on hosts, 0 here"]


def test_the_jobs_that_have_not_ended() -> None:
    tally = Tally("ours")
    for event in (job(1, "planning", build="ours"), job(2, "planning", build="other")):
        tally.take(event)
    assert tally.running == 1
    tally.take(job(1, "cancelled"))
    assert tally.running == 0
    assert tally.lines() == ["fleetcc: 0 jobs: 0 on hosts, 0 here, 1 cancelled"]


def test_what_was_lost_is_told() -> None:
    assert told(Lost(count=3), Lost(count=2)) == [
        "fleetcc: 0 jobs: 0 on hosts, 0 here (5 events were lost, so some may be missing)"
    ]
