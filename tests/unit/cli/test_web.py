"""`fleetcc web`: what it relays, and what it says when it cannot."""

import contextlib
import socket
import sys
from pathlib import Path

import pytest

from fleetcc.cli.web import AgentSource, command
from fleetcc.errors import ExitCode, FleetccError, UsageError
from fleetcc.monitor.events import Hello, Job, Local, decode, encode
from tests.support.event_agent import EventAgent


def hello(pid: int) -> Hello:
    return Hello(source="agent", program="0.6.0", pid=pid, time=1.0, local=Local(time=1.0))


async def test_a_viewer_sees_one_agent_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    folder.mkdir(mode=0o700)
    async with contextlib.aclosing(AgentSource(str(folder)).lines()) as lines:
        assert await anext(lines) == b""  # none runs yet
        for pid in (1, 2):
            async with EventAgent(folder, hello(pid)) as agent:
                while not (batch := await anext(lines)):
                    pass
                first = decode(batch)
                assert isinstance(first, Hello)
                assert first.pid == pid
                job = Job(job=7, time=2.0, state="waiting", label="a.cc")
                agent.tell(job)
                assert decode(await anext(lines)) == job
            assert await anext(lines) == b""  # it left


async def test_only_whole_lines_are_passed_on(tmp_path: Path) -> None:
    async with (
        EventAgent(tmp_path / "agent", hello(1)) as agent,
        contextlib.aclosing(AgentSource(str(tmp_path / "agent")).lines()) as lines,
    ):
        await anext(lines)
        line = encode(Job(job=1, time=2.0, state="waiting", label="x" * 200_000))
        agent.write(line[:-10])
        agent.write(line[-10:] + line + line[:7])
        passed = await anext(lines)
        while passed.count(b"\n") < 2:
            passed += await anext(lines)
        assert passed == line + line


def test_without_aiohttp_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETCC_DIR", str(tmp_path / "agent"))
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "fleetcc.monitor.web.server", raising=False)
    with pytest.raises(UsageError, match=r"^fleetcc web needs aiohttp: pip install 'fleetcc\[web\]'$"):
        command.main(["--no-browser"], standalone_mode=False)


def test_a_port_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETCC_DIR", str(tmp_path / "agent"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            FleetccError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use; --port 0"
        ) as caught:
            command.main(["--no-browser", "--port", str(port)], standalone_mode=False)
    assert caught.value.exit_code is ExitCode.BIND_FAILED
