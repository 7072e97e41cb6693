"""The scanner's view of the real disk: at most one look at a path per moment, and mostly none.

Not for use in several threads.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fleetcc.files.folders import Folder, Marks, Step
from fleetcc.files.looks import Looks
from fleetcc.files.proofs import Proof, Proofs
from fleetcc.files.stamps import FileStamp, RealStamp
from fleetcc.files.watches import Watches
from fleetcc.includes.disk import Listing, Stamp
from fleetcc.wire.files import Directory, Link

# Folders, and paths split into folder and name, that are remembered before everything is forgotten.
_MOST_FOLDERS: Final = 50_000
_MOST_PATHS: Final = 1_000_000

# Where Linux gives up with ELOOP.
MAX_LINKS: Final = 40

_UNKNOWN: Final = False  # no stamp and no step is False

_CHUNK: Final = 1 << 16


class RealDisk:
    """`includes.disk.Disk` over the operating system.

    `begin` starts a moment: what has happened before it shows in it. The mappings given to `still` must not
    be changed afterwards: an answer is remembered by the objects. `watch`: let inotify spare looks;
    `clock`: wall clock in nanoseconds.
    """

    def __init__(self, *, watch: bool = True, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._looks = Looks(Watches(enabled=watch), clock())
        self._moment = 0
        self._last_event = 0  # the first moment that knows of the last one
        self._folders: dict[bytes, Folder] = {}
        self._places: dict[bytes, tuple[Folder, bytes]] = {}
        self._listings: dict[tuple[int, int, int], Listing] = {}
        self._proofs = Proofs()
        # Of this moment only: what no watch keeps true.
        self._seen: dict[bytes, RealStamp | None] = {}
        self._seen_steps: dict[bytes, Step] = {}

    @property
    def moment(self) -> int:
        """The number of this moment."""
        return self._moment

    def begin(self) -> None:
        """From here on answers are of a new moment."""
        self._moment += 1
        self._looks.now_ns = self._clock()
        if self._seen:
            self._seen = {}
        if self._seen_steps:
            self._seen_steps = {}
        full = len(self._folders) > _MOST_FOLDERS or len(self._places) > _MOST_PATHS
        watches = self._looks.watches
        told = watches.told
        if not watches.catch_up() or full:
            self._forget()
        elif watches.told != told:
            self._last_event = self._moment

    def close(self) -> None:
        """Give all descriptors back; answers stay right, each by a look."""
        self._looks.watches.close()
        self._forget()

    def file(self, path: bytes) -> RealStamp | None:
        """The version of the regular file there; None when there is none."""
        folder, name = self._places.get(path) or self._place(path)
        if folder.moment != self._moment:
            self._look_at(folder)
        found: RealStamp | bool | None = folder.stamps.get(name, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._seen.get(path, _UNKNOWN)
            if found is _UNKNOWN:
                return self._find(path, folder, name)
        return found  # type: ignore[return-value] # not False any more

    def listing(self, directory: bytes) -> Listing | None:
        """The directory there, the same object as long as it has the same names; None: no such one."""
        folder = self._folder(directory)
        return folder.listing if folder.up_to_date else self._list(folder)

    def identity(self, directory: bytes) -> tuple[int, int] | None:
        """Device and inode of the directory there; None: no such one."""
        folder = self._folder(directory)
        return (folder.device, folder.inode) if folder.exists else None

    def read(self, path: bytes) -> bytes:
        """The file's content; raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            content = os.read(descriptor, _CHUNK)
            if len(content) < _CHUNK:
                return content
            parts = [content]
            while more := os.read(descriptor, 16 * _CHUNK):
                parts.append(more)
            return b"".join(parts)
        finally:
            os.close(descriptor)

    def still(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> bool:
        """Whether all of these are what `file` and `listing` would answer now."""
        proof = self._proofs.find(files, listings)
        return (proof is not None and self._holds(proof)) or self._prove(files, listings)

    def step(self, directory: bytes, name: bytes) -> Step:
        """What lies at a name in a directory whose own path has no link in it; a link is not followed."""
        folder = self._folder(directory)
        found = folder.steps.get(name, _UNKNOWN)
        if found is _UNKNOWN:
            path = folder.prefix + name
            found = self._seen_steps.get(path, _UNKNOWN)
            if found is _UNKNOWN:
                return self._take_step(path, folder, name)
        return found

    def ways(self, directories: Iterable[bytes]) -> Marks:
        """For `stand`: what is known now of the steps through these directories."""
        folders = map(self._folder, directories)
        return Marks(tuple([(folder, folder.way) for folder in folders]))

    def stand(self, ways: Marks) -> bool:
        """Is each step through these folders what it was when these were their ways?"""
        if ways.seen >= self._last_event:
            return True
        moment, only_events = self._moment, True
        for folder, way in ways.pairs:
            if folder.watch is None:
                only_events = False
                if folder.moment != moment:
                    self._look_at(folder)
            if folder.way is not way:
                return False
        ways.seen = moment if only_events else -1
        return True

    def tokens(self, directories: Iterable[bytes]) -> Marks:
        """For `unchanged`: what is known now of the names in these directories."""
        folders = map(self._folder, directories)
        return Marks(tuple([(folder, folder.token) for folder in folders]))

    def unchanged(self, tokens: Marks) -> bool:
        """Is every answer about these folders' names what it was when these were their tokens?"""
        if tokens.seen >= self._last_event:
            return True
        moment, only_events = self._moment, True
        for folder, token in tokens.pairs:
            if folder.moment != moment:
                self._look_at(folder)
            if folder.token is not token:
                return False
            only_events = only_events and folder.anchor is not None
        tokens.seen = moment if only_events else -1
        return True

    def _holds(self, proof: Proof) -> bool:
        return self.unchanged(proof.tokens) and all(
            self._is_still(path, stamp) for path, stamp in proof.others
        )

    def _is_still(self, path: bytes, stamp: Stamp) -> bool:
        """The same as asking for the file, at half the price for one that nobody watches."""
        if path in self._seen or not isinstance(stamp, FileStamp) or not self._looks.is_still(path, stamp):
            return self.file(path) == stamp
        self._seen[path] = stamp
        return True

    def _prove(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> bool:
        for path, stamp in files.items():
            if self.file(path) != stamp:
                return False
        for directory, listing in listings.items():
            if self.listing(directory) is not listing:
                return False
        seen, places = self._seen, self._places
        folders = dict.fromkeys([places[path][0] for path in files])
        folders |= dict.fromkeys([self._folders[directory] for directory in listings])
        tokens = Marks(tuple([(folder, folder.token) for folder in folders]))
        others = tuple((path, stamp) for path, stamp in files.items() if path in seen)
        self._proofs.add(Proof(files, listings, tokens, others))
        return True

    def _forget(self) -> None:
        self._last_event = self._moment
        for folder in self._folders.values():  # whoever holds one must not trust its tokens
            folder.forget_names()
        self._looks.watches.restart()
        self._folders.clear()
        self._places.clear()
        self._proofs.clear()
        # Listings stay: they are known by what tells one version of a directory from the next.

    def _place(self, path: bytes) -> tuple[Folder, bytes]:
        directory, _, name = path.rpartition(b"/")
        place = (self._folder(directory or b"/"), name)
        self._places[path] = place
        return place

    def _folder(self, directory: bytes) -> Folder:
        """The folder, looked at in this moment."""
        folder = self._folders.get(directory)
        if folder is None:
            folder = self._folders[directory] = Folder(directory)
        if folder.moment != self._moment:
            self._look_at(folder)
        return folder

    def _look_at(self, folder: Folder) -> None:
        folder.moment = self._moment
        if folder.anchor is not None and self.stand(folder.anchor):
            return  # events would have told
        # The way to it first: what changes there later is an event, what changed before shows in the look.
        anchor = self._anchor(folder.path) if folder.watch is not None else None
        self._looks.at_folder(folder)
        folder.anchor = anchor if folder.watch is not None and folder.settled else None

    def _anchor(self, path: bytes) -> Marks | None:
        """The ways of the folders that lead to a directory, if all of them are watched."""
        passed: dict[Folder, None] = {}
        here, links = b"", 0
        ahead = path.split(b"/")[::-1]
        while ahead:
            name = ahead.pop()
            if name in {b"", b"."}:
                continue
            if name == b"..":
                here = here.rpartition(b"/")[0]
                continue
            step = self.step(here or b"/", name)
            folder = self._folders[here or b"/"]
            if folder.watch is None:
                return None
            passed[folder] = None
            if isinstance(step, Directory):
                here += b"/" + name
            elif isinstance(step, Link) and links < MAX_LINKS:
                links += 1
                ahead += step.target.split(b"/")[::-1]
                here = b"" if step.target.startswith(b"/") else here
            else:
                return None
        return Marks(tuple([(folder, folder.way) for folder in passed]))

    def _list(self, folder: Folder) -> Listing | None:
        if not folder.exists:
            return None
        key = (folder.device, folder.inode, folder.ctime_ns)
        listing = self._listings.get(key) if folder.settled else None
        if listing is None:
            try:
                listing = Listing(_names(folder.path))
            except OSError:
                return None  # it has gone since the moment began
        if folder.listing is not None and _same(folder.listing.names, listing.names):
            listing = folder.listing  # what this spelling has answered counts, whatever others have
        if folder.settled:
            if len(self._listings) > _MOST_FOLDERS:
                self._listings.clear()
            self._listings.setdefault(key, listing)
        folder.listing, folder.up_to_date = listing, True
        return listing

    def _find(self, path: bytes, folder: Folder, name: bytes) -> RealStamp | None:
        if not folder.exists:
            return None
        stamp, kept = self._looks.at_file(path, folder, name)
        if kept:
            folder.stamps[name] = stamp
        else:
            self._seen[path] = stamp
        return stamp

    def _take_step(self, path: bytes, folder: Folder, name: bytes) -> Step:
        if not folder.exists:
            return None
        step = self._looks.at_step(path, folder)
        if folder.watch is not None or folder.settled:
            folder.steps[name] = step
        else:
            self._seen_steps[path] = step
        return step


class _AnyName(frozenset[bytes]):
    """The names in a directory that may be walked through but not listed: any may be there."""

    def __contains__(self, name: object) -> bool:
        return True


def _names(directory: bytes) -> frozenset[bytes]:
    try:
        return frozenset(os.listdir(directory))
    except PermissionError:
        return _AnyName()


def _same(some: frozenset[bytes], others: frozenset[bytes]) -> bool:
    return some == others and type(some) is type(others)
