"""Keeps the last line of a terminal for ourselves while a build scrolls above it.

The build writes to the terminal directly, so nothing of its output passes through us. The terminal is told to
scroll all lines but the last (DECSTBM, which VT100s and all their descendants know); the last is painted with
the cursor saved and restored in one write.
"""

import contextlib
import os
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Final

_LEAST_LINES: Final = 4
_SAVE, _RESTORE = "\0337", "\0338"
_ERASE: Final = "\033[2K"


def can_keep_a_line(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether this is a terminal of enough lines, of which we may use one."""
    if not os.isatty(descriptor) or environment.get("TERM", "dumb") == "dumb":
        return False
    return os.get_terminal_size(descriptor).lines >= _LEAST_LINES


class LastLine:
    """The last line of one terminal; `close` gives it back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.get_terminal_size(descriptor)
        # One down first, in case the cursor is on the last line; not by "\n", which loses its column.
        self._write("\033D" + self._take())
        self._before = signal.signal(signal.SIGWINCH, self._resized)

    @property
    def width(self) -> int:
        """How many cells there are; the last one is not used, where terminals wrap."""
        return self._size.columns - 1

    def paint(self, text: str) -> None:
        """Show this instead."""
        self._write(f"{_SAVE}\033[{self._size.lines};1H{_ERASE}{text}{_RESTORE}")

    def close(self) -> None:
        """The whole terminal is the build's again, and the cursor where its output ended."""
        signal.signal(signal.SIGWINCH, self._before)
        self._write(self._erase() + f"{_SAVE}\033[r{_RESTORE}")

    def _take(self) -> str:
        """Setting the region moves the cursor home, hence saved; one up, out of the last line."""
        return f"{_SAVE}\033[1;{self._size.lines - 1}r{_RESTORE}\033[1A"

    def _erase(self) -> str:
        return f"{_SAVE}\033[{self._size.lines};1H{_ERASE}{_RESTORE}"

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        erase = self._erase()
        self._size = os.get_terminal_size(self._descriptor)
        self._write(erase + f"{_SAVE}\033[1;{max(1, self._size.lines - 1)}r{_RESTORE}")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(self._descriptor, text.encode(errors="replace"))
