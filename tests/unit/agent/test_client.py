"""The CLI's end of the agent's socket; the agent is a thread that says what a test wants."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from fleetcc.agent.client import (
    Lacking,
    ask_agent,
    ask_lacking,
    connect_events,
    flush_journal,
    watch_agent,
)
from fleetcc.agent.folder import Folder
from fleetcc.errors import FleetccError
from fleetcc.wire.launcher import REQUEST_HEADER, encode_answer


@contextmanager
def agent(directory: Path, *answers: bytes, ends: bool = True) -> Iterator[Callable[[], list[str]]]:
    """Answers one question in these pieces; gives what it was asked, and whether the client went."""
    folder = Folder.open(str(directory))
    listener = folder.listen()
    listener.setblocking(True)
    verbs: list[str] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            head = connection.recv(REQUEST_HEADER.size, socket.MSG_WAITALL)
            length = REQUEST_HEADER.unpack(head)[1]
            body = connection.recv(length, socket.MSG_WAITALL).partition(b"\0")[2]
            verbs.append(msgspec.json.decode(body)["verb"])
            for answer in answers:
                connection.sendall(answer)
            if not ends and not connection.recv(1):
                verbs.append("gone")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield lambda: verbs
    finally:
        thread.join(10)
        listener.close()
        folder.close()


STREAM = encode_answer(b"C")


def test_an_answer_may_come_in_pieces(tmp_path: Path) -> None:
    answer = encode_answer(b"C", b'{"flushed":true}')
    with agent(tmp_path / "a", answer[:3], answer[3:12], answer[12:]) as asked:
        assert ask_agent(str(tmp_path / "a"), "flush") == {"flushed": True}
    assert asked() == ["flush"]


@pytest.mark.parametrize("said", [b"", STREAM[:5], encode_answer(b"C", b"{}")[:-1]])
def test_an_agent_that_closes_too_soon_is_an_error(tmp_path: Path, said: bytes) -> None:
    with agent(tmp_path / "a", said), pytest.raises(FleetccError, match="closed without an answer"):
        ask_agent(str(tmp_path / "a"), "status")


def test_the_lines_of_the_stream_come_one_by_one_and_end_with_the_agent(tmp_path: Path) -> None:
    with agent(tmp_path / "a", STREAM + b'{"a"', b":1}\n{}\n", b"cut of") as asked:
        assert list(watch_agent(str(tmp_path / "a"))) == [b'{"a":1}\n', b"{}\n"]
    assert asked() == ["events"]


def test_who_closes_the_generator_closes_the_connection(tmp_path: Path) -> None:
    with agent(tmp_path / "a", STREAM + b"{}\n", ends=False) as asked:
        lines = watch_agent(str(tmp_path / "a"))
        next(lines)
        lines.close()
    assert asked() == ["events", "gone"]


def test_a_connection_for_others_gives_lines_at_once(tmp_path: Path) -> None:
    with agent(tmp_path / "a", STREAM, b"{}\n"):
        connection = connect_events(str(tmp_path / "a"))
        assert connection is not None
        with connection:
            assert connection.recv(3, socket.MSG_WAITALL) == b"{}\n"


def test_an_agent_that_shows_no_events_says_why(tmp_path: Path) -> None:
    answer = encode_answer(b"C", b'{"error":"32 watch already"}')
    with (
        agent(tmp_path / "a", answer),
        pytest.raises(FleetccError, match="shows no events: 32 watch already"),
    ):
        next(watch_agent(str(tmp_path / "a")))


def test_without_an_agent_there_is_nothing_to_watch_and_nothing_to_flush(tmp_path: Path) -> None:
    assert connect_events(str(tmp_path / "a")) is None
    flush_journal(str(tmp_path / "a"))
    with pytest.raises(FleetccError, match=r"no agent serves .*`fleetcc agent start`"):
        next(watch_agent(str(tmp_path / "a")))


def test_who_only_wants_the_journal_is_not_told_of_an_agent_that_does_not_answer(tmp_path: Path) -> None:
    with agent(tmp_path / "a") as asked:
        flush_journal(str(tmp_path / "a"))
    assert asked() == ["flush"]
    os.chmod(tmp_path / "a", 0o755)
    flush_journal(str(tmp_path / "a"))


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (b'{"hosts":{"b1:3632":{"files":2,"bytes":734}}}', {"b1:3632": Lacking(2, 734)}),
        (b'{"hosts":{}}', {}),
        (b'{"error":"control request; flush, status, stop are known"}', {}),  # an older agent
        (b'{"hosts":["b1:3632"]}', {}),  # a newer one
    ],
)
def test_what_hosts_lack_is_told_by_an_agent_that_knows_the_question(
    tmp_path: Path, said: bytes, known: dict[str, Lacking]
) -> None:
    with agent(tmp_path / "a", encode_answer(b"C", said)) as asked:
        assert ask_lacking(str(tmp_path / "a"), {b"\xff" * 32: 734}) == known
    assert asked() == ["lacking"]


def test_what_hosts_lack_is_not_known_without_an_agent_that_answers(tmp_path: Path) -> None:
    assert ask_lacking(str(tmp_path / "a"), {}) == {}
    with agent(tmp_path / "b"):
        assert ask_lacking(str(tmp_path / "b"), {}) == {}
