"""A command on a terminal of its own: what it writes there, and keys for it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

PATIENCE_SECONDS: Final = 30.0
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[P\]_^].*?(?:\x1b\\|\x07)|[ -/]*[0-~])", re.DOTALL)


class Terminal:
    """Runs `argv` on 80x24 from `with` on; it does not outlive the block."""

    def __init__(self, argv: Sequence[Any], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        variables = {"TERM": "xterm-256color", **environment, "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True
        )
        os.close(theirs)
        self._raw = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        """As if somebody typed."""
        os.write(self._ours, keys.encode())

    def read_until(self, *texts: str) -> str:
        """What was written since the last call, once it has each of these texts; fails when it never has."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(text in self._text for text in texts):
            assert time.monotonic() < deadline, f"{texts} are not in {self._text[-3000:]!r}"
            if not self._read(deadline - time.monotonic()):
                assert all(text in self._text for text in texts), f"it ended with {self._text[-3000:]!r}"
        seen, self._raw = self._text, b""
        return seen

    def wait(self) -> int:
        """Its exit status, when it has ended by itself."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    @property
    def raw(self) -> str:
        """What was written since the last `read_until`, with the terminal's commands."""
        return self._raw.decode(errors="replace")

    @property
    def _text(self) -> str:
        """Without the terminal's commands."""
        return _ESCAPES.sub("", self.raw)

    def _read(self, seconds: float) -> bool:
        """False when it has left the terminal."""
        if not select.select([self._ours], [], [], max(0.0, seconds))[0]:
            return True
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self._raw += data
        return bool(data)
