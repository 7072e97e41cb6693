"""Tells when something is mounted or unmounted: neither an event nor a time of a directory does."""

import os
import select
from typing import Final

_TABLE: Final = "/proc/self/mountinfo"


class Mounts:
    """The mounts of this process, for the price of one poll."""

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        try:
            self._descriptor = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLPRI)

    @property
    def known(self) -> bool:
        """False where nothing tells of mounts."""
        return self._poll is not None

    def changed(self) -> bool:
        """Has anything been mounted or unmounted since the last call?"""
        return self._poll is not None and bool(self._poll.poll(0))

    def close(self) -> None:
        """Give the table back."""
        if self._poll is not None:
            os.close(self._descriptor)
            self._poll = None
