"""One launcher's connection, where what it asks for cannot be taken."""

import asyncio
import socket

import pytest

from fleetcc.agent.launcher_connection import LauncherConnection
from fleetcc.wire.launcher import encode_control_request

REQUEST = encode_control_request(b"0", b"{}")


@pytest.mark.parametrize("cut", [len(REQUEST), 20])  # at once, and when the rest has come
async def test_a_fault_of_who_takes_the_request_ends_this_connection(
    cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    gone: list[LauncherConnection] = []

    def take(*_: object) -> None:
        raise RuntimeError("it cannot")

    with theirs:
        loop = asyncio.get_running_loop()
        connection = LauncherConnection(ours, 1, loop, take, gone.append)
        theirs.setblocking(False)
        theirs.send(REQUEST[:cut])
        connection.start()
        if cut < len(REQUEST):
            theirs.send(REQUEST[cut:])
        async with asyncio.timeout(10):
            assert await loop.sock_recv(theirs, 1) == b""

    assert gone == [connection]
    assert "it cannot" in caplog.text
