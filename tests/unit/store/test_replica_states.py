"""Random updates, blobs and jobs against a model that is too simple to be wrong.

The model keeps whole trees as dictionaries and searches them by prefix. After all work is done, every tree
that is kept up holds exactly what its model does; a tree that a job has holds for ever what it held when the
job became ready, but for times and additions.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from fleetcc.store.binding import Binding, BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.desired import is_same_content
from fleetcc.store.errors import BadUpdateError
from fleetcc.store.replica import Replica
from fleetcc.store.tree import Tree
from fleetcc.wire.files import Directory, Entry, File, Link, Update
from tests.unit.store.pictures import BIG, digest_of, disk_of, expected, file_of, store

CONTENTS = {"empty": b"", "a": b"a", "bb": b"bb", "big": BIG}  # by name, for short stories of failures
PATHS = (b"/a", b"/a/a", b"/a/a/a", b"/a/b", b"/b", b"/b/a", b"/a.h", b"/A")

entries = st.one_of(
    st.builds(
        lambda name, mtime, executable: file_of(CONTENTS[name], mtime, executable=executable),
        st.sampled_from(sorted(CONTENTS)),
        st.sampled_from([5, 10**18]),
        st.booleans(),
    ),
    st.builds(Link, st.sampled_from([b"a", b"/etc"])),
    st.just(Directory()),
)
puts = st.dictionaries(st.sampled_from(PATHS), entries, max_size=4)
removes = st.lists(st.sampled_from(PATHS), max_size=2).map(tuple)


@dataclass
class Model:
    """One tree as it is to be."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)  # the update that gave a path its content
    last_change: int = 0


def without(tree, path):
    """Everything but the path and what is below it."""
    return {other: e for other, e in tree.items() if other != path and not other.startswith(path + b"/")}


def changed(before, wanted, removed):
    """What a tree is after an update; None: it is refused."""
    after = before
    for path in removed:
        after = without(after, path)
    for path, entry in wanted.items():
        if not isinstance(entry, Directory):
            after = without(after, path)
    after = after | wanted
    for path in wanted:
        parts = path.split(b"/")
        for count in range(2, len(parts)):
            parent = b"/".join(parts[:count])
            if not isinstance(after.setdefault(parent, Directory()), Directory):
                return None
    return after


