"""A launcher that does what a test says: writes down what it is told, and answers from a list."""

import os
from collections import deque
from typing import cast

from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError, LauncherMessage
from fleetcc.wire.launcher import ANSWER_HEADER, PREPROCESSED, RESULT


class HandLauncher:
    """The launcher's end and ours in one."""

    def __init__(self, *answers: LauncherMessage | None) -> None:
        """`answers`: to what it is told, in order; None: it has gone."""
        self.pid = 4321
        self.told: list[tuple[bytes, bytes]] = []  # kinds and payloads
        self.sends = 0
        self._answers = deque(answers)

    @property
    def connection(self) -> LauncherConnection:
        """As the agent sees it."""
        return cast("LauncherConnection", self)

    async def send(self, *parts: bytes) -> None:
        self.sends += 1
        data = b"".join(parts)
        while data:
            kind, _, _, size = ANSWER_HEADER.unpack_from(data)
            payload = data[ANSWER_HEADER.size : ANSWER_HEADER.size + size]
            self.told.append((bytes([kind]), payload))
            data = data[ANSWER_HEADER.size + size :]

    async def receive(self) -> LauncherMessage:
        answer = self._answers.popleft()
        if answer is None:
            raise LauncherGoneError
        return answer

    def of(self, kind: bytes) -> list[bytes]:
        """The payloads of all that it was told of this kind."""
        return [payload for each, payload in self.told if each == kind]

    @property
    def outputs(self) -> dict[bytes, bytes]:
        """What it was told to write, by path."""
        return dict(payload.split(b"\0", 1) for payload in self.of(b"O"))

    @property
    def result(self) -> tuple[int, bytes, bytes]:
        """Status, stdout and stderr."""
        (payload,) = self.of(b"R")
        status, size = RESULT.unpack_from(payload)
        streams = payload[RESULT.size :]
        return status, streams[size:], streams[:size]


WRITTEN = LauncherMessage(b"w", b"", ())


def ran(status: int, stdout: bytes = b"", stderr: bytes = b"") -> LauncherMessage:
    """A command that the launcher was told to run has ended."""
    descriptors = []
    for content in (stdout, stderr):
        descriptor = os.memfd_create("stream")
        os.write(descriptor, content)
        descriptors.append(descriptor)
    payload = PREPROCESSED.pack(status, len(stdout), len(stderr))
    return LauncherMessage(b"p", payload, tuple(descriptors))
