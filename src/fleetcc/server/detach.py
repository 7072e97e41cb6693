"""Becoming a daemon: the process that was launched ends with 0 only when the daemon says that it is ready."""

import os
import sys
from collections.abc import Callable
from typing import Final

_READY: Final = b"R"


def detach() -> Callable[[], None]:
    """Go on in a process without terminal and parent; returns what to call when ready.

    The launching process waits in here. It ends with 0 when that was called, else with the daemon's
    exit status, which `fail` sends. Must be called before any thread or event loop exists.
    """
    ready, tell = os.pipe()
    if os.fork():
        os.close(tell)
        _wait_and_exit(ready)
    os.close(ready)
    os.setsid()
    if os.fork():
        os._exit(0)
    global _tell  # noqa: PLW0603 - one process, one launcher that waits for it
    _tell = tell
    return _say_ready


_tell: int | None = None


def fail(status: int) -> None:
    """Let the launching process end with this status, if it still waits."""
    _send(bytes([status]))


def _say_ready() -> None:
    _send(_READY + b"\0")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _send(message: bytes) -> None:
    global _tell  # noqa: PLW0603 - see detach
    if _tell is not None:
        os.write(_tell, message)
        os.close(_tell)
        _tell = None


def _wait_and_exit(ready: int) -> None:
    message = os.read(ready, 2)
    sys.stdout.flush()
    if message.startswith(_READY) and len(message) == 2:
        os._exit(0)
    os._exit(message[0] if message else 1)
