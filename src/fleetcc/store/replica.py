"""The replica of one agent: its updates, its trees, and the jobs that have one.

Theory of operation. `accept`, `bind`, `arrived`, `gone` and `release` are bookkeeping: they take the messages
of a connection in their order, never wait for the disk, and may be called by an event loop. `look_up` and
`write` do the disk's part in a thread, as long as `has_work`:

    while replica.has_work:
        ask the client for replica.look_up()          # digests that nobody here has
        start or answer the jobs of replica.write()   # their bindings are settled

There is one current tree. Jobs are bound to the one that is current when they come. Updates go into it,
unless they change or remove something, or say `fork`, while jobs have it: then a new tree, linked from the
old, becomes the current one, and the old one stays until its last job is released. Blobs go to all trees.

When the disk fails, or the replica is evicted, it begins again with a new id, number 0 and nothing in it;
whoever names the old id gets ReplicaGoneError. Running jobs keep their trees.
"""

import secrets
import threading
import time
from collections.abc import Collection

from fleetcc.store.binding import Binding, BindingState
from fleetcc.store.blobs import BlobStore
from fleetcc.store.desired import Desired
from fleetcc.store.errors import BadUpdateError, ReplicaGoneError, StoreError, store_error
from fleetcc.store.lookup import Lookup
from fleetcc.store.tree import Tree
from fleetcc.store.tree_disk import TreeDisk
from fleetcc.wire.files import File, Update


