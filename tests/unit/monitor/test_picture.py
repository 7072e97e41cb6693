"""The picture of one source, from its events."""

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.events import ENDED, Event, Hello, Host, Job, Local, Lost
from fleetcc.monitor.picture import HERE, MOST_FINISHED, MOST_LANES, UNPLACED, Picture


def hello(**fields) -> Hello:
    base = {"source": "agent", "program": "fleetcc 0.1.0", "pid": 7, "time": 100.0,
            "local": Local(time=100.0, slots=2)}  # fmt: skip
    return Hello(**{**base, **fields})


def a_host(name="b1:3632", slots=4, state="up", time=100.0) -> Host:
    return Host(host=name, time=time, state=state, slots=slots)


def after(*events: Event) -> Picture:
    picture = Picture()
    for event in events:
        picture.take(event)
    return picture


def a_life(number=1, host="b1:3632", slot=0, start=100.0) -> list[Event]:
    """A job's events, one second apart."""
    return [
        Job(job=number, time=start, state="planning", label="a.cc", directory="/src", build="x"),
        Job(job=number, time=start + 1, state="waiting", predicted=2.5, files=40),
        Job(job=number, time=start + 2, state="uploading", host=host, slot=slot, mode="files"),
        Job(job=number, time=start + 3, state="compiling", sent=1000),
        Job(job=number, time=start + 5, state="returning"),
        Job(job=number, time=start + 6, state="done", reason="remote", received=500, status=0, seconds=6.0),
    ]


def test_a_job_is_where_its_last_event_put_it():
    picture = after(hello(hosts=(a_host(),)), *a_life()[:4])

    job = picture.jobs[1]
    assert picture.hosts["b1:3632"].lanes == [job, None, None, None]
    assert (job.state, job.label, job.predicted, job.mode) == ("compiling", "a.cc", 2.5, "files")
    assert (job.started, job.placed) == (100.0, 102.0)
    assert (job.age(110.0), job.placed_for(110.0)) == (10.0, 8.0)


def test_an_ended_job_leaves_its_lane_and_is_counted():
    picture = after(hello(hosts=(a_host(),)), *a_life())

    host = picture.hosts["b1:3632"]
    assert (host.running, host.done, host.seconds_busy) == (0, 1, 4.0)
    assert picture.jobs == {}
    assert [job.job for job in picture.finished] == [1]
    assert (picture.done, picture.failed, picture.cancelled, picture.total) == (1, 0, 0, 1)
    assert (picture.sent, picture.received) == (1000, 500)
    assert picture.by_reason == {"remote": 1}
    assert [phase.state for phase in picture.finished[0].phases] == [
        "planning", "waiting", "uploading", "compiling", "returning", "done",
    ]  # fmt: skip


def test_a_job_whose_host_failed_goes_back_and_is_placed_elsewhere():
    hosts = (a_host("b1:3632"), a_host("b2:3632"))
    picture = after(hello(hosts=hosts), *a_life()[:4])

    picture.take(Job(job=1, time=104.0, state="waiting"))

    job = picture.jobs[1]
    assert (job.host, job.slot, job.placed, list(picture.unplaced())) == ("", -1, 0.0, [job])
    assert picture.hosts["b1:3632"].running == 0

    picture.take(Job(job=1, time=105.0, state="uploading", host="b2:3632", slot=3))

    assert picture.hosts["b2:3632"].lanes[3] is job
    assert [(phase.state, phase.host) for phase in job.phases[-3:]] == [
        ("compiling", "b1:3632"), ("waiting", ""), ("uploading", "b2:3632"),
    ]  # fmt: skip


def test_slots_beyond_those_of_the_host_are_there_as_long_as_they_are_taken():
    picture = after(hello(hosts=(a_host(slots=1),)), *a_life(slot=1)[:3])
    assert [bool(lane) for lane in picture.hosts["b1:3632"].lanes] == [False, True]

    picture.take(Job(job=1, time=110.0, state="done"))

    assert picture.hosts["b1:3632"].lanes == [None]


def test_a_job_without_a_slot_waits_at_its_host():
    picture = after(hello(hosts=(a_host(slots=1),)), *a_life(slot=-1)[:3])

    host = picture.hosts["b1:3632"]
    assert (host.lanes, [job.job for job in host.jobs()]) == ([None], [1])

    picture.take(Job(job=1, time=103.0, state="compiling", slot=0))

    assert (host.running, host.waiting) == (1, {})


