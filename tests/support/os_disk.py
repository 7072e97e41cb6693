"""A disk that asks the system anew at each moment; the plainest there can be, for tests against compilers."""

import os
import stat
from collections.abc import Mapping

from fleetcc.includes.disk import Listing, Stamp


class OsDisk:
    """The real file system, remembered within one moment."""

    def __init__(self) -> None:
        self._files: dict[bytes, Stamp | None] = {}
        self._listings: dict[bytes, Listing | None] = {}
        self._last: dict[bytes, Listing] = {}

    def begin(self) -> None:
        """A new moment."""
        self._files.clear()
        self._listings.clear()

    def file(self, path: bytes) -> Stamp | None:
        """The version of a regular file."""
        if path not in self._files:
            self._files[path] = _stamp(path)
        return self._files[path]

    def listing(self, directory: bytes) -> Listing | None:
        """A directory, the same object as long as its names are the same."""
        if directory not in self._listings:
            self._listings[directory] = self._list(directory)
        return self._listings[directory]

    def identity(self, directory: bytes) -> tuple[int, int] | None:
        """Device and inode."""
        try:
            status = os.stat(directory)
        except (OSError, ValueError):
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None

    def read(self, path: bytes) -> bytes:
        """A file's content."""
        with open(path, "rb") as file:
            return file.read()

    def still(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> bool:
        """Whether nothing has changed."""
        return all(self.file(path) == stamp for path, stamp in files.items()) and all(
            self.listing(directory) is listing for directory, listing in listings.items()
        )

    def _list(self, directory: bytes) -> Listing | None:
        try:
            names = frozenset(os.listdir(directory))
        except OSError:
            return None
        last = self._last.get(directory)
        if last is None or last.names != names:
            last = self._last[directory] = Listing(names)
        return last


def _stamp(path: bytes) -> Stamp | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