class Replica:
    """Below `directory`, which its maker owns. For use in any thread, as the module says."""

    def __init__(self, directory: bytes, blobs: BlobStore, max_bytes: int) -> None:
        """`max_bytes`: what one tree may take, were nothing of it shared."""
        self.directory = directory
        self.used = time.monotonic()  # when a message last concerned it
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # of everything below; never held over disk work
        self._working = threading.Lock()  # one thread writes
        self._looking = threading.Lock()  # one thread looks up
        self._made = 0  # trees
        self._bound = 0  # jobs
        self._waiting: list[Binding] = []
        self._failed: list[Binding] = []  # that `write` will tell
        self._older: list[Tree] = []  # bound to jobs, and still to be completed
        self._retired: list[Tree] = []  # bound to jobs of the time before it began again
        self._dropped: list[Tree] = []  # to be removed
        self._lookup = Lookup(blobs)
        self._arrivals: set[bytes] | None = None  # digests that came during a write
        self.id = b""
        self.number = 0  # of the last update
        self.current = self._start_empty()

    @property
    def has_work(self) -> bool:
        """Whether `look_up` or `write` has something to do."""
        with self._lock:
            trees = any(tree.has_work for tree in self._trees())
            return trees or bool(self._dropped or self._failed) or self._lookup.has_work

    @property
    def is_idle(self) -> bool:
        """No job is bound to any of its trees."""
        return self._bound == 0

    @property
    def copied_bytes(self) -> int:
        """About what it takes on disk beside the blobs; its trees share nearly all their files."""
        with self._lock:
            return max(tree.disk.copied_bytes for tree in (*self._trees(), *self._retired, *self._dropped))

    def accept(self, update: Update) -> None:
        """The next update; raises ReplicaGoneError, ReplicaFullError or BadUpdateError."""
        with self._lock:
            self._check(update.replica)
            if update.number != self.number + 1:
                raise BadUpdateError(f"update {update.number} where {self.number + 1} was expected")
            tree = self.current
            changes = tree.desired.plan(update.puts, update.removes, self._max_bytes)
            if changes and tree.bound and (update.fork or tree.would_change(changes)):
                tree = self._fork()
            tree.change(changes, update.number)
            self.number = update.number
            for path, entry in changes.items():
                if isinstance(entry, File):
                    self._lookup.want(path, entry)

    def bind(self, replica: bytes, number: int) -> Binding:
        """A job that needs the updates up to this one gets the current tree; to be released in any case.

        Raises ReplicaGoneError, and BadUpdateError for an update that has not come.
        """
        with self._lock:
            self._check(replica)
            if number > self.number:
                raise BadUpdateError(f"a job needs update {number}; the last one was {self.number}")
            tree = self.current
            tree.begin()
            tree.bound += 1
            self._bound += 1
            # A change that came before the job must not be written while it runs.
            binding = Binding(tree, number, max(number, tree.last_change))
            self._waiting.append(binding)
            self._settle()
            return binding

    def release(self, binding: Binding) -> None:
        """The job has ended, or will never begin. A second call does nothing."""
        with self._lock:
            if binding.is_released:
                return
            binding.is_released = True
            if binding in self._waiting:
                self._waiting.remove(binding)
            self.used = time.monotonic()
            tree = binding.tree
            tree.bound -= 1
            self._bound -= 1
            if tree.bound == 0:
                for trees in (self._older, self._retired):
                    if tree in trees:
                        trees.remove(tree)
                        self._dropped.append(tree)

    def arrived(self, digest: bytes, size: int) -> list[Binding]:
        """The store has got this blob. The answer: jobs that will never run, for it has not the size told."""
        with self._lock:
            if self._arrivals is not None:
                self._arrivals.add(digest)
            self._lookup.answered((digest,))
            failed: list[Binding] = []
            for tree in self._trees():
                failed += self._fail(tree, tree.arrived(digest, size))
            return failed

    def gone(self, digests: Collection[bytes]) -> list[Binding]:
        """The client does not have these any more. The answer: jobs that will never run."""
        with self._lock:
            lost = frozenset(digests)
            self._lookup.answered(lost)
            failed: list[Binding] = []
            for tree in self._trees():
                failed += self._fail(tree, tree.gone(lost))
            return failed

    def resume(self) -> None:
        """A new connection: what the last one was asked for and did not send is asked for again."""
        with self._lock:
            self.used = time.monotonic()
            self._lookup.ask_again()

    def look_up(self) -> tuple[bytes, ...]:
        """Look here for the blobs of new entries (disk); the digests to ask the client for."""
        with self._looking:
            with self._lock:
                wanted, replica = self._lookup.take(), self.id
            found = self._lookup.find(wanted)
            for digest, size in found.items():  # a write may have missed it
                self._failed += self.arrived(digest, size)
            with self._lock:
                return self._lookup.ask(wanted, found) if self.id == replica else ()

    def write(self) -> list[Binding]:
        """Bring the disk up to what is desired; the jobs that may start now, or never will."""
        with self._working:
            with self._lock:
                trees = self._trees()
                settled, self._failed = self._failed, []
            for tree in trees:
                try:
                    settled += self._write(tree)
                except (OSError, StoreError) as error:
                    trouble = error if isinstance(error, StoreError) else store_error(error, "writing a tree")
                    settled += self._begin_again(str(trouble))
                    break
            self._remove_dropped()
            return settled

    def give_up(self, reason: str) -> list[Binding]:
        """The store has failed it: begin again with nothing; the jobs that wait will never run."""
        return self._begin_again(reason)

    def evict(self) -> bool:
        """Begin again with nothing, if no job has it (disk); whether it did."""
        with self._working:
            with self._lock:
                if self._bound:
                    return False
                self._restart()
            self._remove_dropped()
            return True

    def _check(self, replica: bytes) -> None:
        self.used = time.monotonic()
        if replica != self.id:
            raise ReplicaGoneError(f"replica {replica.hex()} is not here any more; {self.id.hex()} is")

    def _trees(self) -> list[Tree]:
        """Those that are kept up, the oldest first."""
        return [*self._older, self.current]

    def _fork(self) -> Tree:
        old = self.current
        tree = old.fork(TreeDisk(self._next_root(), self._blobs, old.disk))
        self._older.append(old)
        self.current = tree
        return tree

    def _write(self, tree: Tree) -> list[Binding]:
        with self._lock:
            if not tree.has_work or tree not in self._trees():
                return []
            wanted = tree.take()
            self._arrivals = set()
        lacking = tree.disk.apply(wanted)
        with self._lock:
            if self._arrivals is None:  # it was given up meanwhile
                return []
            for path, entry in tree.settle(wanted, lacking, self._arrivals):
                self._lookup.want(path, entry)
            self._arrivals = None
            return self._settle()

    def _settle(self) -> list[Binding]:
        """The waiting jobs whose trees are ready."""
        ready = [binding for binding in self._waiting if binding.tree.ready_for(binding.needed)]
        for binding in ready:
            binding.state = BindingState.READY
            self._waiting.remove(binding)
        return ready

    def _fail(self, tree: Tree, lowest: int | None) -> list[Binding]:
        """Jobs that wait in the tree for this update or a later one will not run."""
        if lowest is None:
            return []
        failed = [b for b in self._waiting if b.tree is tree and b.number >= lowest]
        for binding in failed:
            binding.state = BindingState.CHANGED
            self._waiting.remove(binding)
        return failed

    def _begin_again(self, reason: str) -> list[Binding]:
        with self._lock:
            self._arrivals = None
            failed, self._waiting = self._waiting, []
            for binding in failed:
                binding.state = BindingState.BROKEN
                binding.reason = reason
            self._restart()
            return failed

    def _restart(self) -> None:
        for tree in self._trees():
            (self._retired if tree.bound else self._dropped).append(tree)
        self._older = []
        self.current = self._start_empty()

    def _start_empty(self) -> Tree:
        self.id = secrets.token_bytes(16)
        self.number = 0
        self._lookup.clear()
        return Tree(TreeDisk(self._next_root(), self._blobs), Desired())

    def _next_root(self) -> bytes:
        self._made += 1
        return b"%s/%d" % (self.directory, self._made)

    def _remove_dropped(self) -> None:
        """Remove trees without jobs, but not those that a new one is still to be linked from."""
        with self._lock:
            parents = {disk for tree in self._trees() for disk in tree.disk.ancestors()}
            going = [tree for tree in self._dropped if tree.disk not in parents]
            self._dropped = [tree for tree in self._dropped if tree.disk in parents]
        for tree in going:
            tree.disk.remove()
