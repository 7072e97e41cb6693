"""One connection with the agent: the request, then whatever the agent asks for."""

import array
import contextlib
import errno
import os
import socket
import time
from typing import Final

from fleetcc.launcher.outputs import OutputError, Outputs, end_as
from fleetcc.launcher.preprocess import Preprocessed, preprocess
from fleetcc.launcher.program import Invocation, exec_compiler
from fleetcc.launcher.words import AGENT_TIMEOUT_SECONDS, NAP_SECONDS, fail, write_fully
from fleetcc.wire.launcher import ANSWER_HEADER, PREPROCESSED, RESULT, WRITE_FAILED, encode_answer

_REFUSALS: Final = int(AGENT_TIMEOUT_SECONDS / NAP_SECONDS)


class BrokenOffError(Exception):
    """The agent closed, or said what cannot be understood."""


class Conversation:
    """Owns the connection until the agent leaves or the process ends."""

    def __init__(self, invocation: Invocation, connection: socket.socket) -> None:
        self._invocation = invocation
        self._connection = connection
        self._outputs = Outputs()
        self._preprocessed: Preprocessed | None = None
        self._failed = False  # f has been sent: what follows until X or F is skipped

    def close(self) -> None:
        """Drop what was not put in place."""
        self._outputs.drop()
        self._connection.close()

    def run(self, request: bytes) -> None:
        """Do what the agent asks for; returns when it is leaving, raises BrokenOffError or OSError."""
        self._send(request)
        while True:
            number, flag, count, length = ANSWER_HEADER.unpack(self._receive(ANSWER_HEADER.size))
            kind = bytes((number,))
            if kind == b"A":
                return
            self._do(kind, flag, count, self._receive(length))

    def _do(self, kind: bytes, flag: int, count: int, payload: bytes) -> None:
        match kind:
            case b"X":
                os.set_inheritable(self._connection.fileno(), True)  # noqa: FBT003
                exec_compiler(self._invocation)
            case b"F":
                fail(flag, payload)
            case b"V":
                write_fully(2, payload)
            case b"P":
                self._preprocess(payload, count, with_dependencies=bool(flag & 1))
            case b"O" | b"D" | b"R":
                self._finish(kind, payload)
            case _:
                raise BrokenOffError

    def _preprocess(self, payload: bytes, count: int, *, with_dependencies: bool) -> None:
        argv = payload.split(b"\0")[:-1]
        if not argv or len(argv) != count:
            raise BrokenOffError
        if self._preprocessed is not None and self._preprocessed.dependencies is not None:
            os.close(self._preprocessed.dependencies)
        done = self._preprocessed = preprocess(self._invocation, argv, with_dependencies=with_dependencies)
        streams = [done.stdout, done.stderr]
        report = PREPROCESSED.pack(done.status, *(os.fstat(stream).st_size for stream in streams))
        self._send(encode_answer(b"p", report), streams)
        for stream in streams:
            os.close(stream)

    def _finish(self, kind: bytes, payload: bytes) -> None:
        """What an output can make fail; the agent hears of the first failure."""
        if self._failed:
            return
        try:
            {b"O": self._output, b"D": self._dependencies, b"R": self._result}[kind](payload)
        except OutputError as error:
            self._failed = True
            self._outputs.drop()
            self._send(encode_answer(b"f", WRITE_FAILED.pack(error.reason) + error.path))

    def _output(self, payload: bytes) -> None:
        path, separator, content = payload.partition(b"\0")
        if not separator:
            raise BrokenOffError
        self._outputs.add(path, content)

    def _dependencies(self, path: bytes) -> None:
        if self._preprocessed is None or self._preprocessed.dependencies is None:
            raise BrokenOffError
        self._outputs.add_file(path, os.dup(self._preprocessed.dependencies))

    def _result(self, payload: bytes) -> None:
        if len(payload) < RESULT.size:
            raise BrokenOffError
        status, stderr_size = RESULT.unpack_from(payload)
        if stderr_size > len(payload) - RESULT.size:
            raise BrokenOffError
        self._outputs.commit()
        with contextlib.suppress(OSError):  # everything is in place; nobody needs to know
            self._send(encode_answer(b"w"))
        write_fully(2, payload[RESULT.size : RESULT.size + stderr_size])
        write_fully(1, payload[RESULT.size + stderr_size :])
        end_as(status)

    def _receive(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._connection.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise BrokenOffError
            parts += part
        return bytes(parts)

    def _send(self, data: bytes, descriptors: list[int] | None = None) -> None:
        """Send all of it; the descriptors go with the first byte."""
        carried = array.array("i", descriptors or ())
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, carried)] if carried else []
        view = memoryview(data)
        refused = 0
        while view:
            try:
                view = view[self._connection.sendmsg([view], rights, socket.MSG_NOSIGNAL) :]
                rights = []
            except OSError as error:
                # Other launchers' descriptors are waiting to be taken.
                if error.errno != errno.ETOOMANYREFS or refused == _REFUSALS:
                    raise
                refused += 1
                time.sleep(NAP_SECONDS)