def test_a_job_that_waits_for_this_machine_takes_no_slot_yet():
    picture = after(hello(), Job(job=1, time=101.0, state="waiting", host=HERE, reason="linking"))

    assert (list(picture.hosts[HERE].jobs()), list(picture.unplaced())) == ([], [picture.jobs[1]])
    assert picture.jobs[1].phases[0].host == HERE

    picture.take(Job(job=1, time=102.0, state="compiling", host=HERE))
    assert list(picture.hosts[HERE].jobs()) == list(picture.placed()) == [picture.jobs[1]]

    picture.take(Job(job=1, time=103.0, state="done", host=HERE, reason="linking"))
    assert (list(picture.hosts[HERE].jobs()), picture.hosts[HERE].done) == ([], 1)


def test_a_slot_without_sense_takes_no_memory():
    picture = after(hello(hosts=(a_host(slots=1 << 40),)), *a_life(slot=1 << 40)[:3])

    host = picture.hosts["b1:3632"]
    assert (len(host.lanes), list(host.waiting)) == (MOST_LANES, [1])


def test_this_machine_has_as_many_lanes_as_it_may_run_jobs():
    picture = after(hello(), Local(time=101.0, slots=3), *a_life(host=HERE, slot=0)[:3])

    assert [bool(lane) for lane in picture.hosts[HERE].lanes] == [True, False, False]


def test_a_servers_jobs_are_on_itself():
    picture = after(hello(source="server", hosts=(a_host("me:3632"),)))
    picture.take(Job(job=9, time=101.0, state="compiling", slot=1, client="u@pc"))

    assert list(picture.hosts) == ["me:3632"]
    assert picture.hosts["me:3632"].running == 1


def test_a_host_that_is_gone_stays_until_its_last_job_has_left():
    picture = after(hello(hosts=(a_host(),)), *a_life()[:4])

    picture.take(a_host(state="gone"))
    assert picture.hosts["b1:3632"].event.state == "gone"

    picture.take(Job(job=1, time=105.0, state="waiting"))
    assert list(picture.hosts) == [HERE]

    picture.take(a_host("b7:3632", state="gone"))
    assert list(picture.hosts) == [HERE]


def test_hello_brings_the_jobs_of_now_with_their_lanes():
    job = Job(job=5, time=100.0, state="compiling", host="b1:3632", slot=2, label="b.cc", seconds=8.0)

    picture = after(hello(hosts=(a_host(),), jobs=(job,), total=70, by_reason={"linking": 4}))

    assert picture.hosts["b1:3632"].lanes[2] is picture.jobs[5]
    assert picture.jobs[5].started == 92.0
    assert (picture.total, picture.by_reason) == (70, {"linking": 4})


def test_hello_of_another_agent_starts_anew():
    picture = after(hello(hosts=(a_host(),)), *a_life(), *a_life(2)[:3], Lost(count=3))

    picture.take(hello(pid=8, time=200.0))

    assert (picture.jobs, list(picture.finished), picture.done, picture.lost) == ({}, [], 0, 0)
    assert list(picture.hosts) == [HERE]
    assert (picture.total, picture.since) == (0, 200.0)


def test_hello_of_the_same_agent_fills_the_gap_and_keeps_what_has_ended():
    events = [*a_life(1), *a_life(2, slot=1)[:4], *a_life(3, slot=2)[:4]]
    picture = after(hello(hosts=(a_host(),)), *events, Lost(count=4))
    still = Job(job=3, time=120.0, state="returning", host="b1:3632", slot=2, label="a.cc")

    picture.take(hello(time=120.0, hosts=(a_host(),), jobs=(still,), total=3))

    assert list(picture.jobs) == [3]  # job 2 has ended, unseen
    assert picture.hosts["b1:3632"].lanes == [None, None, picture.jobs[3], None]
    assert (picture.hosts["b1:3632"].done, picture.done, picture.lost, picture.total) == (1, 1, 4, 3)
    assert (picture.jobs[3].started, picture.jobs[3].placed) == (100.0, 102.0)
    assert [phase.state for phase in picture.jobs[3].phases] == [
        "planning", "waiting", "uploading", "compiling", "returning",
    ]  # fmt: skip


