"""Stands between a fleet client and a server: counts, holds, and cuts at the message that a test chooses."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from fleetcc.wire.files import Contents
from fleetcc.wire.fleet import OPENING, FrameReader
from tests.support.listener import Listener

_RECEIVE_BYTES: Final = 1 << 16

Hook = Callable[[Any], None]


class CutError(Exception):
    """Raised by a hook: hang up on both ends, the message is not handed on."""


class Proxy(Listener):
    """Hands everything on; `asked` and `told` see each message of a server and of a client before that."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1")
        self.port = port  # of the server, from the next connection on
        self.sent = 0  # bytes from clients to servers
        self.contents_sent = 0  # of those: blobs, as they travel
        self.asked: Hook | None = None
        self.told: Hook | None = None

    def serve(self, connection: socket.socket) -> None:
        """One client and its server, until either hangs up."""
        try:
            server = socket.create_connection(("127.0.0.1", self.port), 30)
        except OSError:
            return
        with server:
            down = threading.Thread(target=self._carry, args=(server, connection, self._from_server()))
            down.start()
            self._carry(connection, server, self._from_client())
            down.join()

    def _from_server(self) -> Callable[[bytes], None]:
        reader = FrameReader()

        def look(data: bytes) -> None:
            for _, message in reader.receive(data):
                if self.asked is not None:
                    self.asked(message)

        return look

    def _from_client(self) -> Callable[[bytes], None]:
        reader, opening = FrameReader(), bytearray()

        def look(data: bytes) -> None:
            self.sent += len(data)
            missing = len(OPENING) - len(opening)
            opening.extend(data[:missing])
            if opening != OPENING:
                return  # a question, as `fleetcc hosts` has
            for _, message in reader.receive(data[missing:]):
                if isinstance(message, Contents):
                    self.contents_sent += message.raw_bytes
                if self.told is not None:
                    self.told(message)

        return look

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket, look: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError, CutError):
            source.settimeout(None)
            while data := source.recv(_RECEIVE_BYTES):
                look(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
