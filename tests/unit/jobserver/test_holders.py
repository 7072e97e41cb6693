"""How many tokens the living can hold."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fleetcc.jobserver.channel import Channel
from fleetcc.jobserver.fifo import FifoChannel
from fleetcc.jobserver.holders import Process, most_held, parse_stat
from fleetcc.jobserver.pipe import PipeChannel

# Starts so many children without the pipe, says so, and waits.
PARENT = """if True:
    import subprocess, sys
    children = [subprocess.Popen(["cat"], stdin=subprocess.PIPE) for _ in range(int(sys.argv[1]))]
    print("ready", flush=True)
    sys.stdin.read()
    for child in children:
        child.communicate()
"""


@contextlib.contextmanager
def parent(children: int, **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-c", PARENT, str(children)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.communicate()


def test_a_command_may_be_called_anything() -> None:
    fields = "S 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 123"
    assert parse_stat(f"42 (a) b (c) {fields}") == Process(parent=7, session=9, threads=3, is_zombie=False)
    assert parse_stat(f"42 () {fields.replace('S', 'Z', 1)}").is_zombie


def test_each_child_but_one_stands_for_a_token_and_one_is_on_its_way() -> None:
    channel = PipeChannel()
    with parent(3, pass_fds=channel.inherited) as process:
        assert most_held(channel.name, process.pid) == (3 - 1) + 1
    channel.close()


def test_who_has_not_the_pipe_holds_none() -> None:
    channel, other = PipeChannel(), PipeChannel()
    with parent(3, pass_fds=other.inherited) as process:
        assert most_held(channel.name, process.pid) == 0
        assert most_held(other.name, process.pid) == (3 - 1) + 1
    channel.close()
    other.close()


def test_who_has_opened_the_named_pipe_counts(tmp_path: Any) -> None:
    channel: Channel = FifoChannel(str(tmp_path))
    opened = os.open(channel.word.removeprefix("fifo:"), os.O_RDWR)
    with parent(2, pass_fds=[opened]) as process:
        assert most_held(channel.name, process.pid) == (2 - 1) + 1
    os.close(opened)
    channel.close()


def test_the_dead_hold_none() -> None:
    channel = PipeChannel()
    with parent(2, pass_fds=channel.inherited) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
        assert most_held(channel.name, process.pid) == 0
    assert most_held(channel.name, process.pid) == 0
    channel.close()


def test_who_outlives_his_parent_still_counts_in_its_session() -> None:
    channel = PipeChannel()
    script = 'exec 3<&0; (exec "$@" <&3 & ) ; cat >/dev/null'
    command = ["sh", "-c", script, "sh", sys.executable, "-c", PARENT, "2"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=channel.inherited
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        # The shell and its `cat` have it too.
        assert most_held(channel.name, process.pid) == (2 - 1) + 1 + 1 + 1
        process.communicate()
    channel.close()


@pytest.mark.parametrize("root", [0, 2**22 + 1])
def test_a_build_that_is_gone_holds_none(root: int) -> None:
    channel = PipeChannel()
    assert most_held(channel.name, root) == 0
    channel.close()