def test_who_comes_to_a_lane_takes_it_from_a_job_that_left_unseen():
    picture = after(hello(hosts=(a_host(),)), *a_life(1)[:4], *a_life(2)[:4])
    assert picture.hosts["b1:3632"].lanes[0] is picture.jobs[2]

    picture.take(Job(job=1, time=130.0, state="done"))

    assert picture.hosts["b1:3632"].lanes[0] is picture.jobs[2]


def test_an_end_whose_beginning_is_missing_is_counted():
    picture = after(hello(hosts=(a_host(),)), a_life()[-1])

    job = picture.finished[0]
    assert (picture.done, picture.total, job.started, job.ended) == (1, 1, 100.0, 106.0)


def test_a_cancelled_job_counts_for_no_reason():
    picture = after(
        hello(),
        Job(job=1, time=1.0, state="cancelled", reason="linking"),
        Job(job=2, time=1.0, state="failed", reason="hosts-failed"),
    )

    assert (picture.cancelled, picture.failed, picture.done) == (1, 1, 0)
    assert picture.by_reason == {"hosts-failed": 1}


def test_the_rate_is_of_the_last_seconds_only():
    picture = after(hello(time=100.0))
    for number in range(40):
        picture.take(Job(job=number, time=110.0 + number / 4, state="done"))

    assert picture.rate(120.0, 10) == 4.0
    assert picture.rate(125.0, 10) == 2.0
    assert picture.rate(200.0, 10) == 0.0


def test_the_rate_of_a_young_picture_is_over_its_own_time():
    picture = after(hello(time=100.0), *(Job(job=n, time=102.0, state="done") for n in range(6)))

    assert picture.rate(102.0) == 3.0
    assert picture.rate(100.0) == 6.0  # never over less than a second


def test_the_finished_are_bounded():
    picture = after(hello(), *(Job(job=n, time=101.0, state="done") for n in range(MOST_FINISHED + 5)))

    assert len(picture.finished) == MOST_FINISHED
    assert picture.finished[0].job == 5
    assert picture.done == MOST_FINISHED + 5


HOSTS = st.sampled_from(["", "b1", "b2", HERE])
STATES = st.sampled_from(["planning", "waiting", "uploading", "compiling", "done", "failed", "cancelled"])
TIMES = st.floats(0, 1000)
JOBS = st.builds(
    Job, job=st.integers(1, 6), time=TIMES, state=STATES, host=HOSTS, slot=st.integers(-1, 5),
    sent=st.integers(0, 99), reason=st.sampled_from(["", "remote", "linking"]), seconds=st.floats(0, 10),
)  # fmt: skip
EVENTS = st.one_of(
    JOBS,
    st.builds(
        Host, host=st.sampled_from(["b1", "b2"]), time=TIMES,
        state=st.sampled_from(["up", "down", "gone"]), slots=st.integers(0, 3),
    ),
    st.builds(Local, time=TIMES, slots=st.integers(0, 3)),
    st.builds(Lost, count=st.integers(1, 5)),
    st.builds(hello, pid=st.integers(1, 2), source=st.sampled_from(["agent", "server"]),
              jobs=st.lists(JOBS.filter(lambda job: job.state not in ENDED), max_size=3).map(tuple)),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=60))
def test_whatever_comes_lanes_and_jobs_agree(events):
    picture = Picture()
    for event in events:
        picture.take(event)

        shown = [(name, job) for name, view in picture.hosts.items() for job in view.jobs()]
        assert len({job.job for _, job in shown}) == len(shown)
        for name, job in shown:
            assert picture.jobs[job.job] is job
            assert job.host == name
            assert job.is_placed
        for view in picture.hosts.values():
            assert all(lane is None or lane.slot == slot for slot, lane in enumerate(view.lanes))
            assert len(view.lanes) >= view.event.slots
            assert view.seconds_busy >= 0
        for job in picture.jobs.values():
            assert job.state not in ENDED
            assert job.is_placed == bool(job.placed or (job.host and job.state not in UNPLACED))
            assert job.state not in UNPLACED or not job.placed
        assert picture.done + picture.failed + picture.cancelled >= len(picture.finished)
        assert picture.rate(500.0) >= 0


@given(st.lists(JOBS, max_size=60))
def test_every_job_is_either_there_or_counted_as_ended(events):
    picture = after(hello(), *events)

    assert picture.total == len(picture.jobs) + picture.done + picture.failed + picture.cancelled
    assert len(picture.finished) == picture.done + picture.failed + picture.cancelled
