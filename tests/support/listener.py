"""A server on loopback in threads, for tests that write its answers: what the scripted servers share."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

from fleetcc.errors import ProtocolError

PATIENCE_SECONDS: Final = 30.0


class LeftError(Exception):
    """The client closed."""


class Listener:
    """Each connection is served in a thread of its own. What goes wrong there fails the test."""

    def __init__(self, address: str) -> None:
        self._connections: list[socket.socket] = []
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((address, 0), backlog=100)
        self.host = f"{address}:{self._listener.getsockname()[1]}"

    def serve(self, connection: socket.socket) -> None:
        """One connection; that the client leaves is no error."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._accepter = threading.Thread(target=self._accept)
        self._accepter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self._errors:
            raise self._errors[0]

    def stop(self) -> None:
        """Listen no more, hang up on everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepter.join()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_SECONDS)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        except (LeftError, ConnectionError, ProtocolError):
            pass
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            self._errors.append(error)
        finally:
            connection.close()
