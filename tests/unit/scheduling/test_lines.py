"""The queue's lines."""

from hypothesis import given
from hypothesis import strategies as st

from fleetcc.model import Form, Priority
from fleetcc.scheduling.fleet import JobSpec, Needs
from fleetcc.scheduling.history import Prediction
from fleetcc.scheduling.lines import Line, Queue
from fleetcc.scheduling.state import Job

NEEDS = Needs("x", b"g++", (Form.EXPANDED,))


def job(number, seconds=1.0, priority=Priority.NORMAL, group="g"):
    return Job(JobSpec(number, b"", 1, group, NEEDS, priority), Prediction(seconds, is_known=True))


def line(*jobs):
    made = Line(jobs[0].line_key)
    for each in jobs:
        made.add(each)
    return made


def test_the_ends_of_a_line():
    made = line(job(3, 2.0), job(1, 5.0), job(2, 1.0), job(4, 1.0), job(5, 9.0, Priority.CI))
    assert (made.longest, made.shortest, made.oldest) == (1, 2, 3)


def test_the_longest_that_fits_is_looked_for_among_the_most_urgent():
    made = line(job(1, 5.0), job(2, 2.0), job(3, 0.1, Priority.CI))
    assert made.longest_within(6.0) == 1
    assert made.longest_within(5.0) == 1
    assert made.longest_within(4.9) == 2
    assert made.longest_within(1.0) is None


def test_jobs_for_other_hosts_stand_in_another_line():
    queue = Queue()
    queue.add(job(1, 1.0))
    queue.add(job(2, 2.0, group="other"))
    assert [found.key[0] for found in queue.lines] == ["g", "other"]
    queue.remove(job(1, 1.0))
    assert [found.key[0] for found in queue.lines] == ["other"]
    assert (queue.count, queue.seconds) == (1, 2.0)


def test_the_queue_is_as_urgent_as_its_most_urgent_job():
    queue = Queue()
    seen = [queue.highest_priority]
    queue.add(job(1, priority=Priority.CI))
    seen.append(queue.highest_priority)
    queue.add(job(2, group="other", priority=Priority.INTERACTIVE))
    assert [*seen, queue.highest_priority] == [Priority.NORMAL, Priority.CI, Priority.INTERACTIVE]


@given(st.lists(st.tuples(st.floats(0.001, 1e4), st.sampled_from(list(Priority))), min_size=1), st.randoms())
def test_what_was_added_can_be_removed_in_any_order(drawn, random):
    jobs = [job(number, *each) for number, each in enumerate(drawn)]
    made = line(*jobs)
    random.shuffle(jobs)
    for each in jobs:
        numbers = [number for _, _, number in made.ranks]
        assert {made.longest, made.shortest, made.oldest} <= set(numbers)
        made.remove(each)
    assert (made.ranks, made.by_age, made.seconds) == ([], {}, 0.0)
