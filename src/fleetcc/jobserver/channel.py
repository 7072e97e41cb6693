"""What holds the tokens: a pipe, with or without a name."""

import fcntl
import os
import struct
import termios
from typing import Final

TOKEN: Final = b"+"  # what GNU make writes
_COUNT: Final = struct.Struct("i")


class Channel:
    """Tokens as bytes of a pipe. None of its methods ever waits.

    `word` is what a tool is told after `--jobserver-auth=`; `inherited` are the descriptors that it needs.
    """

    word: str
    inherited: tuple[int, ...] = ()

    def __init__(self, descriptor: int) -> None:
        """Takes over a descriptor of our own, opened to read and write without waiting."""
        self._descriptor = descriptor
        # As the kernel names it: equal for everyone who has it open.
        self.name = os.readlink(f"/proc/self/fd/{descriptor}")

    def fileno(self) -> int:
        """For who waits until a token lies there."""
        return self._descriptor

    def count_free(self) -> int:
        """How many tokens lie there."""
        count: int = _COUNT.unpack(fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(_COUNT.size)))[0]
        return count

    def put(self, count: int) -> int:
        """Add tokens; returns how many there was room for (a pipe holds some 65,000)."""
        try:
            return os.write(self._descriptor, TOKEN * count) if count else 0
        except BlockingIOError:
            return 0

    def take(self, count: int) -> int:
        """Take out at most so many; returns how many there were."""
        try:
            return len(os.read(self._descriptor, count)) if count else 0
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Nothing of it is left."""
        os.close(self._descriptor)
