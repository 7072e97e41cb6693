"""The ideal that others are compared with: one queue for all clients, and a process that knows every slot.

`python -m bench.fleets.dispatcher SOCKET NAME:SPEED:SLOTS...`. A connection is a job: it is told the speed
and the name of its slot when it has one, in the order of asking, and gives it back by closing. Free slots
are given out in the order in which they became free, at first the fastest.
"""

import selectors
import socket
import sys
from collections import deque
from typing import Final

_BACKLOG: Final = 1024


class Dispatcher:
    """First come, first served."""

    def __init__(self, path: str, slots: list[bytes]) -> None:
        self._free = deque(slots)
        self._waiting: deque[socket.socket] = deque()
        self._held: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(_BACKLOG)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Until killed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._close(key.fileobj)
            while self._free and self._waiting:
                self._give(self._waiting.popleft(), self._free.popleft())

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self._selector.register(client, selectors.EVENT_READ)
        self._waiting.append(client)

    def _give(self, client: socket.socket, slot: bytes) -> None:
        self._held[client] = slot
        client.sendall(slot)

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        client.close()
        slot = self._held.pop(client, None)
        if slot is None:
            self._waiting.remove(client)
        else:
            self._free.append(slot)


def slots_of(words: list[str]) -> list[bytes]:
    """One answer for each slot, those of the fastest hosts first."""
    hosts = [word.split(":") for word in words]
    hosts.sort(key=lambda host: -float(host[1]))
    return [f"{speed} {name}".encode() for name, speed, slots in hosts for _ in range(int(slots))]


if __name__ == "__main__":
    Dispatcher(sys.argv[1], slots_of(sys.argv[2:])).run()
