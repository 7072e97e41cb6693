"""Files that something else is mounted over: no event and no time of their directory tells of that."""

import os
import re
import select
from typing import Final

_TABLE: Final = "/proc/self/mountinfo"
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


class Mounts:
    """The names of all mount points, kept up to date for the price of one poll."""

    def __init__(self) -> None:
        self.names: frozenset[bytes] = frozenset()  # last parts only: enough to be careful with these
        self._poll: select.poll | None = None
        try:
            self._descriptor = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLPRI)
        self._read()

    @property
    def known(self) -> bool:
        """False where nothing tells of mounts."""
        return self._poll is not None

    def changed(self) -> bool:
        """Has anything been mounted or unmounted since the last call?"""
        if self._poll is None or not self._poll.poll(0):
            return False
        self._read()
        return True

    def close(self) -> None:
        """Give the table back."""
        if self._poll is not None:
            os.close(self._descriptor)
            self._poll = None

    def _read(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        content = b""
        while more := os.read(self._descriptor, 1 << 16):
            content += more
        points = [line.split(b" ")[4] for line in content.splitlines()]
        self.names = frozenset(_plain(point.rpartition(b"/")[2]) for point in points)


def _plain(name: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found.group(1), 8)]), name)
