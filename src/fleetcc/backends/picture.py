"""What a host's replica of this machine holds, as far as it was told, and what it must be told next.

A warm job finds all of its layers known and says nothing. A new layer is compared path by path. Paths that
have vanished here are found by the directories that the layer's scan consulted: whatever the replica has in
one of them and the directory has not is removed.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.files.layers import Layer
from fleetcc.includes.disk import Listing
from fleetcc.wire.files import MAX_REPLICA_ENTRIES, Directory, Entry, File, ReplicaState, Update
from fleetcc.wire.fleet_updates import updates

# Layers that are remembered as known; beyond that all are compared once more. One that nobody else needs any
# more has some 25 KB.
_MOST_LAYERS: Final = 10_000
# Beyond this the replica begins anew; servers take a few more.
_MOST_ENTRIES: Final = MAX_REPLICA_ENTRIES - 1000
# Names that have come while jobs run; beyond that any of them may be meant.
_MOST_FRESH: Final = 100_000

Listings = Mapping[bytes, Listing | None]


@dataclass(frozen=True, slots=True)
class Change:
    """What to send before a job, and the update that the job needs."""

    updates: Sequence[Update]
    needed: int


@dataclass(slots=True)
class _Held:
    """One path of the replica."""

    entry: Entry
    number: int  # of the update that brought it


@dataclass(slots=True)
class Picture:
    """One replica, seen from the agent."""

    # The names below `/` that any host was told: all that any replica of this agent can hold is below them.
    roots: set[bytes] = field(default_factory=set)
    replica: bytes = b""  # its id; empty: the host has not told any
    _number: int = 0
    _stale: list[bytes] = field(default_factory=list)  # to be removed before anything is said
    _held: dict[bytes, _Held] = field(default_factory=dict)
    _names: dict[bytes, set[bytes]] = field(default_factory=dict)  # by directory
    _seen: dict[bytes, Listing | None] = field(default_factory=dict)  # directories as they were last
    _layers: dict[Layer, int] = field(default_factory=dict)  # with the update that completed each
    _fresh: set[bytes] = field(default_factory=set)  # came after jobs were sent that still run
    _told: set[bytes] = field(default_factory=set)  # digests: the only blobs that are the host's business

    def take_state(self, state: ReplicaState) -> None:
        """The host says which replica it has; one that it cannot vouch for starts empty.

        Where it has something else than was told here, as after updates that were lost with a connection,
        all that may be there is removed first.
        """
        if (state.replica, state.number) == (self.replica, self._number):
            return
        self.replica, self._number = state.replica, state.number
        self._told.clear()
        self._forget_all(is_empty=not state.number)

    def change_for(self, layers: Iterable[Layer], listings: Listings, *, is_busy: bool) -> Change:
        """What the replica lacks of these layers, which it has from now on.

        `listings`: of their directories; `is_busy`: other jobs use the replica now.
        """
        layers = tuple(layers)
        needed, new = 0, []
        for layer in layers:
            number = self._layers.get(layer)
            if number is None:
                new.append(layer)
            elif number > needed:
                needed = number
        if not new:
            return Change((), needed)
        vanished = self._look_around(new, listings)
        puts, before, is_changed = self._compare(new)
        if len(self._held) + len(puts) > _MOST_ENTRIES:
            self._forget_all(is_empty=False)
            new = list(layers)
            vanished = self._look_around(new, listings)
            puts, before, is_changed = self._compare(new)
        vanished, self._stale = self._stale + vanished, []
        needed = max(needed, before)
        is_fresh = self._is_fresh(puts)
        if vanished or is_changed or is_fresh:
            self._layers.clear()
        told: Sequence[Update] = ()
        if puts or vanished:
            fork = is_busy and is_fresh
            told = tuple(updates(self.replica, self._number + 1, puts, vanished, fork=fork))
            self._number = needed = told[-1].number
            self._hold(puts)
        if not is_busy:
            self._fresh.clear()  # this job knows of them, and there is no other
        self._remember(new, needed)
        return Change(told, needed)

    def has_told(self, digest: bytes) -> bool:
        """Whether the host was told that this blob is in its replica."""
        return digest in self._told

    def forget(self, digests: Iterable[bytes]) -> None:
        """These blobs cannot be sent any more: the paths that were to hold them are not in the replica.

        Some may be, under a path that had its blob already; they go with the next change.
        """
        gone = frozenset(digests)
        held = self._held.items()
        paths = [path for path, one in held if isinstance(one.entry, File) and one.entry.digest in gone]
        for path in paths:
            self._drop(path)
        self._stale += paths
        self._layers.clear()

    def _forget_all(self, *, is_empty: bool) -> None:
        """Begin anew; unless the replica is empty, it is emptied with the next change."""
        self._stale = [] if is_empty else [b"/" + name for name in sorted(self.roots)]
        for memory in (self._held, self._names, self._seen, self._layers, self._fresh):
            memory.clear()

    def _is_fresh(self, puts: Mapping[bytes, Entry]) -> bool:
        """Whether any of these paths came after a job was told that it is not there.

        If so, jobs that run keep what they have, and nothing is fresh to those that come.
        """
        if len(self._fresh) <= _MOST_FRESH and self._fresh.isdisjoint(puts):
            return False
        self._fresh.clear()
        return True

    def _look_around(self, layers: Iterable[Layer], listings: Listings) -> list[bytes]:
        """Paths of the replica that are no longer here; what has come since directories were last looked at
        is fresh."""
        vanished: list[bytes] = []
        for directory in {directory for layer in layers for directory in layer.directories}:
            listing = listings[directory]
            before = self._seen.get(directory, listing)
            if directory in self._seen and listing is before:
                continue
            self._seen[directory] = listing
            names = listing.names if listing is not None else frozenset[bytes]()
            prefix = directory.rstrip(b"/") + b"/"
            vanished += [prefix + name for name in self._names.get(directory, ()) if name not in names]
            if listing is None and directory in self._held:
                vanished.append(directory)
            if before is not listing:
                old = before.names if before is not None else frozenset[bytes]()
                self._fresh.update(prefix + name for name in names - old)
        for path in vanished:
            self._drop(path)
        return vanished

    def _compare(self, layers: Iterable[Layer]) -> tuple[dict[bytes, Entry], int, bool]:
        """Entries that the replica lacks; the update that brought the last of the others; has one changed?"""
        puts: dict[bytes, Entry] = {}
        needed, is_changed = 0, False
        held = self._held
        for layer in layers:
            for path, entry in layer.entries.items():
                known = held.get(path)
                if known is None:
                    puts[path] = entry
                elif known.entry is entry or known.entry == entry:
                    needed = max(needed, known.number)
                else:
                    puts[path] = entry
                    is_changed = True
        return puts, needed, is_changed

    def _hold(self, puts: Mapping[bytes, Entry]) -> None:
        for path, entry in puts.items():
            if path in self._names and not isinstance(entry, Directory):
                self._drop(path)
            self._held[path] = _Held(entry, self._number)
            if isinstance(entry, File):
                self._told.add(entry.digest)
            directory, name = os.path.split(path)
            self._names.setdefault(directory, set()).add(name)
            self.roots.add(path.split(b"/", 2)[1])

    def _remember(self, layers: Iterable[Layer], number: int) -> None:
        if len(self._layers) >= _MOST_LAYERS:
            self._layers.clear()
        for layer in layers:
            self._layers[layer] = number

    def _drop(self, path: bytes) -> None:
        """This path, and everything below it."""
        self._held.pop(path, None)
        directory, name = os.path.split(path)
        self._names.get(directory, set()).discard(name)
        for child in self._names.pop(path, ()):
            self._drop(path + b"/" + child)
