"""Whatever happens in whatever order: no job is lost, none runs twice but in a race, no grant is lost."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fleetcc.model import Form, Priority
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import (
    Cancel,
    Connect,
    Decline,
    Demand,
    Facts,
    HostState,
    HostType,
    JobSpec,
    Needs,
    Place,
    Send,
    Surrender,
)
from fleetcc.scheduling.history import History

IDENTITY = "1" * 64
HOSTS = ("a", "b", "c", "d")
hosts = st.sampled_from(HOSTS)
counts = st.integers(1, 4)
pick = st.integers(0, 10_000)


class AnyOrder(RuleBasedStateMachine):
    """Plays hosts, clock and launchers against one dispatcher, and keeps its own books."""

    def __init__(self):
        super().__init__()
        self.dispatcher = Dispatcher(History(), Random(0))
        self.now = 0.0
        self.next_job = 0
        self.live: set[int] = set()
        self.ended: set[int] = set()
        self.runs: dict[tuple[int, str], bool] = {}  # is it a race
        self.known: set[str] = set(HOSTS)
        self.up: set[str] = set()
        self.connecting: set[str] = set()
        self.standing: dict[str, int] = {}
        self.dispatcher.set_group("g", [Place(host) for host in HOSTS])

    # -- the books

    def end(self, job):
        assert job in self.live
        assert job not in self.ended
        self.live.remove(job)
        self.ended.add(job)

    def apply(self, instructions, granting=None):
        sends = declines = 0
        for each in instructions:
            match each:
                case Send(job, host, is_race):
                    assert host == granting
                    assert host in self.up
                    assert job in self.live
                    assert (job, host) not in self.runs
                    others = [key for key in self.runs if key[0] == job]
                    assert len(others) == (1 if is_race else 0)
                    self.runs[job, host] = is_race
                    sends += 1
                case Decline(host, count):
                    assert host == granting
                    declines += count
                case Cancel(job, host):
                    del self.runs[job, host]
                case Demand(host, most, _):
                    assert host in self.up
                    assert most <= max(1, self.dispatcher.queued)
                    assert most > 0 or self.standing.get(host, 0) > 0, "withdraws what does not stand"
                    self.standing[host] = most
                case Connect(host):
                    assert host not in self.up | self.connecting
                    self.connecting.add(host)
                case Surrender(job, _):
                    assert not [key for key in self.runs if key[0] == job]
                    self.end(job)
        return sends, declines

    def lose(self, host):
        self.up.discard(host)
        self.connecting.discard(host)
        self.standing.pop(host, None)
        for key in [key for key in self.runs if key[1] == host]:
            del self.runs[key]

    def run_of(self, number):
        keys = list(self.runs)
        return keys[number % len(keys)] if keys else None

    # -- events

    @rule(key=st.integers(0, 5), priority=st.sampled_from(list(Priority)), attempts=st.integers(1, 3))
    def submit(self, key, priority, attempts):
        name = b"%d" % key
        needs = Needs(IDENTITY, b"g++", (Form.EXPANDED,))
        self.dispatcher.submit(JobSpec(self.next_job, name, 1000, "g", needs, priority, attempts))
        self.live.add(self.next_job)
        self.next_job += 1

    @rule()
    def settle(self):
        self.apply(self.dispatcher.settle(self.now))

    @rule(seconds=st.sampled_from([0.001, 0.006, 0.2, 1.0, 30.0, 20_000.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(host=hosts, slots=st.integers(1, 3), can=st.booleans(), looking=st.booleans())
    def host_up(self, host, slots, can, looking):
        compilers = frozenset({IDENTITY}) if can else frozenset()
        if host in self.known:
            self.connecting.discard(host)
            self.up.add(host)
        self.dispatcher.host_up(host, Facts(HostType.FLEET, slots, compilers, is_looking=looking))

    @rule(host=hosts, pause=st.sampled_from([0.0, 60.0]))
    def host_down(self, host, pause):
        self.lose(host)
        self.apply(self.dispatcher.host_down(host, self.now, pause))

    @rule(host=hosts)
    def host_drains(self, host):
        if host in self.up:
            self.up.discard(host)
            self.standing.pop(host, None)
            self.dispatcher.host_draining(host)

    @rule(host=hosts, count=counts)
    def granted(self, host, count):
        """Asked or not: a grant may cross a withdrawal, and a server may be wrong."""
        self.standing[host] = max(0, self.standing.get(host, 0) - count)
        sends, declines = self.apply(self.dispatcher.granted(host, count, self.now), granting=host)
        assert sends + declines == count

    @rule(number=pick)
    def started(self, number):
        key = self.run_of(number)
        if key is not None:
            self.dispatcher.started(key[0], key[1], self.now)

    @rule(number=pick, seconds=st.sampled_from([None, 0.01, 1.0, 100.0]))
    def finished(self, number, seconds):
        key = self.run_of(number)
        if key is not None:
            del self.runs[key]
            self.end(key[0])
            self.apply(self.dispatcher.finished(key[0], key[1], self.now, seconds))

    @rule(number=pick)
    def failed(self, number):
        key = self.run_of(number)
        if key is not None:
            del self.runs[key]
            self.apply(self.dispatcher.failed(*key))

    @rule(number=pick)
    def taken_back(self, number):
        key = self.run_of(number)
        if key is not None:
            del self.runs[key]
            self.dispatcher.take_back(*key)

    @rule(number=pick)
    def cancelled(self, number):
        if self.live:
            job = sorted(self.live)[number % len(self.live)]
            self.apply(self.dispatcher.cancel(job))
            assert not [key for key in self.runs if key[0] == job]
            self.end(job)

    @rule(job=pick, host=hosts)
    def news_of_a_job_that_is_not_there(self, job, host):
        if (job, host) not in self.runs:
            assert self.dispatcher.finished(job, host, self.now, 1.0) == []
            assert self.dispatcher.failed(job, host) == []
            self.dispatcher.started(job, host, self.now)
            self.dispatcher.take_back(job, host)

    @rule(host=hosts, compiler=st.sampled_from([None, b"g++"]))
    def left_alone(self, host, compiler):
        assert self.dispatcher.left_alone(host, compiler, self.now, 60.0) > 0

    @rule(chosen=st.sets(hosts, min_size=1))
    def membership_changes(self, chosen):
        self.dispatcher.set_group("g", [Place(host) for host in sorted(chosen)])
        self.known |= chosen
        for host in self.dispatcher.unnamed_hosts():
            self.known.remove(host)
            self.lose(host)

    # -- what always holds

    @invariant()
    def the_books_agree(self):
        running = {job for job, _ in self.runs}
        assert self.dispatcher.queued == len(self.live - running)
        for host in HOSTS:
            assert self.dispatcher.running_on(host) == sum(key[1] == host for key in self.runs)
            assert (host in self.up) == (self.dispatcher.state_of(host) is HostState.UP)

    @invariant()
    def a_deadline_is_never_past(self):
        deadline = self.dispatcher.next_deadline(self.now)
        assert deadline is None or deadline >= self.now

    def teardown(self):
        """In the end everything ends: hosts are there, grant what is demanded, and finish what they have."""
        self.dispatcher.set_group("g", [Place(host) for host in HOSTS])
        self.known = set(HOSTS)
        self.now += 1_000.0
        for host in HOSTS:
            self.host_up(host, 2, can=True, looking=False)
        for _ in range(10 * len(self.live) + 10):
            for host in HOSTS:
                if host not in self.up:
                    self.host_up(host, 2, can=True, looking=False)
            self.settle()
            for host in [host for host, most in self.standing.items() if most and host in self.up]:
                self.granted(host, 1)
            while self.runs:
                self.finished(0, 1.0)
            self.now += 0.2
        assert not self.live


AnyOrder.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
test_any_order_of_events = AnyOrder.TestCase
