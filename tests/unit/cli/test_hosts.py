"""`fleetcc hosts`, as its user meets it; the hosts are listeners on loopback."""

import json
import socket
import threading
from dataclasses import replace
from functools import partial

import pytest

from fleetcc.cli.hosts import command, print_list
from fleetcc.model import Form
from fleetcc.wire.greeting import GREETING, Welcome, encode_welcome


@pytest.fixture
def run(call):
    return partial(call, command)


class Host:
    """Answers every greeting with these bytes."""

    def __init__(self, answer: bytes):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.entry = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                assert connection.recv(100) == GREETING
                connection.sendall(self._answer)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


@pytest.fixture
def host():
    made = []

    def make(answer: bytes) -> Host:
        made.append(Host(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


WELCOME = Welcome("fleetccd 9", tuple(Form), (1, 2), slots=8, capacity=6, running=2, waiting=1)
OURS = encode_welcome(WELCOME)


def test_each_host_has_a_line_with_what_it_says_of_itself(run, host):
    ours, stock = host(OURS), host(b"")

    result = run(FLEETCC_HOSTS=f"{ours.entry} {stock.entry}/5 localhost/3 127.0.0.1:1")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "4 hosts from FLEETCC_HOSTS"
    assert lines[1].split()[:2] == ["ok", ours.entry]
    assert lines[1].endswith("fleetccd 9; 2 of 8 slots run, 1 wait, capacity now 6")
    assert "ok" in lines[2]
    assert "distccd (or refuses this address" in lines[2]
    assert "limit 5" in lines[2]
    assert lines[3].split() == ["ok", "localhost", "this", "machine;", "limit", "3"]
    assert lines[4].split()[:2] == ["FAIL", "127.0.0.1:1"]
    assert "Connection refused" in lines[4]


@pytest.mark.parametrize(
    ("no_files", "words"),
    [
        ("", "takes files"),
        ("no user namespaces; run it as root", "takes no files: no user namespaces; run it as root"),
    ],
)
def test_a_host_says_whether_it_takes_files(run, host, no_files, words):
    ours = host(encode_welcome(replace(WELCOME, no_files=no_files)))

    assert words in run(FLEETCC_HOSTS=ours.entry).stdout.splitlines()[1]
    (row,) = json.loads(run("--json", FLEETCC_HOSTS=ours.entry).stdout)
    assert (row["files"], row["no_files"]) == (not no_files, no_files)


def test_a_host_of_before_takes_no_files_and_says_nothing_of_them(run, host):
    ours = host(OURS)

    assert "files" not in run(FLEETCC_HOSTS=ours.entry).stdout
    (row,) = json.loads(run("--json", FLEETCC_HOSTS=ours.entry).stdout)
    assert (row["files"], row["no_files"]) == (False, "")


def test_json_has_the_same_with_types(run, host):
    ours = host(OURS)

    (row,) = json.loads(run("--json", FLEETCC_HOSTS=ours.entry).stdout)

    assert row["answers"] is True
    assert (row["slots"], row["capacity"], row["forms"]) == (8, 6, ["expanded", "directives"])


def test_no_host_that_answers_is_exit_1(run):
    result = run(FLEETCC_HOSTS="127.0.0.1:1")

    assert result.exit_code == 1
    assert "FAIL" in result.stdout


def test_a_list_that_names_nobody_says_what_to_do(run):
    result = run(FLEETCC_HOSTS="# nobody")

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "fleetcc: FLEETCC_HOSTS names no host: set FLEETCC_HOSTS, or write one of "
    )


def test_distccs_questions_are_answered_as_distcc_does(run, capsys, monkeypatch):
    monkeypatch.setenv("FLEETCC_HOSTS", "10.0.0.1/3,lzo 10.0.0.2")

    assert print_list("-j") == print_list("--show-hosts") == 0

    assert capsys.readouterr().out.splitlines()[0] == "7"
