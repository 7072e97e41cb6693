"""An agent whose answers a test writes down."""

import array
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fleetcc.wire.launcher import (
    ANSWER_HEADER,
    REQUEST_HEADER,
    JobRequest,
    decode_request,
    decode_request_header,
    encode_answer,
)

PATIENCE_SECONDS: Final = 30.0
MAX_DESCRIPTORS: Final = 8


@dataclass
class Session:
    """One launcher's connection, as the agent sees it."""

    connection: socket.socket
    request: JobRequest

    def send(self, *frames: bytes) -> None:
        """Frames to the launcher."""
        self.connection.sendall(b"".join(frames))

    def receive(self) -> tuple[bytes, bytes, list[bytes]]:
        """The next message: kind, payload, what is in the memory files that came with it."""
        header, descriptors = receive_with_descriptors(self.connection, ANSWER_HEADER.size)
        kind, _, _, length = ANSWER_HEADER.unpack(header)
        payload, _ = receive_with_descriptors(self.connection, length)
        contents = []
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as stream:
                contents.append(stream.read())
        return bytes((kind,)), payload, contents

    def is_gone(self) -> bool:
        """Wait until the launcher, and whoever inherited its socket, have gone."""
        return self.connection.recv(1) == b""


def receive_with_descriptors(connection: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """Exactly that many bytes, and the descriptors that came with them."""
    data, descriptors = b"", array.array("i")
    while len(data) < size:
        part, ancillary, _, _ = connection.recvmsg(size - len(data), socket.CMSG_SPACE(4 * MAX_DESCRIPTORS))
        if not part:
            raise ConnectionError("the launcher has gone")
        data += part
        for _, _, payload in ancillary:
            descriptors.frombytes(payload)
    return data, list(descriptors)


class FakeAgent:
    """Listens in a folder; each connection gets the script. An error in a script fails the test."""

    def __init__(self, folder: Path, script: Callable[[Session], Any]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sessions: list[Session] = []
        self._script = script
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        descriptor = os.open(folder, os.O_PATH)
        path = f"/proc/self/fd/{descriptor}/socket"
        if os.path.lexists(path):
            os.unlink(path)
        self._listener.bind(path)
        os.close(descriptor)
        self._listener.listen(1000)

    def __enter__(self) -> Self:
        self._accepter = threading.Thread(target=self._accept)
        self._accepter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in (self._accepter, *self._threads):
            thread.join()
        self._listener.close()
        if error is None and self._errors:
            raise self._errors[0]

    @property
    def request(self) -> JobRequest:
        """The only one."""
        (session,) = self.sessions
        return session.request

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            try:
                data, descriptors = receive_with_descriptors(connection, REQUEST_HEADER.size)
                header = decode_request_header(data)
                body, _ = receive_with_descriptors(connection, header.length)
                request = decode_request(header, body)
                assert isinstance(request, JobRequest)
                assert (header.descriptors, descriptors) == (0, [])
                session = Session(connection, request)
                self.sessions.append(session)
                self._script(session)
            except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
                self._errors.append(error)


def execute(session: Session) -> None:
    """The script that lets the launcher run the compiler."""
    session.send(encode_answer(b"X"))
