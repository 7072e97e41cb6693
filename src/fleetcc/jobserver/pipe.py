"""The form that GNU make 4.0 to 4.3 reads: the numbers of two descriptors that are inherited."""

import fcntl
import os
from typing import Final

from fleetcc.jobserver.channel import Channel

# Scripts of builds use low numbers for files of their own, and a make would take those for its tokens.
_LOWEST: Final = 100


class PipeChannel(Channel):
    """An anonymous pipe; it ends with the last process that has it."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.inherited = _high(reading), _high(writing)
        self.word = ",".join(map(str, self.inherited))
        # Opened once more: make and we must not share the mark that says whether a read waits.
        super().__init__(
            os.open(f"/proc/self/fd/{self.inherited[0]}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        )

    def close(self) -> None:
        """Nothing of it is left here."""
        super().close()
        for descriptor in self.inherited:
            os.close(descriptor)


def _high(descriptor: int) -> int:
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:  # the limit of descriptors is lower than that
        return descriptor
    os.close(descriptor)
    return moved
