"""Peers that leave while nothing is read from them."""

import asyncio
import os
import socket

import pytest

from fleetcc.server.hangup import HangupWatch


@pytest.fixture
async def watch():
    made = HangupWatch(asyncio.get_running_loop())
    yield made
    made.close()


@pytest.mark.parametrize(
    "leave", [socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)], ids=["close", "half"]
)
async def test_a_peer_that_leaves_is_noticed_once_although_its_bytes_are_unread(watch, leave):
    mine, theirs = socket.socketpair()
    with mine, theirs:
        gone = asyncio.Event()
        watch.watch(mine.fileno(), gone.set)
        theirs.send(b"unread")
        leave(theirs)
        async with asyncio.timeout(5):
            await gone.wait()
        watch.forget(mine.fileno())


async def test_the_end_of_a_pipe_is_noticed_too(watch):
    mine, theirs = os.pipe()
    gone = asyncio.Event()
    watch.watch(mine, gone.set)
    os.close(theirs)
    async with asyncio.timeout(5):
        await gone.wait()
    os.close(mine)


async def test_what_is_forgotten_is_not_reported(watch):
    one, two, three, four = *socket.socketpair(), *socket.socketpair()
    with one, two, three, four:
        wrong, right = asyncio.Event(), asyncio.Event()
        watch.watch(one.fileno(), wrong.set)
        watch.watch(three.fileno(), right.set)
        watch.forget(one.fileno())
        two.close()
        four.close()
        async with asyncio.timeout(5):
            await right.wait()
        assert not wrong.is_set()


async def test_files_never_leave(watch, tmp_path):
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    watch.watch(descriptor, lambda: None)
    watch.forget(descriptor)
    os.close(descriptor)
