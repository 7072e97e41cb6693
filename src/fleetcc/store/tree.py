"""One version of a replica: what it is to hold, and how far the disk is behind. No disk here.

Theory of operation. `desired` is the truth; a path is *pending* from the update that changed it until the
disk agrees. A pending path is *to do*, or it waits for a blob; then it is absent on disk, also where another
content was before. A worker takes all that is to do, writes it without a lock, and settles: what has changed
again meanwhile stays pending. An update is complete when nothing is pending that it or an earlier one asked
for. So no list of operations is kept, and two updates of one path cost one write.

All methods are called under the replica's lock and never wait.
"""

from collections.abc import Collection, Sequence
from typing import Final

from fleetcc.store.desired import Changes, Desired, is_same_content
from fleetcc.store.tree_disk import TreeDisk
from fleetcc.wire.files import File

_ROOT: Final = b""  # pending until the root directory is made


class Tree:
    """What a job sees as `/` lies at `root`, an absolute path of the server."""

    def __init__(self, disk: TreeDisk, desired: Desired) -> None:
        self.disk = disk
        self.root = disk.root
        self.desired = desired
        self.bound = 0  # jobs that have it
        self.last_change = 0  # the last update that changed or removed something in it
        self._pending: dict[bytes, int] = {}  # path to the update that wants it
        self._owing: dict[int, int] = {}  # update to the number of its pending paths
        self._todo: set[bytes] = set()
        self._waiting: dict[bytes, set[bytes]] = {}  # digest to paths; some may want something else by now
        self._pending[_ROOT] = 0
        self._owing[0] = 1

    def begin(self) -> None:
        """Somebody needs it: an unused one needs no directory."""
        if _ROOT in self._pending:
            self._todo.add(_ROOT)

    def fork(self, disk: TreeDisk) -> "Tree":
        """A tree that will be like this one, made of it; `disk` has this one's disk as its parent."""
        twin = Tree(disk, self.desired.copy())
        for path in twin.desired.entries:
            twin._mark(path, self._pending.get(path, 0))
        twin.last_change = self.last_change
        return twin

    def change(self, changes: Changes, number: int) -> None:
        """Take an update over."""
        self.begin()
        entries = self.desired.entries
        kept = [path for path, entry in changes.items() if is_same_content(entries.get(path), entry)]
        # Where a path is pending, the disk may still have what an earlier update removed.
        if self.would_change(changes) or not self._pending.keys().isdisjoint(changes):
            self.last_change = number
        numbers = {path: self._pending.get(path, number) for path in kept}  # the content was wanted before
        self.desired.apply(changes)
        for path in changes:
            self._mark(path, numbers.get(path, number))

    def would_change(self, changes: Changes) -> bool:
        """Whether a job that has the tree could read something else, or nothing, where it read before."""
        entries = self.desired.entries
        return any(path in entries and not is_same_content(entries[path], changes[path]) for path in changes)

    @property
    def has_work(self) -> bool:
        """Whether the disk can come nearer to what is desired."""
        return bool(self._todo)

    def ready_for(self, number: int) -> bool:
        """Whether everything that updates up to this one asked for, and no later one took back, is there."""
        return not self._owing or min(self._owing) > number

    def take(self) -> Changes:
        """All that is to do now."""
        entries = self.desired.entries
        wanted = {path: entries.get(path) for path in self._todo}
        self._todo = set()
        return wanted

    def settle(
        self, wanted: Changes, lacking: Sequence[bytes], arrived: Collection[bytes]
    ) -> list[tuple[bytes, File]]:
        """What was taken is on disk now, but for the lacking; those that wait for their blobs now.

        `arrived`: the digests of blobs that came during the work.
        """
        entries = self.desired.entries
        absent = set(lacking)
        waits: list[tuple[bytes, File]] = []
        for path, entry in wanted.items():
            if entries.get(path) != entry:
                continue
            if path not in absent:
                self._unmark(path)
            elif isinstance(entry, File):
                if entry.digest in arrived:
                    self._todo.add(path)
                else:
                    self._waiting.setdefault(entry.digest, set()).add(path)
                    waits.append((path, entry))
        return waits

    def arrived(self, digest: bytes, size: int) -> int | None:
        """A blob came. Paths that want another size of it go; the lowest update that named one of them."""
        wrong: list[bytes] = []
        for path in self._waiting.pop(digest, ()):
            entry = self.desired.entries.get(path)
            if isinstance(entry, File) and entry.digest == digest:
                self._todo.add(path)
                if entry.size != size:
                    wrong.append(path)
        return self._give_up(wrong)

    def gone(self, digests: Collection[bytes]) -> int | None:
        """Blobs will not come: paths that wait for them go; the lowest update that named one of them."""
        entries = self.desired.entries
        wanted = {path: entry for path in self._pending if isinstance(entry := entries.get(path), File)}
        # Number 0: it is there in the tree that this one is still to be linked from.
        lost = [p for p, entry in wanted.items() if entry.digest in digests and self._pending[p] > 0]
        for digest in digests:
            self._waiting.pop(digest, None)
        return self._give_up(lost)

    def _give_up(self, paths: Sequence[bytes]) -> int | None:
        lowest = min((self._pending[path] for path in paths), default=None)
        self.desired.apply(dict.fromkeys(paths))
        self._todo.update(paths)  # the disk may just be getting them
        return lowest

    def _mark(self, path: bytes, number: int) -> None:
        self._unmark(path)
        self._pending[path] = number
        self._owing[number] = self._owing.get(number, 0) + 1
        self._todo.add(path)

    def _unmark(self, path: bytes) -> None:
        number = self._pending.pop(path, None)
        if number is not None:
            self._owing[number] -= 1
            if self._owing[number] == 0:
                del self._owing[number]
