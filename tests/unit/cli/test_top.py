"""`fleetcc top` without a terminal: one picture as text."""

import os
import socket
import threading
from functools import partial

import pytest
from click.testing import CliRunner

from fleetcc.cli.top import command
from fleetcc.errors import FleetccError
from fleetcc.monitor.events import Job, encode
from fleetcc.wire.launcher import REQUEST_HEADER, encode_answer
from tests.support.event_agent import a_hello


@pytest.fixture
def run(call, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETCC_DIR", str(tmp_path / "agent"))
    return partial(call, command)


@pytest.fixture
def agent(tmp_path):
    """Answers the first question with these bytes."""
    (tmp_path / "agent").mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(tmp_path / "agent" / "socket"))
    listener.listen()
    threads = []

    def serve(answer: bytes) -> None:
        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(REQUEST_HEADER.size + 100)
                connection.sendall(answer)

        threads.append(threading.Thread(target=work))
        threads[0].start()

    yield serve
    for thread in threads:
        thread.join()
    listener.close()


def a_stream() -> bytes:
    jobs = (
        Job(job=1, time=1.0, state="compiling", label="a.cc", host="b1:3632", slot=3),
        Job(job=2, time=1.0, state="uploading", label="b.cc", host="b1:3632", slot=0),
    )
    return encode_answer(b"C") + encode(a_hello(jobs=jobs, total=66))


@pytest.mark.parametrize("arguments", [("--once",), ()])
def test_one_frame_has_hosts_jobs_and_reasons(run, agent, arguments):
    agent(a_stream())

    result = run(*arguments, COLUMNS="100")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "agent fleetcc 0.1.0, pid 7"
    assert lines[1].startswith("66 jobs  2 on 2 hosts with 6 slots  0 waiting")
    assert "b1         ▲··■          2/4   1.25       0" in lines
    assert any(line.startswith("compiling     b1/3") and line.endswith("a.cc") for line in lines)
    assert "     4  linking                 calls the linker: there is no -c or -S" in lines
    assert all(len(line) <= 100 for line in lines)
    assert "\x1b" not in result.stdout


def test_without_utf8_slots_are_drawn_in_ascii(run, agent, monkeypatch):
    agent(a_stream())

    result = CliRunner(charset="ascii").invoke(command, ["--once"])

    assert "b1         ^..#          2/4" in result.stdout


def test_no_agent_is_said_so_with_status_1(run):
    result = run("--once")

    assert result.exit_code == 1
    assert "no agent serves" in result.stderr
    assert "the first compile starts one" in result.stderr


@pytest.mark.parametrize(
    "answer", [b"", b"rubbish\n", encode(a_hello())[:40], encode(Job(job=1, time=0, state="done"))]
)
def test_an_agent_that_begins_otherwise_is_an_error(run, agent, answer):
    agent(encode_answer(b"C") + answer)

    result = run("--once")

    assert isinstance(result.exception, FleetccError)
