"""What is known of one directory under one spelling of its path."""

from typing import TypeAlias

from fleetcc.files.stamps import RealStamp
from fleetcc.includes.disk import Listing
from fleetcc.wire.files import Directory, Link

# What lies at one name when no link is followed: a link, a directory, anything else (True), nothing (None).
Step: TypeAlias = Link | Directory | bool | None


class Marks:
    """Folders, and their tokens or their ways at some time: while they have these, nothing has changed there.

    `seen` is the last moment in which that was so and only an event could change it; -1: looks have to tell.
    """

    __slots__ = ("pairs", "seen")

    def __init__(self, pairs: tuple[tuple["Folder", object], ...]) -> None:
        self.pairs = pairs
        self.seen = -1


class Folder:
    """One directory as it was in `moment`, and what its watch keeps true about the names in it.

    `token` is replaced whenever something about it may have changed: one that is still there after the
    moment's look proves that every answer about its names is still the same. `way` is the same for steps
    alone; in a watched folder it needs no look, because its parents tell when its path leads elsewhere.
    `anchor` spares the look itself: while the ways stand of all folders that its path leads through, all of
    them watched as it is, events tell what a look could.
    """

    __slots__ = (
        "anchor",
        "ctime_ns",
        "device",
        "inode",
        "listing",
        "moment",
        "path",
        "prefix",
        "settled",
        "stamps",
        "steps",
        "token",
        "unwatchable",
        "up_to_date",
        "watch",
        "way",
    )

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.prefix = path if path == b"/" else path + b"/"
        self.moment = -1
        self.token = object()
        self.way = object()
        self.anchor: Marks | None = None
        self.device = self.inode = self.ctime_ns = -1  # -1: there is no such directory
        self.settled = False  # the next change will show in its ctime
        self.listing: Listing | None = None
        self.up_to_date = False  # the listing is of this ctime
        self.watch: int | None = None
        self.unwatchable = False
        self.stamps: dict[bytes, RealStamp | None] = {}  # of files, only while it is watched
        self.steps: dict[bytes, Step] = {}  # while it is watched, or its ctime is the same

    @property
    def exists(self) -> bool:
        """Was it there at the last look?"""
        return self.inode != -1

    def forget_names(self) -> None:
        """Nothing keeps the answers about its names true any longer."""
        self.stamps.clear()
        self.token = object()
        self.anchor = None
        self.forget_steps()

    def forget_steps(self) -> None:
        """Any name may stand for something else."""
        self.steps.clear()
        self.way = object()

    def forget_name(self, name: bytes, *, moved: bool) -> None:
        """Something happened to one name; `moved`: it may stand for something else now."""
        if self.stamps.pop(name, False) is not False:
            self.token = object()
        if moved:
            self.anchor = None  # its listing may be another one
        if moved and self.steps.pop(name, False) is not False:
            self.way = object()
