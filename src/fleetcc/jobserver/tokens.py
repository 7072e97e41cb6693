"""How many tokens are out, and how many should be. Pure.

A jobserver is a pipe with one byte for each job that may run beside the first: a tool that wants to run one
more reads a byte, and writes it back when that job has ended. Nobody says who has read a byte. So the pool
knows only how many it has issued, and may look how many lie in the pipe; the others somebody holds, or held
when it was killed.

Three things put the count right. More wanted than issued: write the missing ones. Fewer wanted: take back
what lies in the pipe, now and whenever one comes back, so that no job is waited for. Tokens of the dead: from
time to time it is found out how many the living can hold at most; if more than that are gone at several
looks in a row, they are lost, no longer count as issued, and so are missing. Several looks, because
between reading the two numbers jobs end and begin.
"""

from typing import Final

# A token that is on its way looks lost once; a process that dies is not in a hurry.
LOOKS: Final = 3


class Pool:
    """The arithmetic of one pipe of tokens."""

    def __init__(self) -> None:
        self.issued = 0  # in the pipe, or held by somebody living
        self.wanted = 0
        self._lost: list[int] = []  # of the latest looks

    def want(self, capacity: int) -> None:
        """So many jobs may run at once; the first needs no token."""
        self.wanted = max(0, capacity - 1)

    @property
    def missing(self) -> int:
        """How many are to be written now."""
        return max(0, self.wanted - self.issued)

    @property
    def surplus(self) -> int:
        """How many are to be taken back as they come."""
        return max(0, self.issued - self.wanted)

    def wrote(self, count: int) -> None:
        """So many were put into the pipe."""
        self.issued += count

    def took(self, count: int) -> None:
        """So many were taken out of the pipe for good."""
        self.issued = max(0, self.issued - count)

    def saw(self, free: int) -> None:
        """So many lie in the pipe. More than were issued: somebody has written what he never read."""
        if free > self.issued:
            self.issued = free
            self._lost.clear()

    def looked(self, free: int, most_held: int) -> int:
        """So many lie in the pipe, and the living hold at most so many; returns how many were given up."""
        self.saw(free)
        self._lost = [*self._lost[-LOOKS + 1 :], max(0, self.issued - free - most_held)]
        lost = min(self._lost)
        if len(self._lost) < LOOKS or not lost:
            return 0
        self.issued -= lost
        self._lost.clear()
        return lost
