"""systemd's two small protocols: sockets handed over (LISTEN_FDS) and readiness told (NOTIFY_SOCKET)."""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

_FIRST_DESCRIPTOR: Final = 3


def passed_sockets(environment: Mapping[str, str]) -> list[socket.socket]:
    """The sockets that systemd opened for this process; empty when there are none."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environment.get("LISTEN_FDS", "0")
    found = []
    for offset in range(int(count) if count.isdigit() else 0):
        descriptor = _FIRST_DESCRIPTOR + offset
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
        found.append(socket.socket(fileno=descriptor))
    return found


def is_listening(sock: socket.socket) -> bool:
    """Whether it accepts connections, rather than being one."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class Notifier:
    """Tells the service manager how it goes; says nothing where there is none."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def say(self, *states: str) -> None:
        """Send e.g. `READY=1`."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.sendto("\n".join(states).encode(), address)
