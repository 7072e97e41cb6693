"""Keeps the tokens of one channel at what is wanted, while a build takes them and gives them back."""

import asyncio

from fleetcc.jobserver.channel import Channel
from fleetcc.jobserver.holders import most_held
from fleetcc.jobserver.tokens import Pool


class Jobserver:
    """Runs in the event loop of whoever starts the build; closes the channel."""

    def __init__(self, channel: Channel, capacity: int) -> None:
        self.channel = channel
        self.pool = Pool()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.set_capacity(capacity)

    def set_capacity(self, capacity: int) -> None:
        """So many jobs may run at once from now on; those beyond run to their end."""
        self.pool.want(capacity)
        self._settle()

    def look(self, root: int) -> int:
        """Find out whether tokens died with who held them (some milliseconds); returns how many.

        `root` is the build's first process.
        """
        lost = 0
        self.pool.saw(self.channel.count_free())
        if self.pool.issued > self.channel.count_free():
            most = most_held(self.channel.name, root)
            lost = self.pool.looked(self.channel.count_free(), most)
        self._settle()
        return lost

    def close(self) -> None:
        """The build is over."""
        self._watch(on=False)
        self.channel.close()

    def _settle(self) -> None:
        self.pool.wrote(self.channel.put(self.pool.missing))
        self.pool.took(self.channel.take(self.pool.surplus))
        self._watch(on=self.pool.surplus > 0)

    def _watch(self, *, on: bool) -> None:
        """Take tokens as they come back, while there are too many."""
        if on and self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self.channel.fileno(), self._settle)
        elif not on and self._loop is not None:
            self._loop.remove_reader(self.channel.fileno())
            self._loop = None
