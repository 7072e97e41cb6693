"""Tells when a peer leaves although nothing is read from it, so that a waiting request costs no memory."""

import asyncio
import contextlib
import select
from collections.abc import Callable


class HangupWatch:
    """Watches descriptors for their peers' end, and for nothing else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._gone: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, descriptor: int, gone: Callable[[], None]) -> None:
        """Call `gone` once when the peer has closed its side."""
        # Files and some devices cannot be watched; they do not leave either.
        with contextlib.suppress(PermissionError):
            self._epoll.register(descriptor, select.EPOLLRDHUP)
            self._gone[descriptor] = gone

    def forget(self, descriptor: int) -> None:
        """Watch no longer."""
        if self._gone.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Stop watching."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            gone = self._gone.get(descriptor)
            if gone is not None:
                self.forget(descriptor)
                gone()
