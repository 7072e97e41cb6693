"""A compile server whose every byte a test writes down, and which counts who comes."""

import contextlib
import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fleetcc.wire.distcc import (
    RequestBody,
    RequestHead,
    RequestReader,
    encode_response,
    pack_body,
    unpack_body,
)
from tests.support.listener import LeftError, Listener

_MOST_BYTES: Final = 64 << 20


# How both the text greeting and the fleet protocol begin.
_QUESTION: Final = b"FLEETCC/"


class Visit:
    """One connection of a client."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.began = time.monotonic()
        self.closed: float | None = None  # when the client was seen to close
        self.head: RequestHead | None = None

    def request(self) -> tuple[RequestHead, bytes]:
        """Its whole request: head and plain source; raises LeftError."""
        reader = RequestReader()
        while data := self.connection.recv(1 << 16):
            for event in reader.receive(data):
                if isinstance(event, RequestHead):
                    self.head = event
                elif isinstance(event, RequestBody):
                    assert self.head is not None
                    return self.head, unpack_body(self.head.protocol, event.raw, _MOST_BYTES)
        raise LeftError

    def send(self, data: bytes) -> None:
        """Bytes to the client, who may have gone."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait_until_left(self) -> None:
        """Return when the client has closed, and note when."""
        with contextlib.suppress(OSError):
            while self.connection.recv(1 << 16):
                pass
        self.closed = time.monotonic()


Script = Callable[[Visit], Any]


class ScriptedServer(Listener):
    """Listens on loopback; each connection gets the script of the moment. Its errors fail the test.

    Whoever asks whether it speaks the fleet protocol gets a stock server's answer, an end, and is no visit.
    """

    def __init__(self, script: Script, address: str = "127.0.0.1") -> None:
        super().__init__(address)
        self.script = script
        self.visits: list[Visit] = []
        self.questions = 0

    def serve(self, connection: socket.socket) -> None:
        """A question, or a visit."""
        if connection.recv(len(_QUESTION), socket.MSG_PEEK) == _QUESTION:
            self.questions += 1
            return
        visit = Visit(connection)
        self.visits.append(visit)
        self.script(visit)


def answer_with(data: bytes) -> Script:
    """Read the whole request, send these bytes, close."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(data)

    return script


def good_answer(protocol: int, output: bytes, stderr: bytes = b"", status: int = 0) -> bytes:
    """A complete response."""
    return b"".join(
        encode_response(
            protocol,
            status,
            pack_body(protocol, stderr),
            pack_body(protocol, b""),
            pack_body(protocol, output),
        )
    )


def compile_honestly(visit: Visit) -> None:
    """What a server does: compile the text with the compiler that was asked for."""
    head, source = visit.request()
    visit.send(honest_answer(head, source))


def honest_answer(head: RequestHead, source: bytes) -> bytes:
    """The response that a true server would give."""
    argv = list(head.argv)
    with tempfile.TemporaryDirectory(prefix="scripted-") as folder:
        place = Path(folder)
        stage = next(index for index, word in enumerate(argv) if word in {b"-c", b"-S"})
        suffix = Path(argv[stage + 1].decode(errors="surrogateescape")).suffix
        (place / f"input{suffix}").write_bytes(source)
        argv[stage + 1] = f"input{suffix}".encode()
        argv[argv.index(b"-o") + 1] = b"output"
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        done = subprocess.run(argv, cwd=place, env=environment, capture_output=True, check=False)
        output = (place / "output").read_bytes() if done.returncode == 0 else b""
    return good_answer(head.protocol, output, done.stderr, done.returncode << 8)
