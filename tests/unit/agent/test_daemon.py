"""The agent's accepting of launchers, where that goes wrong."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetcc.agent import daemon
from fleetcc.agent.daemon import Agent
from fleetcc.agent.folder import Folder
from fleetcc.agent.watching import Watching
from fleetcc.settings import load_settings
from fleetcc.wire.launcher import ANSWER_HEADER, encode_control_request


class Listener:
    """A listening socket that fails as often as it is told."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.failures = 0
        self.tries = 0
        self.tried = asyncio.Event()

    def fileno(self) -> int:
        return self.inner.fileno()

    def accept(self) -> Any:
        self.tries += 1
        self.tried.set()
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.inner.accept()


class Bench:
    """An agent without jobs that answers what it is asked."""

    def __init__(self, directory: Path, tasks: asyncio.TaskGroup) -> None:
        self.folder = Folder.open(str(directory))
        self.listener = Listener(self.folder.listen())
        settings = load_settings({b"HOME": b"/nowhere"})
        self.agent = Agent(settings, self.folder, cast("socket.socket", self.listener), activated=True)
        self.agent._tasks = tasks
        self.agent._watching = cast("Watching", SimpleNamespace(count=0, has_lost=lambda _: False))
        self.agent._set_accepting(on=True)

    def close(self) -> None:
        """Let go of everything."""
        self.agent._set_accepting(on=False)
        self.listener.inner.close()
        self.folder.close()

    async def ask(self) -> bytes:
        """What a question that nobody knows gets; empty: the agent has closed."""
        loop = asyncio.get_running_loop()
        connection = self.folder.connect()
        assert connection is not None
        with connection:
            connection.setblocking(False)
            await loop.sock_sendall(connection, encode_control_request(b"0", b"{}"))
            async with asyncio.timeout(10):
                try:
                    return (await loop.sock_recv(connection, 1000))[ANSWER_HEADER.size :]
                except ConnectionResetError:
                    return b""


@asynccontextmanager
async def working(directory: Path) -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as tasks:
        bench = Bench(directory / "agent", tasks)
        try:
            yield bench
        finally:
            bench.close()


async def test_a_launcher_that_cannot_be_served_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: socket.socket) -> tuple[int, int]:
        raise RuntimeError("who is that?")

    async with working(tmp_path) as bench:
        with monkeypatch.context() as wrong:
            wrong.setattr(daemon, "_peer_of", fails)
            assert await bench.ask() == b""
        assert b"are known" in await bench.ask()
    assert caplog.text.count("RuntimeError: who is that?") == 1


async def test_without_descriptors_it_pauses_and_takes_the_launcher_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_ACCEPT_AGAIN_SECONDS", 3600.0)
    async with working(tmp_path) as bench:
        bench.listener.failures = 1
        asking = asyncio.get_running_loop().create_task(bench.ask())
        async with asyncio.timeout(10):
            await bench.listener.tried.wait()
        for _ in range(10):  # turns of the loop in which it could try again
            await asyncio.sleep(0)
        assert bench.listener.tries == 1

        bench.agent._accept_again()  # when the pause is over
        assert b"are known" in await asking


async def test_a_question_whose_answer_fails_does_not_end_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> dict[str, object]:
        raise RuntimeError("no answer")

    async with working(tmp_path) as bench:
        with monkeypatch.context() as wrong:
            wrong.setattr(Agent, "_answer", fails)
            assert await bench.ask() == b""
        assert b"are known" in await bench.ask()
    assert "RuntimeError: no answer" in caplog.text
