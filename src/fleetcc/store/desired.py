"""What a tree is to hold. In memory alone; knows nothing of disks.

Every directory above a path has an entry of its own, so one lookup says whether something may stand below
it. That is also the whole defence against links: nothing is ever put below an entry that is not a directory,
so no path of a tree leads through a link.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from fleetcc.store.errors import BadUpdateError, ReplicaFullError
from fleetcc.store.paths import check_path, check_target, parent_of
from fleetcc.wire.files import MAX_REPLICA_ENTRIES, Directory, Entry, File, Link

# What becomes of paths; None: it goes.
Changes: TypeAlias = dict[bytes, Entry | None]

DIRECTORY: Final = Directory()
# All paths of a replica together: they are in memory. Those of big systems are some 70 bytes long.
MAX_PATHS_BYTES: Final = 256 * MAX_REPLICA_ENTRIES

_ROOT: Final = b"/"
# What a file system takes for anything small.
_BLOCK_BYTES: Final = 4096
_KINDS: Final = {File: "a file", Link: "a symbolic link", Directory: "a directory"}


class Desired:
    """Entries by path, without the root. Not for several threads at once."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.bytes = 0  # what all of it takes on disk, were nothing shared
        self._path_bytes = 0
        self._inside: dict[bytes, set[bytes]] = {}  # directory to the paths directly in it

    def copy(self) -> "Desired":
        """An independent one."""
        twin = Desired()
        twin.entries = self.entries.copy()
        twin.bytes = self.bytes
        twin._path_bytes = self._path_bytes
        twin._inside = {directory: paths.copy() for directory, paths in self._inside.items()}
        return twin

    def plan(self, puts: Mapping[bytes, Entry], removes: Sequence[bytes], max_bytes: int) -> Changes:
        """What an update changes; raises BadUpdateError, ReplicaFullError. Nothing is changed yet."""
        changes: Changes = {}
        for path in removes:
            check_path(path)
            self._take_out(path, changes)
        wanted = {path: entry for path, entry in puts.items() if not _is_root(path, entry)}
        for path, entry in wanted.items():
            check_path(path)
            if isinstance(entry, Link):
                check_target(path, entry.target)
            if not isinstance(entry, Directory):
                self._take_out(path, changes)
        changes.update(wanted)
        made = 0
        for path in wanted:
            made += self._make_parents(path, changes)
            _check_path_bytes(made)  # a path can have two thousand parents, and a message four thousand paths
        real = {path: entry for path, entry in changes.items() if self.entries.get(path) != entry}
        self._check_size(real, max_bytes)
        return real

    def apply(self, changes: Changes) -> None:
        """Change it as planned."""
        for path, entry in changes.items():
            self.bytes += taken_bytes(entry) - taken_bytes(self.entries.get(path))
            difference = (entry is not None) - (path in self.entries)
            self._path_bytes += difference * len(path)
            parent = parent_of(path)
            if entry is not None:
                self.entries[path] = entry
                self._inside.setdefault(parent, set()).add(path)
            elif (
                self.entries.pop(path, None) is not None and (inside := self._inside.get(parent)) is not None
            ):
                inside.discard(path)
                if not inside:
                    del self._inside[parent]

    def _take_out(self, path: bytes, changes: Changes) -> None:
        """The path goes, and everything below it."""
        waiting = [path] if path in self.entries else []
        while waiting:
            gone = waiting.pop()
            changes[gone] = None
            waiting.extend(self._inside.get(gone, ()))

    def _make_parents(self, path: bytes, changes: Changes) -> int:
        """Directories down to the path; how long the paths of new ones are together."""
        made = 0
        for parent in _parents(path):
            entry = changes[parent] if parent in changes else self.entries.get(parent)
            if isinstance(entry, Directory):
                break
            if entry is not None:
                raise BadUpdateError(f"{path!r} is below {parent!r}, which is {_KINDS[type(entry)]}")
            changes[parent] = DIRECTORY
            made += len(parent)
        return made

    def _check_size(self, changes: Changes, max_bytes: int) -> None:
        count, total, path_bytes = len(self.entries), self.bytes, self._path_bytes
        for path, entry in changes.items():
            old = self.entries.get(path)
            difference = (entry is not None) - (old is not None)
            count += difference
            path_bytes += difference * len(path)
            total += taken_bytes(entry) - taken_bytes(old)
        if count > MAX_REPLICA_ENTRIES:
            raise ReplicaFullError(f"{count} entries in a replica; the most is {MAX_REPLICA_ENTRIES}")
        _check_path_bytes(path_bytes)
        if total > max_bytes:
            raise ReplicaFullError(f"{total} bytes in a replica; the most is {max_bytes}")


def taken_bytes(entry: Entry | None) -> int:
    """What an entry takes on disk, in whole blocks."""
    if entry is None:
        return 0
    size = entry.size if isinstance(entry, File) else 1
    return max(1, -(-size // _BLOCK_BYTES)) * _BLOCK_BYTES


def is_same_content(old: Entry | None, new: Entry | None) -> bool:
    """Whether a compiler reads the same at both; times may differ."""
    if isinstance(old, File) and isinstance(new, File):
        return old.digest == new.digest and old.size == new.size and old.executable == new.executable
    return old == new


def _check_path_bytes(count: int) -> None:
    if count > MAX_PATHS_BYTES:
        raise ReplicaFullError(f"{count} bytes of paths in a replica; the most is {MAX_PATHS_BYTES}")


def _is_root(path: bytes, entry: Entry) -> bool:
    """The root is a directory, and may be said to be one."""
    return path == _ROOT and isinstance(entry, Directory)


def _parents(path: bytes) -> Iterator[bytes]:
    while path := parent_of(path):
        yield path
