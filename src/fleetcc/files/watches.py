"""Which directories and files the kernel tells us about, and whose folders those are.

Theory of operation. A content changes through its inode, a name through its directory. Both are watched, the
directory first, then the file, then it is looked at: from then on the answer stays true until an event says
otherwise, whatever name of the file was written to. Not so for links (what they lead through lies elsewhere),
for files of another file system than their directory's, for file systems whose changes come from elsewhere
(network, FUSE, overlay), and for files that were looked at within one tick of their change. These are looked
at every time. When the queue has overflowed, or something was mounted, all is forgotten.

A watch says nothing about the path that leads to a directory. Hence each directory is still looked at once
per moment, unless every directory on that path is watched too (`Folder.anchor`).
"""

import errno
import logging
from contextlib import suppress
from typing import Final, TypeAlias

from fleetcc.files.folders import Folder
from fleetcc.files.kernel import (
    IN_IGNORED,
    IN_Q_OVERFLOW,
    UNKNOWN,
    Event,
    FileSystem,
    Inotify,
    file_system_of,
    most_watches,
)  # fmt: skip
from fleetcc.files.mounts import Mounts

_log: Final = logging.getLogger(__name__)

# 1 KB of the kernel's memory each.
_MOST: Final = 65536

Place: TypeAlias = tuple[Folder, bytes]


class Watches:
    """The watched folders; without inotify there are none."""

    def __init__(self, *, enabled: bool) -> None:
        self._inotify: Inotify | None = None
        self._mounts = Mounts()
        self._folders: dict[int, list[Folder]] = {}  # by watch
        self._files: dict[int, list[Place]] = {}  # likewise
        self._systems: dict[int, FileSystem] = {}
        self._full = False
        self.told = 0  # events so far
        self._room = min(most_watches(), _MOST)
        if enabled and self._mounts.known:
            self._start()

    def system(self, device: int, path: bytes) -> FileSystem:
        """The file system of a device, on which the path lies."""
        found = self._systems.get(device)
        if found is None:
            found = self._systems[device] = file_system_of(path)
        return found

    def catch_up(self) -> bool:
        """Let folders forget what has changed; False: everything known must be forgotten."""
        if self._mounts.changed():
            self._systems.clear()
            return False
        if self._inotify is None:
            return True
        for event in self._inotify.events():
            self.told += 1
            if event.mask & IN_Q_OVERFLOW:
                return False
            self._tell(event)
        return True

    def add(self, folder: Folder) -> None:
        """Watch the folder's names if that can be: `folder.watch` says so."""
        folder.unwatchable = True  # until it is another directory
        system = self._systems.get(folder.device, UNKNOWN)
        if self._inotify is None or self._full or not system.watched:
            return
        try:
            watch = self._inotify.add_directory(folder.path, folder.device, folder.inode)
        except OSError as error:
            self._refused(error)
            return
        if watch is not None:
            folder.forget_names()  # what was learned before the watch, it does not keep true
            folder.watch, folder.unwatchable = watch, False
            self._folders.setdefault(watch, []).append(folder)

    def add_file(self, path: bytes, place: Place) -> bool:
        """Watch the content of a file, no link, in a watched folder; False: that cannot be."""
        if self._inotify is None or self._full:
            return False
        try:
            watch = self._inotify.add_file(path)
        except OSError as error:
            self._refused(error)
            return False
        places = self._files.setdefault(watch, [])
        if place not in places:
            places.append(place)
        if len(self._files) + len(self._folders) >= self._room:
            self._refused(OSError(errno.ENOSPC, "the share of one program"))
        return True

    def remove(self, folder: Folder) -> None:
        """The folder's path leads elsewhere or nowhere now."""
        folder.unwatchable = False
        if folder.watch is None:
            return
        others = self._folders.get(folder.watch, [])
        with suppress(ValueError):
            others.remove(folder)
        if not others and self._inotify is not None:
            self._folders.pop(folder.watch, None)
            self._inotify.remove(folder.watch)
        folder.watch = None

    def restart(self) -> None:
        """Forget every watch, and what the queue still holds."""
        self._folders.clear()
        self._files.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._start()

    def close(self) -> None:
        """Give the descriptors back."""
        self._mounts.close()
        self._folders.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _start(self) -> None:
        self._full = False
        try:
            self._inotify = Inotify()
        except (OSError, AttributeError) as error:  # no such function in this C library
            self._inotify = None
            _log.info("files are looked at before every job: no inotify: %s", error)

    def _tell(self, event: Event) -> None:
        for folder, name in self._files.get(event.watch, ()):
            folder.forget_name(name, moved=False)
        for folder in self._folders.get(event.watch, ()):
            if event.name:
                folder.forget_name(event.name, moved=True)
            else:
                folder.forget_names()
        if event.mask & IN_IGNORED:
            self._files.pop(event.watch, None)
            for folder in self._folders.pop(event.watch, ()):
                folder.watch, folder.unwatchable = None, False
                folder.forget_names()

    def _refused(self, error: OSError) -> None:
        if self._full or error.errno not in {errno.ENOSPC, errno.ENOMEM}:
            return
        self._full = True
        _log.warning(
            "%d directories and %d files are watched, and no more can be (%s): others are looked at before "
            "every job; a higher fs.inotify.max_user_watches makes that cheaper",
            len(self._folders),
            len(self._files),
            error.strerror,
        )
