"""Whatever is edited, sent late, lost or given up: a host's replica has for each job what its scan has seen.

The replica is the server's own bookkeeping (`store.desired`), with a tree of its own for each job that runs.
"""

import hashlib
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fleetcc.backends.picture import Picture
from fleetcc.files.layers import Layer
from fleetcc.includes.disk import Listing
from fleetcc.store.desired import Desired
from fleetcc.wire.files import Directory, Entry, File, Link, ReplicaState, Update

DIRECTORIES = (b"/p", b"/p/a", b"/q")
NAMES = (b"a", b"x")
CONTENTS = (b"one", b"two")
MOST_BYTES = 1 << 40


@dataclass(frozen=True)
class Unit:
    """Something to compile: names that are looked for in directories, up to the first that has them."""

    directories: tuple[bytes, ...]
    names: tuple[bytes, ...]


@dataclass(frozen=True)
class Ready:
    """A job that may be sent."""

    layer: Layer
    listings: dict[bytes, Listing | None]
    answers: dict[bytes, Entry | None]  # each path that was asked for, and what was there


class Disk:
    """This machine: entries by path; everything above a path is a directory."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._listings: dict[bytes, Listing] = {}
        self._layers: dict[Unit, Ready] = {}

    def put(self, path: bytes, entry: Entry | None) -> None:
        """Nothing stays below or in the way."""
        for other in list(self.entries):
            is_above = path.startswith(other + b"/") and not isinstance(self.entries[other], Directory)
            if other == path or other.startswith(path + b"/") or is_above:
                del self.entries[other]
        if entry is not None:
            for parent in parents(path):
                self.entries.setdefault(parent, Directory())
            self.entries[path] = entry

    def listing(self, directory: bytes) -> Listing | None:
        if not isinstance(self.entries.get(directory), Directory):
            return None
        names = frozenset(
            path.rpartition(b"/")[2] for path in self.entries if path.rpartition(b"/")[0] == directory
        )
        known = self._listings.get(directory)
        if known is None or known.names != names:
            known = self._listings[directory] = Listing(names)
        return known

    def scan(self, unit: Unit) -> Ready:
        """The same layer as long as nothing that was asked for has changed."""
        answers: dict[bytes, Entry | None] = {}
        entries: dict[bytes, Entry] = {}
        for directory in unit.directories:
            for above in (*reversed(parents(directory)), directory):
                if isinstance(self.entries.get(above), Directory):
                    entries[above] = self.entries[above]
        for name in unit.names:
            for directory in unit.directories:
                found = self.entries.get(directory + b"/" + name)
                wanted = None if isinstance(found, Directory) else found
                answers[directory + b"/" + name] = found
                if wanted is not None:
                    entries[directory + b"/" + name] = wanted
                    break
        listings = {directory: self.listing(directory) for directory in unit.directories}
        last = self._layers.get(unit)
        if last is not None and last.layer.entries == entries and last.answers == answers:
            return Ready(last.layer, listings, answers)
        self._layers[unit] = made = Ready(Layer(entries, frozenset(listings)), listings, answers)
        return made


def parents(path: bytes) -> list[bytes]:
    above = []
    while path := path.rpartition(b"/")[0]:
        above.append(path)
    return above


@dataclass
class Replica:
    """What a server has of it; a job that runs keeps its tree as it is."""

    state: ReplicaState
    tree: Desired = field(default_factory=Desired)
    history: list[tuple[int, Desired]] = field(default_factory=list)  # before each update
    put_by: dict[bytes, int] = field(default_factory=dict)  # the update that brought a path

    def take(self, update: Update, *, is_bound: bool) -> None:
        assert update.replica == self.state.replica
        assert update.number == self.state.number + 1
        changes = self.tree.plan(update.puts, update.removes, MOST_BYTES)
        old = self.tree
        self.history.append((self.state.number, old.copy()))
        if changes and is_bound and (update.fork or any(path in old.entries for path in changes)):
            self.tree = old.copy()
        self.tree.apply(changes)
        self.put_by.update(dict.fromkeys(changes, update.number))
        self.state = ReplicaState(self.state.replica, update.number)

    def lose(self, count: int) -> None:
        """The last so many updates never came."""
        for _ in range(min(count, len(self.history))):
            number, self.tree = self.history.pop()
            self.state = ReplicaState(self.state.replica, number)
            self.put_by = {path: by for path, by in self.put_by.items() if by <= number}


def check(tree: Desired, job: Ready) -> None:
    """A compiler in this tree finds what the scan has found."""
    for path, entry in job.layer.entries.items():
        assert tree.entries.get(path) == entry, path
    for path, answer in job.answers.items():
        found = tree.entries.get(path)
        if answer is None:  # a directory may be left, with nothing in it that anybody has asked for
            assert found is None or isinstance(found, Directory), path


units = st.builds(
    Unit,
    st.lists(st.sampled_from(DIRECTORIES), min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
)
paths = st.builds(
    lambda directory, name: directory + b"/" + name, st.sampled_from(DIRECTORIES), st.sampled_from(NAMES)
)
entries: st.SearchStrategy[Entry | None] = st.one_of(
    st.sampled_from(CONTENTS).map(lambda text: File(hashlib.sha256(text).digest(), len(text), 1)),
    st.builds(File, st.just(hashlib.sha256(b"one").digest()), st.just(3), st.integers(1, 2)),
    st.just(Link(b"/q")),
    st.none(),
)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.picture = Picture()
        self.count = 0
        self.replica = self.new_replica()
        self.others: list[Replica] = []
        self.waiting: list[Ready] = []
        self.running: list[tuple[Desired, Ready]] = []
        self.picture.take_state(self.replica.state)

    def new_replica(self) -> Replica:
        self.count += 1
        return Replica(ReplicaState(b"%016d" % self.count))

    @rule(path=paths, entry=entries)
    def edit(self, path: bytes, entry: Entry | None) -> None:
        self.disk.put(path, entry)

    @rule(directory=st.sampled_from(DIRECTORIES))
    def delete(self, directory: bytes) -> None:
        self.disk.put(directory, None)

    @rule(unit=units)
    def prepare(self, unit: Unit) -> None:
        self.waiting.append(self.disk.scan(unit))

    @rule(unit=units)
    def compile(self, unit: Unit) -> None:
        self.send(self.disk.scan(unit))

    @rule(data=st.data())
    def send_one_that_waited(self, data: st.DataObject) -> None:
        if self.waiting:
            self.send(self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1))))

    def send(self, job: Ready) -> None:
        before = self.replica.state.number
        change = self.picture.change_for([job.layer], job.listings, is_busy=bool(self.running))
        for update in change.updates:
            self.replica.take(update, is_bound=bool(self.running))
        assert change.needed <= self.replica.state.number
        if change.updates:
            assert change.needed == self.replica.state.number > before
        brought = (self.replica.put_by.get(path, 0) for path in job.layer.entries)
        assert change.needed >= max(brought, default=0)
        check(self.replica.tree, job)
        self.running.append((self.replica.tree, job))

    @rule()
    def end_all(self) -> None:
        self.running.clear()

    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        if self.running:
            self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

    @rule(lost=st.integers(0, 3))
    def connect_again(self, lost: int) -> None:
        self.running.clear()
        self.replica.lose(lost)
        self.replica.history.clear()
        self.picture.take_state(self.replica.state)

    @rule(is_new=st.booleans())
    def connect_to_another(self, is_new: bool) -> None:
        self.running.clear()
        self.others.append(self.replica)
        self.replica = self.new_replica() if is_new else self.others.pop(0)
        self.replica.history.clear()
        self.picture.take_state(self.replica.state)

    @rule(text=st.sampled_from(CONTENTS), data=st.data())
    def content_is_gone(self, text: bytes, data: st.DataObject) -> None:
        """Some of the paths that were to hold it are not there; others had got it before."""
        digest, tree = hashlib.sha256(text).digest(), self.replica.tree
        holding = [
            path for path, one in tree.entries.items() if isinstance(one, File) and one.digest == digest
        ]
        lost = data.draw(st.lists(st.sampled_from(holding), unique=True)) if holding else []
        self.running.clear()
        self.replica.history.clear()
        tree.apply(dict.fromkeys(lost))
        self.picture.forget([digest])

    @invariant()
    def jobs_that_run_see_what_they_saw(self) -> None:
        for tree, job in self.running:
            check(tree, job)


TestPicture = Machine.TestCase
TestPicture.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
