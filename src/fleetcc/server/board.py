"""The notice board: what every process of this machine has waiting, so that all agree whose turn it is.

`<directory>/<name>` is one flock()ed file per process that has, or had, something waiting; its content is the
JSON of that process's claims. A file whose lock is free belongs to a dead process and is removed by
whoever notices. A process is told of a free slot by a datagram to the abstract socket of its name; only
the process whose turn it is gets one, so a hundred waiting processes do not all wake for each slot. A lost
datagram costs a second: everybody who waits looks again by then.
"""

import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Final

from fleetcc.scheduling.admission import Claim
from fleetcc.server.slots import make_shared_directory, open_shared_file

_READ_BYTES: Final = 1 << 20


class Board:
    """One process's view of the board and its own notice on it."""

    def __init__(self, directory: str) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._directory = directory
        self._notice: int | None = None
        self._published: list[Claim] = []
        self._bell: socket.socket | None = None
        make_shared_directory(directory)

    def listen(self, add_reader: Callable[[int, Callable[[], None]], None], rung: Callable[[], None]) -> None:
        """Call `rung` whenever another process says that a slot is free for this one."""
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        bell.bind(_address(self.name))
        self._bell = bell

        def drain() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    bell.recv(16)
            rung()

        add_reader(bell.fileno(), drain)

    def publish(self, claims: Sequence[Claim]) -> None:
        """Replace this process's notice; writes only what has changed."""
        if list(claims) == self._published:
            return
        if self._notice is None:
            self._notice = self._new_notice()
        rows = [[claim.client, claim.ready, claim.oldest, claim.served, claim.weight] for claim in claims]
        content = json.dumps(rows).encode() if rows else b""
        # Readers see either a whole list or something that does not parse, which they take for nothing.
        os.pwrite(self._notice, content, 0)
        os.ftruncate(self._notice, len(content))
        self._published = list(claims)

    def others(self) -> list[Claim]:
        """The claims of all other living processes."""
        claims: list[Claim] = []
        for name in os.listdir(self._directory):
            if name != self.name and not name.startswith("."):
                claims.extend(self._read(name))
        return claims

    def ring(self, process: str) -> None:
        """Tell another process that a slot is free for it."""
        if self._bell is not None:
            # It may have gone meanwhile, or have a hundred of these waiting already.
            with contextlib.suppress(OSError):
                self._bell.sendto(b"!", _address(process))

    def close(self) -> None:
        """Take the notice down."""
        if self._notice is not None:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._directory, self.name))
            os.close(self._notice)
            self._notice = None
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _new_notice(self) -> int:
        # Locked under a name that nobody reads, then renamed: a reader never meets it unlocked.
        hidden = os.path.join(self._directory, f".{self.name}")
        descriptor = open_shared_file(hidden)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(hidden, os.path.join(self._directory, self.name))
        return descriptor

    def _read(self, name: str) -> list[Claim]:
        path = os.path.join(self._directory, name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parse(name, os.pread(descriptor, _READ_BYTES, 0))
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
            return []
        finally:
            os.close(descriptor)


def _address(name: str) -> bytes:
    return b"\0fleetccd/" + name.encode()


def _parse(process: str, content: bytes) -> list[Claim]:
    if not content:
        return []
    try:
        return [
            Claim(process, str(client), int(ready), float(oldest), float(served), max(1, int(weight)))
            for client, ready, oldest, served, weight in json.loads(content)
        ]
    except (ValueError, TypeError):
        return []
