"""Stands before a server on loopback: counts the bytes that clients send, and when they went."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_BYTES: Final = 1 << 18


class Counter:
    """Of one server."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.last: list[float] = []  # when bytes were handed on to the server
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def run(self) -> None:
        """Until it is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server), 30)
        except OSError:
            client.close()
            return
        with client, server:
            for each in (client, server):
                each.settimeout(None)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ends = {client, server}
            self._open |= ends
            back = threading.Thread(target=self._carry, args=(server, client), daemon=True)
            back.start()
            self._carry(client, server, is_request=True)
            back.join()
            self._open -= ends

    def _carry(self, source: socket.socket, target: socket.socket, *, is_request: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BYTES):
                if is_request:
                    with self._lock:
                        self.sent += len(data)
                        self.last.append(time.monotonic())
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def counted(port: int) -> Iterator[Counter]:
    """A counter before the server on that port."""
    counter = Counter(port)
    thread = threading.Thread(target=counter.run, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        counter.close()
        thread.join()
