"""An agent that only answers `events`: whoever watches it sees what a test says."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Self

import msgspec

from fleetcc.monitor.events import Event, Hello, Host, Job, Local, encode
from fleetcc.wire.launcher import (
    REQUEST_HEADER,
    ControlRequest,
    decode_request,
    decode_request_header,
    encode_answer,
)

START = 1_000_000.0  # when the agents of tests began


class EventAgent:
    """Serves `agent_dir` from `async with` on; each viewer gets `hello` first, then what is told."""

    def __init__(self, agent_dir: Path, hello: Hello) -> None:
        self.hello = hello
        self.viewers: list[asyncio.StreamWriter] = []
        self.welcomed = 0  # viewers so far
        self._dir = agent_dir
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._dir.mkdir(mode=0o700, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, os.fspath(self._dir / "socket"))
        return self

    async def __aexit__(self, *_: object) -> None:
        (self._dir / "socket").unlink()
        self._server.close()
        for writer in self.viewers:
            writer.close()
        if self._serving:
            await asyncio.wait(self._serving)

    def tell(self, *events: Event) -> None:
        """To everybody who watches now."""
        self.write(b"".join(map(encode, events)))

    def write(self, data: bytes) -> None:
        """Any bytes."""
        for writer in self.viewers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        header = decode_request_header(await reader.readexactly(REQUEST_HEADER.size))
        request = decode_request(header, await reader.readexactly(header.length))
        assert isinstance(request, ControlRequest)
        assert msgspec.json.decode(request.body) == {"verb": "events"}
        writer.write(encode_answer(b"C") + encode(self.hello))
        self.viewers.append(writer)
        self.welcomed += 1
        with contextlib.suppress(ConnectionError):
            await reader.read()  # until the viewer goes
        self.viewers.remove(writer)
        writer.close()


def a_hello(pid: int = 7, time: float = START, jobs: tuple[Job, ...] = (), total: int = 0) -> Hello:
    """An agent with two slots here and three hosts, one of them down."""
    return Hello(
        source="agent", program="fleetcc 0.1.0", pid=pid, time=time, jobs=jobs, total=total,
        local=Local(time=time, processors=2, slots=2, load=1.5, memory_available=3 << 30),
        hosts=(
            Host(host="b1:3632", time=time, state="up", server="fleetccd 0.1.0", slots=4, speed=1.25,
                 takes_files=True),
            Host(host="b2.example.com:3632", time=time, state="up", slots=2, speed=0.5),
            Host(host="b3:3632", time=time, state="down", slots=8, why="connection refused", pause=4.0),
        ),
        by_reason={"remote": 60, "linking": 4, "no-hosts": 1} if total else {},
    )  # fmt: skip


def some_jobs() -> list[Event]:
    """At START + 10: two compile on b1, one uploads to b2, one links here, one waits, one was done."""
    start = START
    return [
        Job(job=1, time=start, state="planning", label="core/main.cc", directory="/src/app", build="b-17"),
        Job(job=1, time=start + 0.5, state="waiting", predicted=12.0, files=420),
        Job(job=1, time=start + 1, state="uploading", host="b1:3632", slot=0, mode="files", sent=2_000_000),
        Job(job=1, time=start + 2, state="compiling"),
        Job(job=2, time=start + 4, state="planning", label="core/parse.cc", directory="/src/app",
            build="b-17"),
        Job(job=2, time=start + 5, state="compiling", host="b1:3632", slot=1),
        Job(job=3, time=start + 8, state="uploading", label="ui/window.cc", host="b2.example.com:3632",
            slot=0),
        Job(job=4, time=start + 9, state="compiling", label="app", host="localhost", slot=0,
            reason="linking"),
        Job(job=5, time=start + 9, state="waiting", label="ui/later.cc"),
        Job(job=6, time=start + 3, state="planning", label="tiny.c"),
        Job(job=6, time=start + 4, state="compiling", host="b1:3632", slot=2),
        Job(job=6, time=start + 9, state="done", reason="remote", received=3000, status=0, seconds=6.0,
            run_seconds=4.5, cpu_seconds=4.25, peak_bytes=200 << 20),
    ]  # fmt: skip
