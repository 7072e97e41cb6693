"""Words to the user, and what the user's variables say. Knows no agent and no compiler."""

import errno
import os
import select
from collections.abc import Iterable
from typing import Final, NoReturn

NAP_SECONDS: Final = 0.005
# An agent listens after 0.3 s; on a full machine later.
AGENT_TIMEOUT_SECONDS: Final = 10.0


class Environment:
    """The environment exactly as it came, duplicates included; never changed in place."""

    def __init__(self, entries: Iterable[bytes]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def of_this_process(cls) -> "Environment":
        """From the kernel: Python puts LC_CTYPE into os.environ where the locale was C (PEP 538)."""
        with open("/proc/self/environ", "rb") as stream:
            return cls(entry for entry in stream.read().split(b"\0") if entry)

    def get(self, name: str) -> bytes | None:
        """The variable's value, None when it is unset."""
        start = os.fsencode(name) + b"="
        return next((entry[len(start) :] for entry in self.entries if entry.startswith(start)), None)

    def replace(self, **values: bytes) -> "Environment":
        """A copy with these variables set."""
        changed = {os.fsencode(name) + b"=": value for name, value in values.items()}
        kept = [entry for entry in self.entries if not entry.startswith(tuple(changed))]
        return Environment([*kept, *(start + value for start, value in changed.items())])

    def is_enabled(self, *names: str, otherwise: bool) -> bool:
        """Only 0 and 1 are understood, as in distcc; the first variable that is set decides."""
        value = next((found for name in names if (found := self.get(name))), b"")
        return {b"0": False, b"1": True}.get(value, otherwise)

    def as_mapping(self) -> dict[bytes, bytes]:
        """For exec, where the first of two entries wins, as getenv does."""
        pairs = (entry.partition(b"=") for entry in reversed(self.entries))
        return {name: value for name, _, value in pairs if name}


def write_fully(descriptor: int, data: bytes) -> None:
    """Write all of it, to non-blocking terminals and pipes too; a reader that has gone is nobody's error."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return


def say(text: bytes | str) -> None:
    """One line of ours on stderr."""
    write_fully(2, b"fleetcc: " + os.fsencode(text) + b"\n")


def fail(status: int, text: bytes | str) -> NoReturn:
    """Say why, and end."""
    say(text)
    os._exit(status)


def sentence(error: OSError) -> str:
    """What the C library calls it."""
    return os.strerror(error.errno or errno.EIO)