class Replicating(RuleBasedStateMachine):
    """One replica and its models."""

    jobs = Bundle("jobs")

    @initialize()
    def start(self):
        self.folder = tempfile.mkdtemp()
        self.blobs = BlobStore(self.folder + "/blobs", 1 << 40)
        self.replica = Replica(os.fsencode(self.folder), self.blobs, 1 << 40)
        self.models: dict[Tree, Model] = {self.replica.current: Model()}
        self.here = {b""}
        self.bound: list[Binding] = []
        self.frozen: dict[Binding, dict[bytes, tuple[object, ...]]] = {}

    def teardown(self):
        if hasattr(self, "blobs"):
            self.blobs.close()
            shutil.rmtree(self.folder)

    @rule(wanted=puts, removed=removes, fork=st.booleans())
    def update(self, wanted, removed, fork):
        model = self.models[self.replica.current]
        after = changed(model.entries, wanted, removed)
        message = Update(self.replica.id, self.replica.number + 1, wanted, removed, fork)
        if after is None:
            with pytest.raises(BadUpdateError):
                self.replica.accept(message)
            return
        old = self.replica.current
        self.replica.accept(message)
        number = self.replica.number
        notices = any(not is_same_content(e, after.get(path)) for path, e in model.entries.items())
        forks = bool(old.bound) and (notices or (fork and after != model.entries))
        assert (self.replica.current is not old) == forks
        same = {path for path, e in after.items() if is_same_content(model.entries.get(path), e)}
        numbers = {path: model.numbers[path] if path in same else number for path in after}
        self.models[self.replica.current] = Model(after, numbers, number if notices else model.last_change)

    @rule(name=st.sampled_from(sorted(CONTENTS)))
    def upload(self, name):
        data = CONTENTS[name]
        store(self.blobs, data)
        self.here.add(data)
        assert self.replica.arrived(digest_of(data), len(data)) == []

    @rule(name=st.sampled_from(sorted(CONTENTS)))
    def lose(self, name):
        """The client has not got it any more, and neither has the store."""
        data = CONTENTS[name]
        if data in self.here:
            return
        failed = self.replica.gone([digest_of(data)])
        awaited = []
        for tree, model in self.models.items():
            lost = {
                p for p, e in model.entries.items() if isinstance(e, File) and e.digest == digest_of(data)
            }
            lowest = min((model.numbers[path] for path in lost), default=None)
            if lowest is not None:
                awaited += [
                    job
                    for job in self.bound
                    if job.tree is tree and job not in self.frozen and job.number >= lowest
                ]
            model.entries = {path: e for path, e in model.entries.items() if path not in lost}
        assert {id(job) for job in failed} <= {id(job) for job in awaited}
        assert all(job.state is BindingState.CHANGED for job in awaited)

    @rule(target=jobs, back=st.integers(0, 2))
    def bind(self, back):
        job = self.replica.bind(self.replica.id, max(0, self.replica.number - back))
        self.bound.append(job)
        if job.state is BindingState.READY:
            self.freeze(job)
        return job

    def freeze(self, job):
        """It starts now: nothing that it needs may be missing."""
        model = self.models[job.tree]
        pending = {path for path, e in model.entries.items() if isinstance(e, File) and not self.is_here(e)}
        assert all(model.numbers[path] > job.needed for path in pending)
        self.frozen[job] = disk_of(job.tree.root)

    @rule(job=consumes(jobs))
    def release(self, job):
        self.replica.release(job)
        self.bound.remove(job)
        self.frozen.pop(job, None)
        if job.tree is not self.replica.current and not job.tree.bound:
            del self.models[job.tree]

    @rule()
    def look_up(self):
        missing = {digest_of(data) for data in CONTENTS.values() if data not in self.here}
        assert set(self.replica.look_up()) <= missing

    @rule()
    def write(self):
        self.start_jobs(self.replica.write())

    @rule()
    def do_all_work(self):
        """Now the disk is what the models say."""
        while self.replica.has_work:
            self.replica.look_up()
            self.start_jobs(self.replica.write())
        for tree, model in self.models.items():
            if os.path.exists(tree.root) or model.entries:
                assert disk_of(tree.root) == expected(model.entries, self.here)
        for job in self.bound:
            self.check_state(job)
        kept = {os.path.basename(tree.root) for tree in self.models}
        made = {name for name in os.listdir(self.replica.directory) if name != b"blobs"}
        assert made <= kept

    def start_jobs(self, settled):
        for job in settled:
            assert job.state is BindingState.READY
            self.freeze(job)

    def check_state(self, job):
        if job.state is BindingState.CHANGED:
            return
        model = self.models[job.tree]
        pending = {path for path, e in model.entries.items() if isinstance(e, File) and not self.is_here(e)}
        is_ready = all(model.numbers[path] > job.needed for path in pending)
        # Ready once is ready for ever: a later update with an older one's blobs does not take it back.
        assert job.state is (BindingState.READY if is_ready or job in self.frozen else BindingState.WAITING)

    def is_here(self, entry):
        return entry.digest in {digest_of(data) for data in self.here}

    @precondition(lambda self: hasattr(self, "frozen"))
    @invariant()
    def a_tree_that_a_job_has_never_changes(self):
        for job, before in self.frozen.items():
            now = disk_of(job.tree.root)
            for path, (kind, *facts) in before.items():
                assert path in now
                assert now[path][0] == kind
                if kind == "file":
                    assert (now[path][1], now[path][3]) == (facts[0], facts[2])
                else:
                    assert now[path][1:] == tuple(facts)


Replicating.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestReplicating = Replicating.TestCase
